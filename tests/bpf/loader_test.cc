// SPDX-License-Identifier: Apache-2.0
// The loader on this machine's kernel: pins, restarts, devices, the ledger, and what it leaves behind.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <gmock/gmock.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include <net/if.h>

#include "base/fd.h"
#include "loader/inspect.h"
#include "loader/loader.h"
#include "maps/pins.h"
#include "tests/bpf/bpf_world.h"

namespace espgate::test {

namespace {

using loader::Loader;

// Ids of the BPF programs that descriptors of this process refer to.
std::set<std::uint32_t> programs_held() {
  std::set<std::uint32_t> out;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream text(entry.path());
    std::string word;
    std::uint32_t id = 0;
    while (text >> word)
      if (word == "prog_id:" && text >> id) out.insert(id);
  }
  return out;
}

maps::SaRecord record(std::uint32_t spi = 0x1234) {
  maps::SaRecord sa;
  sa.child.value = 7;
  sa.conn = "site-a";
  sa.child_name = "net";
  sa.uid = base::ChildUid::of(sa.conn, sa.child_name);
  sa.direction = base::Direction::out;
  sa.spi.value = spi;
  sa.src = *base::Address::parse("192.0.2.1");
  sa.dst = *base::Address::parse("192.0.2.2");
  sa.wanted = base::OffloadWanted::automatic;
  sa.set_suite({});
  return sa;
}

class LoaderTest : public BpfTest {
 protected:
  loader::Options options(std::uint32_t slots = 32) const {
    loader::Options out;
    out.bpffs = bpffs;
    out.max_slots = slots;
    return out;
  }
  Loader open(std::uint32_t slots = 32) const {
    auto opened = Loader::open(options(slots));
    EXPECT_TRUE(opened) << opened.error().text();
    return std::move(*opened);
  }
  std::size_t pins() const {
    const auto directory = maps::pin_directory(bpffs);
    if (!std::filesystem::exists(directory)) return 0;
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(directory), std::filesystem::directory_iterator()));
  }
  // Counts as a BPF program would, into the cell of CPU 0.
  void count(std::uint32_t slot, std::uint32_t generation, std::uint64_t hw, std::uint64_t sw) const {
    const base::Fd map(bpf_obj_get(maps::map_pin(bpffs, "counters").c_str()));
    espgate_cell cell{};
    cell.generation = generation;
    cell.hw_packets = hw;
    cell.hw_bytes = 100 * hw;
    cell.offered_packets = hw;
    cell.offered_bytes = 100 * hw;
    cell.sw_packets = sw;
    cell.sw_bytes = 100 * sw;
    cell.fallback[ESPGATE_FB_NOT_HELD] = sw;
    ASSERT_EQ(bpf_map_update_elem(map.get(), &slot, &cell, BPF_ANY), 0);
  }
};

TEST_F(LoaderTest, CountsAndLedgerSurviveARestart) {
  std::uint32_t generation = 0;
  {
    Loader first = open();
    EXPECT_FALSE(first.capabilities().reused);
    generation = first.assign(5, record()).value();
    ASSERT_TRUE(first.put_policy(9, maps::PolicyRecord{}));
    count(5, generation, 10, 3);
  }
  Loader second = open();
  EXPECT_TRUE(second.capabilities().reused);
  const auto row = second.reader()->sa(5);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->generation, generation);
  EXPECT_EQ(row->counts.hw_packets, 10U);
  EXPECT_EQ(row->counts.sw_packets, 3U);
  EXPECT_EQ(row->sa.conn, "site-a");
  EXPECT_EQ(row->sa.spi.value, 0x1234U);
  EXPECT_EQ(second.sas().size(), 1U);
  EXPECT_EQ(second.policies().count(9), 1U);
}

TEST_F(LoaderTest, ASlotCountsFromZeroForItsNextOwner) {
  Loader loader = open();
  const std::uint32_t first = loader.assign(1, record()).value();
  count(1, first, 4, 0);
  EXPECT_EQ(loader.assign(1, record()).error().code, EBUSY);
  ASSERT_TRUE(loader.release(1));
  EXPECT_EQ(loader.release(1).error().code, ENOENT);
  const std::uint32_t second = loader.assign(1, record(0x5678)).value();
  EXPECT_EQ(second, first + 1);
  EXPECT_EQ(loader.reader()->counts(1, second), maps::Counts{});
  EXPECT_EQ(loader.assign(32, record()).error().code, ENOSPC);
}

TEST_F(LoaderTest, ReleasedCountsAreFoldedOnceEvenAfterACrash) {
  {
    Loader loader = open();
    const std::uint32_t generation = loader.assign(2, record()).value();
    count(2, generation, 6, 1);
    ASSERT_TRUE(loader.release(2));
    // As if it had been killed between the fold and freeing the slot.
    const base::Fd map(bpf_obj_get(maps::map_pin(bpffs, "sa_dir").c_str()));
    const std::uint32_t slot = 2;
    espgate_sa_entry entry{};
    ASSERT_EQ(bpf_map_lookup_elem(map.get(), &slot, &entry), 0);
    entry.in_use = 1;
    ASSERT_EQ(bpf_map_update_elem(map.get(), &slot, &entry, BPF_ANY), 0);
  }
  Loader loader = open();
  EXPECT_TRUE(loader.sas().empty());
  ASSERT_TRUE(loader.assign(2, record()));
  ASSERT_TRUE(loader.release(2));
  const auto totals = loader.reader()->totals();
  ASSERT_EQ(totals.size(), 1U);
  EXPECT_EQ(totals[0].conn, "site-a");
  EXPECT_EQ(totals[0].folded[1].hw_packets, 6U);
  EXPECT_EQ(totals[0].folded[1].fallback[ESPGATE_FB_NOT_HELD], 1U);
  EXPECT_EQ(totals[0].folded[0], maps::Counts{});
  EXPECT_EQ(totals[0].sas[1], 2U);
}

TEST_F(LoaderTest, TheIndexSaysWhatTheHashSays) {
  const auto indexed = [&](std::uint32_t slot) {
    const base::Fd map(bpf_obj_get(maps::map_pin(bpffs, "sa_index").c_str()));
    espgate_sa_index out{};
    EXPECT_EQ(bpf_map_lookup_elem(map.get(), &slot, &out), 0);
    return out;
  };
  Loader loader = open();
  const std::uint32_t generation = loader.assign(6, record()).value();
  const espgate_sa_index assigned = indexed(6);
  EXPECT_EQ(ntohl(assigned.key.spi), 0x1234U);
  EXPECT_EQ(assigned.value.slot, 6U);
  EXPECT_EQ(assigned.value.generation, generation);
  const base::Fd hash(bpf_obj_get(maps::map_pin(bpffs, "sa_slot").c_str()));
  espgate_sa_value value{};
  ASSERT_EQ(bpf_map_lookup_elem(hash.get(), &assigned.key, &value), 0);
  EXPECT_EQ(std::memcmp(&value, &assigned.value, sizeof value), 0);
  ASSERT_TRUE(loader.release(6));
  const espgate_sa_index none{}, released = indexed(6);
  EXPECT_EQ(std::memcmp(&none, &released, sizeof none), 0);
}

TEST_F(LoaderTest, UpdateKeepsTheIdentity) {
  Loader loader = open();
  ASSERT_TRUE(loader.assign(3, record()));
  maps::SaRecord sa = record();
  sa.actual = base::OffloadActual::none;
  sa.reason_code = "unsupported";
  sa.reason = std::string(500, 'x');
  ASSERT_TRUE(loader.update(3, sa));
  EXPECT_EQ(loader.sas()[0].sa.reason_code, "unsupported");
  EXPECT_EQ(loader.sas()[0].sa.reason.size(), 191U);
  EXPECT_EQ(loader.update(3, record(0x9999)).error().code, EINVAL);
  EXPECT_EQ(loader.update(4, sa).error().code, ENOENT);
}

TEST_F(LoaderTest, AttachesToADeviceAndRemovesEverything) {
  run("ip link add espg0 type veth peer name espg1 && ip link set espg0 up && ip link set espg1 up");
  Loader loader = open();
  const auto done = loader.attach_device("espg0");
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(done->xdp, ESPGATE_XDP_NATIVE);
  EXPECT_TRUE(done->tc_ingress && done->tc_egress);
  EXPECT_THAT(done->missing, ::testing::IsEmpty());
  EXPECT_EQ(loader.attach_device("nosuch0").error().code, ENODEV);
  const auto programs = loader::programs(bpffs);
  ASSERT_TRUE(programs);
  EXPECT_GE(programs->size(), 3U);
  EXPECT_EQ(loader::map_infos(bpffs).value().size(), std::size(maps::map_names));
  ASSERT_TRUE(loader.remove_all());
  EXPECT_EQ(pins(), 0U);
  // The kernel lets go of a link a moment after its last reference.
  EXPECT_EQ(
      run("for i in 1 2 3 4 5 6 7 8 9 10; do ip -d link show espg0 | grep -q xdp || exit 0; sleep 0.3; done; exit 1"),
      0);
}

TEST_F(LoaderTest, DevicesAreRenewedOrForgottenAfterARestart) {
  run("ip link add espg0 type veth peer name espg1 && ip link set espg0 up && ip link set espg1 up");
  std::uint32_t before = 0;
  {
    Loader loader = open();
    ASSERT_TRUE(loader.attach_device("espg0"));
    before = loader::programs(bpffs).value()[0].id;
  }
  {
    Loader loader = open();
    EXPECT_EQ(loader.attachments().size(), 1U);
    // The same code over the same maps goes on undisturbed.
    bool kept = false;
    const auto programs = loader::programs(bpffs).value();
    for (const auto& program : programs) kept = kept || program.id == before;
    EXPECT_TRUE(kept);
    // No second copy of what runs stays in the kernel with us.
    const auto held = programs_held();
    for (const auto& program : programs) EXPECT_EQ(held.count(program.id), 1U) << program.name;
  }
  run("ip link del espg0");
  Loader loader = open();
  EXPECT_TRUE(loader.attachments().empty());
}

TEST_F(LoaderTest, SomebodyElsesXdpProgramStays) {
  run("ip link add espg0 type veth peer name espg1 && ip link set espg0 up && ip link set espg1 up");
  const bpf_insn pass[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  const base::Fd other(bpf_prog_load(BPF_PROG_TYPE_XDP, "other", "GPL", pass, 2, nullptr));
  ASSERT_TRUE(other);
  Loader loader = open();
  const base::Fd link(bpf_link_create(other.get(), static_cast<int>(if_nametoindex("espg0")), BPF_XDP, nullptr));
  ASSERT_TRUE(link);
  const auto done = loader.attach_device("espg0");
  ASSERT_TRUE(done);
  EXPECT_EQ(done->xdp, ESPGATE_XDP_NONE);
  ASSERT_EQ(done->missing.size(), 1U);
  EXPECT_THAT(done->missing[0], ::testing::HasSubstr("\"other\""));
}

TEST_F(LoaderTest, GenericXdpWithItsHookOrNotAtAll) {
  run("ip link add espg0 type veth peer name espg1 && ip link set espg0 up && ip link set espg1 up");
  auto is_there = [](const std::string& mode) { return run("ip link show espg0 | grep -q '" + mode + " '") == 0; };
  Loader loader = open();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(loader.attach_device("espg0")->xdp, ESPGATE_XDP_NATIVE);
    EXPECT_TRUE(is_there("xdp"));
    const auto done = loader.attach_device("espg0", loader::XdpWish::generic);
    ASSERT_TRUE(done);
    EXPECT_TRUE(done->tc_ingress);
    if (done->xdp == ESPGATE_XDP_GENERIC) {
      EXPECT_THAT(done->missing, ::testing::IsEmpty());
      EXPECT_TRUE(is_there("xdpgeneric"));
    } else {
      EXPECT_EQ(done->xdp, ESPGATE_XDP_NONE);
      EXPECT_THAT(done->missing, ::testing::ElementsAre(::testing::HasSubstr("no hook before generic XDP")));
      EXPECT_FALSE(is_there("xdpgeneric") || is_there("xdp"));
    }
  }
  EXPECT_EQ(loader.attach_device("espg0", loader::XdpWish::off)->xdp, ESPGATE_XDP_NONE);
  EXPECT_FALSE(is_there("xdpgeneric") || is_there("xdp"));
}

TEST_F(LoaderTest, AnotherLayoutIsReplacedAndSaid) {
  {
    open();
  }
  {
    const base::Fd meta(bpf_obj_get(maps::map_pin(bpffs, "meta").c_str()));
    const std::uint32_t zero = 0;
    const espgate_meta old{ESPGATE_ABI_VERSION + 1, 32, 64, 1, 0, 0, 1, {}};
    ASSERT_EQ(bpf_map_update_elem(meta.get(), &zero, &old, BPF_ANY), 0);
  }
  EXPECT_EQ(maps::Reader::open(bpffs).error().code, EPROTO);
  const Loader loader = open();
  EXPECT_FALSE(loader.capabilities().reused);
  EXPECT_THAT(loader.capabilities().missing, ::testing::Contains(::testing::HasSubstr("another layout")));
}

TEST_F(LoaderTest, OneAtATimeAndAFixedNumberOfSlots) {
  {
    const Loader first = open();
    const auto second = Loader::open(options());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, EBUSY);
  }
  EXPECT_EQ(open(64).max_slots(), 32U);
}

TEST_F(LoaderTest, WithoutABpffsItKeepsNothingAndSaysSo) {
  loader::Options without = options();
  without.bpffs = "/tmp";
  auto loader = Loader::open(without);
  ASSERT_TRUE(loader);
  EXPECT_FALSE(loader->capabilities().accounting);
  ASSERT_EQ(loader->capabilities().missing.size(), 1U);
  EXPECT_TRUE(loader->assign(0, record()));
  EXPECT_TRUE(loader->release(0));
  EXPECT_EQ(loader->reader(), nullptr);
  EXPECT_EQ(maps::Reader::open("/tmp").error().code, ENOENT);
}

TEST(Record, PolicySurvivesTheLayout) {
  maps::PolicyRecord policy;
  policy.kind = maps::PolicyKind::bypass;
  policy.dir = maps::PolicyDir::fwd;
  policy.netns = 5;
  policy.src = *base::Prefix::parse("2001:db8::/32");
  policy.dst = *base::Prefix::parse("2001:db8:1::1");
  policy.proto = 58;
  policy.src_port = 135;
  policy.src_port_mask = 0xffff;
  policy.priority = 77;
  policy.conn = "a";
  EXPECT_EQ(maps::from_abi(maps::to_abi(policy)), policy);
}

}  // namespace

}  // namespace espgate::test
