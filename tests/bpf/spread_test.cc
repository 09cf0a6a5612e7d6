// SPDX-License-Identifier: Apache-2.0
// ESP over CPUs by SPI: who takes part, and frames over a real wire that arrive on the CPU meant, in order.
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include "tests/bpf/shield_world.h"

namespace espgate::test {

namespace {

using base::Bytes;

constexpr std::uint32_t pass_it = XDP_PASS, redirect_it = XDP_REDIRECT;

// This thread runs there while it lives.
class OnCpu {
 public:
  explicit OnCpu(unsigned cpu) {
    sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    there_ = sched_setaffinity(0, sizeof one, &one) == 0;
  }
  OnCpu(const OnCpu&) = delete;
  OnCpu& operator=(const OnCpu&) = delete;
  ~OnCpu() { sched_setaffinity(0, sizeof before_, &before_); }
  [[nodiscard]] bool there() const { return there_; }

 private:
  cpu_set_t before_{};
  bool there_ = false;
};

class Spread : public ShieldTest {
 protected:
  void SetUp() override {
    ShieldTest::SetUp();
    if (IsSkipped()) return;
    if (!OnCpu(1).there()) GTEST_SKIP() << "needs the CPUs 0 and 1";
  }

  [[nodiscard]] static maps::SaRecord record(std::uint32_t spi,
                                             base::OffloadActual actual = base::OffloadActual::none) {
    maps::SaRecord sa;
    sa.direction = base::Direction::in;
    sa.spi.value = spi;
    sa.src = *base::Address::parse(far4);
    sa.dst = *base::Address::parse(here4);
    sa.wanted = base::OffloadWanted::automatic;
    sa.actual = actual;
    return sa;
  }
  // As the daemon does it: assigned before it is added, updated after it was read back.
  void install(std::uint32_t slot, std::uint32_t spi) {
    ASSERT_TRUE(loader_->assign(slot, record(spi)));
    ASSERT_TRUE(loader_->update(slot, record(spi)));
  }
  [[nodiscard]] Bytes esp(std::uint32_t spi) const { return frame().ipv4(far4, here4, 50).esp(spi).bytes(); }
};

TEST_F(Spread, OnlyToCpusThatAreNamed) {
  const OnCpu zero(0);
  install(0, 0x1001);
  EXPECT_EQ(action(esp(0x1001)), pass_it);
  ASSERT_TRUE(loader_->set_spread({1}));
  EXPECT_EQ(action(esp(0x1001)), redirect_it);
  EXPECT_EQ((classes()[{ESPGATE_CLASS_ESP, ESPGATE_REDIRECT}]), 1U);
  EXPECT_EQ((classes()[{ESPGATE_CLASS_ESP, ESPGATE_PASS}]), 1U);
  ASSERT_TRUE(loader_->set_spread({0}));
  EXPECT_EQ(action(esp(0x1001)), redirect_it);  // it is there already, but must not overtake
  ASSERT_TRUE(loader_->set_spread({}));
  EXPECT_EQ(action(esp(0x1001)), pass_it);
  EXPECT_EQ(loader_->set_spread({100000}).error().code, EINVAL);
}

TEST_F(Spread, AnSaOnTrialOrHeldByADeviceTakesNoPart) {
  const OnCpu zero(0);
  ASSERT_TRUE(loader_->set_spread({1}));
  ASSERT_TRUE(loader_->assign(0, record(0x1001)));
  EXPECT_EQ(action(esp(0x1001)), pass_it);
  ASSERT_TRUE(loader_->update(0, record(0x1001, base::OffloadActual::crypto)));
  EXPECT_EQ(action(esp(0x1001)), pass_it);
  ASSERT_TRUE(loader_->update(0, record(0x1001)));
  EXPECT_EQ(action(esp(0x1001)), redirect_it);
  ASSERT_TRUE(loader_->update(0, record(0x1001, base::OffloadActual::packet)));
  EXPECT_EQ(action(esp(0x1001)), pass_it);
}

TEST_F(Spread, NeitherDoOutboundSasAhAndStrangers) {
  const OnCpu zero(0);
  ASSERT_TRUE(loader_->set_spread({1}));
  maps::SaRecord out = record(0x2001), ah = record(0x3001);
  out.direction = base::Direction::out;
  ah.proto = 51;
  ASSERT_TRUE(loader_->assign(1, out));
  ASSERT_TRUE(loader_->update(1, out));
  ASSERT_TRUE(loader_->assign(2, ah));
  ASSERT_TRUE(loader_->update(2, ah));
  EXPECT_EQ(action(esp(0x2001)), pass_it);
  EXPECT_EQ(action(frame().ipv4(far4, here4, 51).ah(0x3001).bytes()), pass_it);
  EXPECT_EQ(action(esp(0x9999)), pass_it);
}

TEST_F(Spread, InUdpAndInAVlanButNoFragments) {
  const OnCpu zero(0);
  ASSERT_TRUE(loader_->set_spread({1}));
  install(0, 0x1001);
  EXPECT_EQ(action(datagram4(4500).esp(0x1001).bytes()), redirect_it);
  EXPECT_EQ((classes()[{ESPGATE_CLASS_ESP_UDP, ESPGATE_REDIRECT}]), 1U);
  EXPECT_EQ(action(frame().vlan(5).ipv4(far4, here4, 50).esp(0x1001).bytes()), redirect_it);
  EXPECT_EQ(action(frame().ipv4(far4, here4, 50, 0x2000).esp(0x1001).bytes()), pass_it);
  EXPECT_EQ(action(frame().ipv4(far4, here4, 50, 0x10).zeros(64).bytes()), pass_it);
}

TEST_F(Spread, LastsOverARestart) {
  const OnCpu zero(0);
  ASSERT_TRUE(loader_->set_spread({1}));
  install(0, 0x1001);
  loader_.reset();
  loader::Options options;
  options.bpffs = bpffs;
  options.max_slots = 16;
  options.tracing = false;
  loader_.emplace(std::move(*loader::Loader::open(options)));
  EXPECT_EQ(action(esp(0x1001)), redirect_it);
}

// A packet socket on the device that takes ESP seen on one CPU alone.
base::Fd listener(unsigned cpu, std::uint32_t ifindex) {
  base::Fd out(::socket(AF_PACKET, SOCK_RAW, 0));
  const auto ancillary = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_CPU);
  sock_filter code[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, ancillary},
                        {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, cpu},
                        {BPF_LD | BPF_B | BPF_ABS, 0, 0, 23},
                        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 50},
                        {BPF_RET | BPF_K, 0, 0, 0xffff},
                        {BPF_RET | BPF_K, 0, 0, 0}};
  const sock_fprog program{std::size(code), code};
  const int octets = 4 << 20;
  const timeval patience{2, 0};
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_IP);
  address.sll_ifindex = static_cast<int>(ifindex);
  EXPECT_EQ(::setsockopt(out.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
  EXPECT_EQ(::setsockopt(out.get(), SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets), 0);
  EXPECT_EQ(::setsockopt(out.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
  EXPECT_EQ(::bind(out.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return out;
}

struct Arrived {
  std::uint32_t spi = 0, sequence = 0;
  bool operator==(const Arrived&) const = default;
};

// So many ESP frames, as they arrive.
std::vector<Arrived> receive(const base::Fd& from, std::size_t count) {
  std::vector<Arrived> out;
  std::uint8_t frame[256];
  while (out.size() < count && ::recv(from.get(), frame, sizeof frame, 0) >= 42) {
    base::ByteReader reader(base::ByteView(frame).subspan(34));
    const std::uint32_t spi = *reader.u32();
    out.push_back({spi, *reader.u32()});
  }
  return out;
}

// Sends so many frames of each SPI in turn into the other end of the wire, from CPU 0.
void send(const std::vector<Bytes>& frames, std::uint32_t count) {
  const OnCpu zero(0);
  const base::Fd sender(::socket(AF_PACKET, SOCK_RAW, 0));
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(if_nametoindex("espg1"));
  for (std::uint32_t i = 0; i < count; ++i)
    for (Bytes frame : frames) {
      for (std::size_t octet = 0; octet < 4; ++octet)
        frame[38 + octet] = static_cast<std::uint8_t>(i >> (24 - 8 * octet));
      ASSERT_EQ(
          ::sendto(sender.get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
          static_cast<ssize_t>(frame.size()));
    }
}

TEST_F(Spread, FramesArriveThereInOrder) {
  constexpr std::uint32_t count = 500;
  ASSERT_TRUE(loader_->set_spread({1}));
  install(0, 0x1001);
  ASSERT_TRUE(loader_->assign(1, record(0x1002)));
  ASSERT_TRUE(loader_->update(1, record(0x1002, base::OffloadActual::crypto)));
  const base::Fd on_zero = listener(0, ifindex_), on_one = listener(1, ifindex_);
  send({esp(0x1001), esp(0x1002)}, count);
  std::vector<Arrived> spread, held;
  for (std::uint32_t i = 0; i < count; ++i) {
    spread.push_back({0x1001, i});
    held.push_back({0x1002, i});
  }
  EXPECT_EQ(receive(on_one, count), spread);
  EXPECT_EQ(receive(on_zero, count), held);  // a device has it: where it came in
  EXPECT_EQ((classes()[{ESPGATE_CLASS_ESP, ESPGATE_REDIRECT}]), count);
  EXPECT_EQ((classes()[{ESPGATE_CLASS_ESP, ESPGATE_PASS}]), count);
}

TEST_F(Spread, SpisInARowGoToBothCpusEachToOne) {
  ASSERT_TRUE(loader_->set_spread({0, 1}));
  const base::Fd on_zero = listener(0, ifindex_), on_one = listener(1, ifindex_);
  std::vector<Bytes> frames;
  for (std::uint32_t slot = 0; slot < 16; ++slot) {
    install(slot, 0x1000 + slot);
    frames.push_back(esp(0x1000 + slot));
  }
  send(frames, 3);
  std::map<std::uint32_t, unsigned> zero, one;
  for (const Arrived& arrived : receive(on_zero, std::size_t{3} * 16)) ++zero[arrived.spi];
  for (const Arrived& arrived : receive(on_one, std::size_t{3} * 16)) ++one[arrived.spi];
  EXPECT_EQ(zero.size() + one.size(), 16U);
  for (const auto* cpu : {&zero, &one}) {
    EXPECT_GE(cpu->size(), 4U);
    for (const auto& [spi, count] : *cpu) EXPECT_EQ(count, 3U) << spi;
  }
}

}  // namespace

}  // namespace espgate::test
