// SPDX-License-Identifier: Apache-2.0
// The shield beside other XDP programs, in libxdp's dispatcher. It wants a kernel that takes extension programs from
// us: tests/lab/bpf.sh runs it.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <xdp/libxdp.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/fd.h"
#include "loader/inspect.h"
#include "loader/loader.h"
#include "maps/pins.h"
#include "tests/bpf/bpf_world.h"
#include "tests/bpf/packet.h"
#include "tests/other.skel.h"

namespace espgate::test {

namespace {

using loader::Loader;
using loader::XdpWish;

constexpr unsigned first = 10, last = 90;  // before ours, which has libxdp's usual 50, and after it

int index_of(const char* device) { return static_cast<int>(if_nametoindex(device)); }

// Somebody else's program, in the dispatcher of espg0 until it is taken out.
class Other {
 public:
  explicit Other(unsigned priority, std::uint32_t verdict = XDP_PASS) : skeleton_(other_bpf__open()) {
    skeleton_->rodata->verdict = verdict;
    DECLARE_LIBXDP_OPTS(xdp_program_opts, what, .obj = skeleton_->obj, .prog_name = "other");
    program_ = xdp_program__create(&what);
    xdp_program__set_run_prio(program_, priority);
    xdp_program__set_xdp_frags_support(program_, true);
    status = xdp_program__attach(program_, index_of("espg0"), XDP_MODE_NATIVE, 0);
  }
  Other(const Other&) = delete;
  Other& operator=(const Other&) = delete;
  ~Other() {
    xdp_program__close(program_);
    other_bpf__destroy(skeleton_);
  }
  int take_out() { return xdp_program__detach(program_, index_of("espg0"), XDP_MODE_UNSPEC, 0); }
  [[nodiscard]] std::uint64_t seen() const {
    const std::uint32_t zero = 0;
    std::uint64_t out = 0;
    EXPECT_EQ(bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.other_seen), &zero, &out), 0);
    return out;
  }
  [[nodiscard]] std::uint32_t id() const { return xdp_program__id(program_); }
  int status = 0;

 private:
  other_bpf* skeleton_;
  xdp_program* program_ = nullptr;
};

struct Present {
  std::string name;
  std::uint32_t id = 0;
  bool operator==(const Present&) const = default;
};

// The programs of the dispatcher in the order in which they run; empty: no dispatcher.
std::vector<Present> present() {
  std::vector<Present> out;
  xdp_multiprog* all = xdp_multiprog__get_from_ifindex(index_of("espg0"));
  if (libxdp_get_error(all) != 0) return out;
  if (!xdp_multiprog__is_legacy(all))
    for (xdp_program* one = nullptr; (one = xdp_multiprog__next_prog(one, all)) != nullptr;)
      out.push_back({xdp_program__name(one), xdp_program__id(one)});
  xdp_multiprog__close(all);
  return out;
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const Present& one : present()) out.push_back(one.name);
  return out;
}

Packet ike() {
  Packet out;
  out.ipv4("192.0.2.1", "192.0.2.2", 17).udp(500, 500).zeros(64);
  return out;
}

// Frames that come in by espg0, no faster than a ring of veth takes them.
std::uint64_t send(int bursts, int each = 16) {
  const base::Fd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = index_of("espg1");
  const base::Bytes frame = ike().bytes();
  std::uint64_t sent = 0;
  for (int burst = 0; burst < bursts; ++burst) {
    for (int i = 0; i < each; ++i)
      if (::sendto(socket.get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) > 0)
        ++sent;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  return sent;
}

class DispatcherTest : public BpfTest {
 protected:
  void SetUp() override {
    BpfTest::SetUp();
    if (IsSkipped()) return;
    ::setenv("LIBXDP_BPFFS", bpffs.c_str(), 1);
    run("rm -rf " + bpffs + "/xdp/*");  // of devices that are gone
    run("ip link add espg0 type veth peer name espg1 && for d in espg0 espg1; do "
        "ip link set $d addrgenmode none arp off multicast off && ip link set $d up; done");
    Other probe(first);
    if (present().empty()) GTEST_SKIP() << "no extension programs here: libxdp attached it by itself";
    ASSERT_EQ(probe.take_out(), 0);
  }

  Loader open() const {
    loader::Options options;
    options.bpffs = bpffs;
    options.max_slots = 32;
    options.tracing = false;
    auto opened = Loader::open(options);
    EXPECT_TRUE(opened) << opened.error().text();
    return std::move(*opened);
  }
  static void expect_in(Loader& loader) {
    const auto done = loader.attach_device("espg0", XdpWish::dispatcher);
    ASSERT_TRUE(done) << done.error().text();
    EXPECT_EQ(done->xdp, ESPGATE_XDP_DISPATCHER);
    EXPECT_THAT(done->missing, ::testing::IsEmpty());
  }
  // Packets that ours has counted.
  static std::uint64_t counted(const Loader& loader) {
    std::uint64_t out = 0;
    for (const auto& row : loader.reader()->classes()) out += row.class_ == ESPGATE_CLASS_IKE ? row.packets : 0;
    return out;
  }
  [[nodiscard]] std::size_t pins() const {
    std::size_t out = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(bpffs))
      out += entry.path().filename().string().ends_with("-prog") ||
             entry.path().filename().string().starts_with(maps::dispatched_prefix);
    return out;
  }
};

const std::string ours = "espgate_shield";

TEST_F(DispatcherTest, BothRunWhoeverCameFirst) {
  Loader loader = open();
  expect_in(loader);
  EXPECT_THAT(names(), ::testing::ElementsAre(ours));
  Other before(first);
  ASSERT_EQ(before.status, 0);
  Other after(last);
  ASSERT_EQ(after.status, 0);
  EXPECT_THAT(names(), ::testing::ElementsAre("other", ours, "other"));
  const std::uint64_t sent = send(20);
  EXPECT_EQ(counted(loader), sent);
  EXPECT_EQ(before.seen(), sent);
  EXPECT_EQ(after.seen(), sent);
  // And it is there to be seen.
  bool shown = false;
  const auto programs = loader::programs(bpffs).value();
  for (const auto& program : programs)
    shown = shown || (program.name == ours && program.attach == "espg0 dispatcher" && program.type == "xdp");
  EXPECT_TRUE(shown);
  EXPECT_EQ(loader.attachments()[0].xdp, ESPGATE_XDP_DISPATCHER);
  // The others go as they came.
  EXPECT_EQ(before.take_out(), 0);
  EXPECT_EQ(after.take_out(), 0);
  const std::uint64_t more = send(5);
  EXPECT_EQ(counted(loader), sent + more);
}

TEST_F(DispatcherTest, WhatAnotherDropsIsNotOursToSee) {
  Other drops(first, XDP_DROP);
  Loader loader = open();
  expect_in(loader);
  const std::uint64_t sent = send(5);
  EXPECT_EQ(drops.seen(), sent);
  EXPECT_EQ(counted(loader), 0U);
}

TEST_F(DispatcherTest, RemovalLeavesTheOthers) {
  Other before(first);
  {
    Loader loader = open();
    expect_in(loader);
    EXPECT_EQ(names().size(), 2U);
    ASSERT_TRUE(loader.remove_all());
  }
  EXPECT_THAT(present(), ::testing::ElementsAre(Present{"other", before.id()}));
  EXPECT_EQ(pins(), 1U);  // the other's
  const std::uint64_t sent = send(5);
  EXPECT_EQ(before.seen(), sent);
  // Alone, the dispatcher goes, too.
  Loader loader = open();
  expect_in(loader);
  EXPECT_EQ(before.take_out(), 0);
  ASSERT_TRUE(loader.remove_all());
  EXPECT_NE(run("ip -d link show espg0 | grep -q xdp"), 0);
  EXPECT_EQ(pins(), 0U);
}

TEST_F(DispatcherTest, ARestartKeepsItAndOtherCodeIsExchanged) {
  Other before(first), after(last);
  std::uint32_t id = 0;
  {
    Loader loader = open();
    expect_in(loader);
    id = present()[1].id;
  }
  std::uint64_t sent = send(5);
  {
    Loader loader = open();
    expect_in(loader);
    EXPECT_EQ(present()[1].id, id);
    EXPECT_EQ(counted(loader), sent);
  }
  // As if what runs were of another version.
  for (int round = 0; round < 3; ++round) {
    const base::Fd program(bpf_prog_get_fd_by_id(present()[1].id));
    std::array<std::uint32_t, 32> ids{};
    bpf_prog_info info{};
    std::uint32_t octets = sizeof info;
    info.nr_map_ids = ids.size();
    info.map_ids = reinterpret_cast<std::uintptr_t>(ids.data());
    ASSERT_EQ(bpf_prog_get_info_by_fd(program.get(), &info, &octets), 0);
    for (std::uint32_t i = 0; i < info.nr_map_ids; ++i) {
      const base::Fd map(bpf_map_get_fd_by_id(ids[i]));
      bpf_map_info about{};
      octets = sizeof about;
      ASSERT_EQ(bpf_map_get_info_by_fd(map.get(), &about, &octets), 0);
      const std::uint32_t zero = 0;
      const espgate_dispatched old{1, 1, 0};
      if (std::string_view(about.name) == "shield_copy") {
        ASSERT_EQ(bpf_map_update_elem(map.get(), &zero, &old, BPF_ANY), 0);
      }
    }
    id = present()[1].id;
    std::atomic<bool> over = false;
    std::uint64_t meanwhile = 0;
    std::thread traffic([&] {
      while (!over) meanwhile += send(20, 4);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    Loader loader = open();
    expect_in(loader);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    over = true;
    traffic.join();
    sent += meanwhile;
    EXPECT_THAT(names(), ::testing::ElementsAre("other", ours, "other"));
    EXPECT_NE(present()[1].id, id);
    // A packet between the two may be nobody's, or both's.
    EXPECT_NEAR(static_cast<double>(counted(loader)), static_cast<double>(sent), 1.0 + round);
    EXPECT_EQ(before.seen(), sent);
    EXPECT_EQ(after.seen(), sent);
  }
}

TEST_F(DispatcherTest, AProgramOutsideADispatcherStaysAndIsNamed) {
  const bpf_insn pass[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  const base::Fd alien(bpf_prog_load(BPF_PROG_TYPE_XDP, "alien", "GPL", pass, 2, nullptr));
  base::Fd link(bpf_link_create(alien.get(), index_of("espg0"), BPF_XDP, nullptr));
  ASSERT_TRUE(link);
  Loader loader = open();
  const auto done = loader.attach_device("espg0", XdpWish::dispatcher);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->xdp, ESPGATE_XDP_NONE);
  EXPECT_TRUE(done->tc_ingress);
  ASSERT_EQ(done->missing.size(), 1U);
  EXPECT_THAT(done->missing[0], ::testing::AllOf(::testing::HasSubstr("\"alien\""),
                                                 ::testing::HasSubstr("not in a dispatcher of libxdp's, and stays")));
  EXPECT_EQ(run("ip -d link show espg0 | grep -q alien"), 0);
  bpf_link_detach(link.get());
  expect_in(loader);
}

TEST_F(DispatcherTest, ADispatcherIsNotEvictedByWhoDoesNotJoinIt) {
  Other before(first);
  Loader loader = open();
  for (const XdpWish wish : {XdpWish::native, XdpWish::generic}) {
    const auto done = loader.attach_device("espg0", wish);
    ASSERT_TRUE(done);
    EXPECT_EQ(done->xdp, ESPGATE_XDP_NONE);
    ASSERT_EQ(done->missing.size(), 1U);
    EXPECT_THAT(done->missing[0], ::testing::HasSubstr("ours could join it"));
    EXPECT_THAT(names(), ::testing::ElementsAre("other"));
  }
  expect_in(loader);
  // And out again, each way.
  ASSERT_TRUE(loader.attach_device("espg0", XdpWish::off));
  EXPECT_THAT(names(), ::testing::ElementsAre("other"));
  expect_in(loader);
  ASSERT_TRUE(loader.attach_device("espg0", XdpWish::native));
  EXPECT_THAT(names(), ::testing::ElementsAre("other"));
  EXPECT_EQ(before.take_out(), 0);
  EXPECT_EQ(loader.attach_device("espg0", XdpWish::native)->xdp, ESPGATE_XDP_NATIVE);
  expect_in(loader);
  EXPECT_THAT(names(), ::testing::ElementsAre(ours));
}

TEST_F(DispatcherTest, WhatACrashLeftIsFoundAgain) {
  Other before(first);
  {
    Loader loader = open();
    expect_in(loader);
  }
  run("rm -rf " + bpffs + "/espgate");  // its maps are forgotten, and it runs on
  EXPECT_EQ(names().size(), 2U);
  Loader loader = open();
  expect_in(loader);
  EXPECT_THAT(names(), ::testing::ElementsAre("other", ours));
  const std::uint64_t sent = send(5);
  EXPECT_EQ(counted(loader), sent);
  // All taken out by somebody: back with the next attach.
  xdp_multiprog* all = xdp_multiprog__get_from_ifindex(index_of("espg0"));
  ASSERT_EQ(xdp_multiprog__detach(all), 0);
  xdp_multiprog__close(all);
  expect_in(loader);
  EXPECT_THAT(names(), ::testing::ElementsAre(ours));
}

TEST_F(DispatcherTest, OfADeviceThatIsGoneNothingOfOursStays) {
  {
    Loader loader = open();
    expect_in(loader);
    run("ip link del espg0");
  }
  Loader loader = open();
  EXPECT_TRUE(loader.attachments().empty());
  EXPECT_EQ(pins(), 0U);
}

}  // namespace

}  // namespace espgate::test
