// SPDX-License-Identifier: Apache-2.0
// What an earlier version left pinned goes on: its counts, its ledger, and the counting itself while programs are
// exchanged. And two gateways on one host, and what removal leaves.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <set>
#include <thread>

#include "base/fd.h"
#include "loader/inspect.h"
#include "loader/loader.h"
#include "maps/pins.h"
#include "tests/bpf/bpf_world.h"
#include "tests/bpf/packet.h"

namespace espgate::test {

namespace {

using loader::Loader;

maps::SaRecord record(std::uint32_t spi, const char* conn) {
  maps::SaRecord sa;
  sa.conn = conn;
  sa.child_name = "net";
  sa.uid = base::ChildUid::of(sa.conn, sa.child_name);
  sa.direction = base::Direction::in;
  sa.spi.value = spi;
  sa.src = *base::Address::parse("192.0.2.1");
  sa.dst = *base::Address::parse("192.0.2.2");
  sa.set_suite({});
  return sa;
}

Loader open_at(const std::string& bpffs) {
  loader::Options options;
  options.bpffs = bpffs;
  options.max_slots = 32;
  auto opened = Loader::open(options);
  EXPECT_TRUE(opened) << opened.error().text();
  return std::move(*opened);
}

base::Fd pinned(const std::string& bpffs, const std::string& name) {
  return base::Fd(bpf_obj_get(maps::map_pin(bpffs, name).c_str()));
}

// Packets of a class that a device has seen.
std::uint64_t seen(const Loader& loader, unsigned class_) {
  std::uint64_t out = 0;
  for (const auto& row : loader.reader()->classes()) out += row.class_ == class_ ? row.packets : 0;
  return out;
}

// A pair of devices that say nothing by themselves.
void make_devices() {
  run("ip link add espg0 type veth peer name espg1 && for d in espg0 espg1; do "
      "ip link set $d addrgenmode none arp off multicast off && ip link set $d up; done");
}

// Sends so many frames by a device, no faster than a ring of veth takes them; how many went.
std::uint64_t send(const char* device, Packet packet, int bursts) {
  const base::Fd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(if_nametoindex(device));
  const base::Bytes frame = packet.bytes();
  std::uint64_t sent = 0;
  for (int burst = 0; burst < bursts; ++burst) {
    for (int i = 0; i < 16; ++i)
      if (::sendto(socket.get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) > 0)
        ++sent;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return sent;
}

Packet ike() {
  Packet out;
  out.ipv4("192.0.2.1", "192.0.2.2", 17).udp(500, 500).zeros(64);
  return out;
}

class UpgradeTest : public BpfTest {
 protected:
  // Counts as a BPF program would, into the cell of CPU 0.
  void count(std::uint32_t slot, std::uint32_t generation, std::uint64_t packets) const {
    espgate_cell cell{};
    cell.generation = generation;
    cell.sw_packets = packets;
    cell.sw_bytes = 100 * packets;
    ASSERT_EQ(bpf_map_update_elem(pinned(bpffs, "counters").get(), &slot, &cell, BPF_ANY), 0);
  }
  void put_version(std::uint32_t version) const {
    const base::Fd map = pinned(bpffs, "meta");
    const std::uint32_t zero = 0;
    espgate_meta meta{};
    ASSERT_EQ(bpf_map_lookup_elem(map.get(), &zero, &meta), 0);
    meta.abi_version = version;
    ASSERT_EQ(bpf_map_update_elem(map.get(), &zero, &meta, BPF_ANY), 0);
  }
  // In the place of a pinned map one with entries of so many octets, without flags; arrays keep what they held.
  void replace(const std::string& name, bpf_map_type type, std::uint32_t value_octets) const {
    const base::Fd old = pinned(bpffs, name);
    bpf_map_info info{};
    std::uint32_t octets = sizeof info;
    ASSERT_EQ(bpf_map_get_info_by_fd(old.get(), &info, &octets), 0);
    const base::Fd map(bpf_map_create(type, info.name, info.key_size, value_octets, info.max_entries, nullptr));
    std::vector<std::uint8_t> value(std::max(value_octets, info.value_size));
    for (std::uint32_t i = 0; type == BPF_MAP_TYPE_ARRAY && i < info.max_entries; ++i) {
      ASSERT_EQ(bpf_map_lookup_elem(old.get(), &i, value.data()), 0);
      ASSERT_EQ(bpf_map_update_elem(map.get(), &i, value.data(), BPF_ANY), 0);
    }
    ASSERT_EQ(::unlink(maps::map_pin(bpffs, name).c_str()), 0);
    ASSERT_EQ(bpf_obj_pin(map.get(), maps::map_pin(bpffs, name).c_str()), 0);
  }
  // What version 2 had pinned, of what a run of ours has: no index, no tables, sa_dir not to be mapped into memory.
  void go_back_to_version_2() const {
    const std::set<std::string> had{"meta",   "sa_slot",    "counters",    "classes", "flows",
                                    "sa_dir", "policy_dir", "child_total", "devices"};
    for (const char* name : maps::map_names)
      if (!had.contains(name)) ::unlink(maps::map_pin(bpffs, name).c_str());
    replace("sa_dir", BPF_MAP_TYPE_ARRAY, sizeof(espgate_sa_entry));
    put_version(2);
  }
};

TEST_F(UpgradeTest, CountsOfTheVersionBeforeGoOn) {
  std::uint32_t generation = 0;
  {
    Loader before = open_at(bpffs);
    generation = before.assign(3, record(0x1111, "stays")).value();
    count(3, generation, 40);
    const std::uint32_t other = before.assign(4, record(0x2222, "goes")).value();
    count(4, other, 7);
    ASSERT_TRUE(before.release(4));
    ASSERT_TRUE(before.put_policy(5, maps::PolicyRecord{}));
  }
  go_back_to_version_2();
  EXPECT_EQ(maps::Reader::open(bpffs).error().code, EPROTO);
  Loader after = open_at(bpffs);
  EXPECT_TRUE(after.capabilities().reused);
  EXPECT_EQ(after.capabilities().migrated_from, 2U);
  EXPECT_EQ(after.reader()->meta().abi_version, std::uint32_t{ESPGATE_ABI_VERSION});
  const auto row = after.reader()->sa(3);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->sa.conn, "stays");
  EXPECT_EQ(row->generation, generation);
  EXPECT_EQ(row->counts.sw_packets, 40U);
  EXPECT_EQ(after.policies().count(5), 1U);
  const auto totals = after.reader()->totals();
  ASSERT_EQ(totals.size(), 1U);
  EXPECT_EQ(totals[0].folded[0].sw_packets, 7U);
  const std::uint32_t slot = 3;
  espgate_sa_index index{};
  ASSERT_EQ(bpf_map_lookup_elem(pinned(bpffs, "sa_index").get(), &slot, &index), 0);
  EXPECT_EQ(ntohl(index.key.spi), 0x1111U) << "new in this version";
  // A slot's generation never goes back, or its next owner would begin with the last one's counts.
  EXPECT_EQ(after.assign(4, record(0x3333, "goes")).value(), 2U);
}

TEST_F(UpgradeTest, AnotherShapeIsRefusedInASentenceThatNamesIt) {
  {
    open_at(bpffs);
  }
  go_back_to_version_2();
  replace("child_total", BPF_MAP_TYPE_HASH, 8);
  const Loader loader = open_at(bpffs);
  EXPECT_FALSE(loader.capabilities().reused);
  EXPECT_THAT(loader.capabilities().missing,
              ::testing::Contains(
                  ::testing::AllOf(::testing::HasSubstr("child_total"), ::testing::HasSubstr("counters begin anew"))));
}

// Stands in for an earlier version's shield: counts everything in a map of its own.
base::Fd load_older(int map) {
  const bpf_insn code[] = {
      {BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, 0},
      {BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0},
      {BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -4},
      {BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map},
      {0, 0, 0, 0, 0},
      {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem},
      {BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 2, 0},
      {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, 1},
      {BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_0, BPF_REG_1, 0, BPF_ADD},
      {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_PASS},
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
  };
  LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_XDP);
  return base::Fd(bpf_prog_load(BPF_PROG_TYPE_XDP, "older", "GPL", code, std::size(code), &options));
}

// Until it is so, however slow the machine; the caller says what is wrong if it never was.
template <typename Condition>
void wait_until(Condition holds) {
  for (int tries = 0; tries < 600 && !holds(); ++tries) std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

TEST_F(UpgradeTest, NoPacketIsMissedWhileProgramsAreExchanged) {
  make_devices();
  const base::Fd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "older", 4, 8, 1, nullptr));
  const base::Fd older = load_older(map.get());
  ASSERT_TRUE(older) << errno;
  {
    Loader before = open_at(bpffs);
    ASSERT_TRUE(before.attach_device("espg0"));
    const base::Fd link = pinned(bpffs, "link_shield_" + std::to_string(if_nametoindex("espg0")));
    ASSERT_EQ(bpf_link_update(link.get(), older.get(), nullptr), 0);
  }
  const auto seen_by_older = [&map] {
    const std::uint32_t zero = 0;
    std::uint64_t out = 0;
    EXPECT_EQ(bpf_map_lookup_elem(map.get(), &zero, &out), 0);
    return out;
  };
  std::uint64_t sent = 0;
  std::atomic<bool> over = false;
  std::thread traffic([&] {
    while (!over) sent += send("espg1", ike(), 20);
  });
  wait_until([&] { return seen_by_older() > 100; });
  const Loader after = open_at(bpffs);
  wait_until([&] { return seen(after, ESPGATE_CLASS_IKE) > 100; });
  over = true;
  traffic.join();
  wait_until([&] { return seen_by_older() + seen(after, ESPGATE_CLASS_IKE) >= sent; });
  const std::uint64_t by_older = seen_by_older(), by_ours = seen(after, ESPGATE_CLASS_IKE);
  EXPECT_GT(by_older, 0U) << "exchanged before there were packets";
  EXPECT_GT(by_ours, 0U) << "exchanged after the last packet";
  EXPECT_EQ(by_older + by_ours, sent);
}

TEST_F(UpgradeTest, TwoGatewaysInTwoNamespacesCountTheirOwn) {
  const std::string one = bpffs + "/one", two = bpffs + "/two";
  std::filesystem::create_directory(one);
  std::filesystem::create_directory(two);
  make_devices();
  Packet esp;
  esp.ipv4("192.0.2.1", "192.0.2.2", 50).esp(0x1111);
  Loader first = open_at(one);
  ASSERT_TRUE(first.assign(0, record(0x1111, "first")));
  ASSERT_TRUE(first.attach_device("espg0"));
  // The same SA, devices of the same names, in the same slot.
  std::thread([&] {
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    make_devices();
    Loader second = open_at(two);
    ASSERT_TRUE(second.assign(0, record(0x1111, "second")));
    ASSERT_TRUE(second.attach_device("espg0"));
    EXPECT_EQ(Loader::open({.bpffs = one}).error().code, EBUSY);
    EXPECT_EQ(send("espg1", esp, 2), 32U);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(seen(second, ESPGATE_CLASS_ESP), 32U);
    EXPECT_EQ(seen(first, ESPGATE_CLASS_ESP), 0U);
    // Of a second SA only its own gateway knows.
    ASSERT_TRUE(first.assign(1, record(0x2222, "first")));
    Packet other;
    other.ipv4("192.0.2.1", "192.0.2.2", 50).esp(0x2222);
    EXPECT_EQ(send("espg1", other, 1), 16U);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(seen(second, ESPGATE_CLASS_UNKNOWN_SPI), 16U);
    EXPECT_TRUE(second.remove_all());
  }).join();
  EXPECT_EQ(first.reader()->sas().size(), 1U + 1U);
  EXPECT_FALSE(std::filesystem::exists(two + "/espgate"));
  EXPECT_TRUE(first.remove_all());
}

// Everything of a loader's in the kernel, by kind and id.
using Ids = std::set<std::pair<char, std::uint32_t>>;

void add_program(std::uint32_t id, Ids& to) {
  const base::Fd program(bpf_prog_get_fd_by_id(id));
  std::uint32_t maps[32] = {};
  bpf_prog_info info{};
  info.nr_map_ids = std::size(maps);
  info.map_ids = reinterpret_cast<std::uintptr_t>(maps);
  std::uint32_t octets = sizeof info;
  if (!program || bpf_prog_get_info_by_fd(program.get(), &info, &octets) != 0) return;
  to.emplace('p', id);
  for (std::uint32_t i = 0; i < info.nr_map_ids; ++i) to.emplace('m', maps[i]);
}

Ids ids_of(const std::string& bpffs) {
  Ids out;
  for (const auto& entry : std::filesystem::directory_iterator(maps::pin_directory(bpffs))) {
    const base::Fd fd(bpf_obj_get(entry.path().c_str()));
    if (entry.path().filename().string().starts_with(maps::link_prefix)) {
      bpf_link_info info{};
      std::uint32_t octets = sizeof info;
      EXPECT_EQ(bpf_link_get_info_by_fd(fd.get(), &info, &octets), 0);
      out.emplace('l', info.id);
      add_program(info.prog_id, out);
      continue;
    }
    bpf_map_info info{};
    std::uint32_t octets = sizeof info, zero = 0, program = 0;
    EXPECT_EQ(bpf_map_get_info_by_fd(fd.get(), &info, &octets), 0);
    out.emplace('m', info.id);
    if (info.type == BPF_MAP_TYPE_PROG_ARRAY && bpf_map_lookup_elem(fd.get(), &zero, &program) == 0)
      add_program(program, out);
  }
  return out;
}

// Looked for without a reference to any of them: one taken and given back while the kernel empties a program array
// makes it keep the array for ever (6.18, kernel/bpf/arraymap.c: prog_array_map_clear).
Ids left_of(const Ids& ids) {
  Ids out;
  for (const auto& [kind, id] : ids) {
    std::uint32_t next = 0;
    const int status = kind == 'p'   ? bpf_prog_get_next_id(id - 1, &next)
                       : kind == 'm' ? bpf_map_get_next_id(id - 1, &next)
                                     : bpf_link_get_next_id(id - 1, &next);
    if (status == 0 && next == id) out.emplace(kind, id);
  }
  return out;
}

TEST_F(UpgradeTest, RemovalLeavesNothingInTheKernel) {
  make_devices();
  Ids ours;
  {
    Loader loader = open_at(bpffs);
    ASSERT_TRUE(loader.attach_device("espg0"));
    ours = ids_of(bpffs);
    EXPECT_GT(ours.size(), std::size(maps::map_names) + 6);
    EXPECT_EQ(left_of(ours), ours);
    ASSERT_TRUE(loader.remove_all());
  }
  // The kernel lets go a moment after the last reference.
  for (int tries = 0; tries < 50 && !left_of(ours).empty(); ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(left_of(ours), Ids{});
}

}  // namespace

}  // namespace espgate::test
