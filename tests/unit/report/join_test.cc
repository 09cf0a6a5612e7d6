// SPDX-License-Identifier: Apache-2.0
// Maps, kernel and daemon joined; each of them may be missing.
#include <gmock/gmock.h>

#include "control/report/collect.h"

namespace espgate::control::report {
namespace {

constexpr std::uint64_t kOurNetns = 77;

maps::SaRow sa(std::uint32_t slot, std::uint64_t child, base::Direction direction, std::uint32_t spi) {
  maps::SaRow row;
  row.slot = slot;
  row.generation = 3;
  row.exact = true;
  row.sa.child = {child};
  row.sa.conn = "site-a";
  row.sa.child_name = "net";
  row.sa.uid = base::ChildUid::of("site-a", "net");
  row.sa.netns = kOurNetns;
  row.sa.direction = direction;
  row.sa.spi = {spi};
  const auto ours = *base::Address::parse("192.0.2.1");
  const auto peer = *base::Address::parse("192.0.2.2");
  row.sa.src = direction == base::Direction::in ? peer : ours;
  row.sa.dst = direction == base::Direction::in ? ours : peer;
  row.sa.suite = "aes128gcm16-esn";
  row.sa.esn = true;
  row.sa.wanted = base::OffloadWanted::automatic;
  row.sa.actual = base::OffloadActual::crypto;
  row.sa.device = "nic0";
  row.sa.installed_at = 1790000000 + static_cast<std::int64_t>(child);
  row.counts.hw_packets = 10 * slot;
  row.counts.hw_bytes = 1000 * slot;
  return row;
}

MapsView one_child() {
  MapsView view;
  view.sas = {sa(1, 5, base::Direction::in, 0x1001), sa(2, 5, base::Direction::out, 0x1002)};
  return view;
}

KernelView kernel_of(const MapsView& maps) {
  KernelView kernel{kOurNetns, {}};
  for (const auto& row : maps.sas) {
    xfrm::SaState state;
    state.id = {row.sa.dst, row.sa.spi};
    state.packets = 7;
    state.bytes = 700;
    state.integrity_errors = 1;
    state.replay_errors = 2;
    state.window_errors = 3;
    kernel.sas.push_back(state);
  }
  return kernel;
}

TEST(Join, MapsAlone) {
  const MapsView maps = one_child();
  const Report report = join(&maps, nullptr, std::nullopt);
  ASSERT_EQ(report.sas.rows.size(), 1U);
  const ChildRow& row = report.sas.rows[0];
  EXPECT_EQ(row.suite, "aes128gcm16");
  EXPECT_TRUE(row.esn);
  ASSERT_TRUE(row.in && row.out);
  EXPECT_EQ(row.in->spi.value, 0x1001U);
  EXPECT_EQ(row.in->hw, (Count{10, 1000}));
  EXPECT_EQ(row.out->device, "nic0");
  EXPECT_FALSE(row.in->kernel);
  EXPECT_FALSE(row.unique_id);
  EXPECT_FALSE(row.state);
  EXPECT_TRUE(row.up());
  EXPECT_FALSE(report.daemon);
}

// A slot that was free again may come before the one that the older generation still has.
TEST(Join, OfGenerationsOfOneSecondTheNewestIsLast) {
  MapsView maps;
  maps.sas = {sa(1, 6, base::Direction::in, 0x1003), sa(2, 6, base::Direction::out, 0x1004),
              sa(3, 5, base::Direction::out, 0x1002)};
  maps.sas[2].sa.installed_at = maps.sas[0].sa.installed_at;
  const Report report = join(&maps, nullptr, std::nullopt);
  ASSERT_EQ(report.sas.rows.size(), 2U);
  EXPECT_FALSE(report.sas.rows[0].in);
  ASSERT_TRUE(report.sas.rows[1].in);
  EXPECT_EQ(report.sas.rows[1].in->spi.value, 0x1003U);
}

TEST(Join, TheKernelGivesItsCountsAndSaysWhatIsGone) {
  const MapsView maps = one_child();
  KernelView kernel = kernel_of(maps);
  kernel.sas.pop_back();
  const Report report = join(&maps, &kernel, std::nullopt);
  const ChildRow& row = report.sas.rows.at(0);
  EXPECT_EQ(row.in->kernel, (Count{7, 700}));
  EXPECT_EQ(row.in->errors.integrity, 1U);
  EXPECT_EQ(row.in->errors.replay, 5U);
  EXPECT_TRUE(row.in->in_kernel);
  EXPECT_FALSE(row.out->in_kernel);
  EXPECT_FALSE(row.up());
}

TEST(Join, AnotherNamespacesSasAreNotHeldAgainstThem) {
  MapsView maps = one_child();
  for (auto& row : maps.sas) row.sa.netns = kOurNetns + 1;
  const KernelView kernel{kOurNetns, {}};
  const Report report = join(&maps, &kernel, std::nullopt);
  EXPECT_TRUE(report.sas.rows.at(0).up());
  EXPECT_FALSE(report.sas.rows.at(0).in->kernel);
}

TEST(Join, OutboundPacketModeIsCountedByTheDriver) {
  MapsView maps = one_child();
  for (auto& row : maps.sas) {
    row.sa.actual = base::OffloadActual::packet;
    row.counts = {};
  }
  const KernelView kernel = kernel_of(maps);
  const Report report = join(&maps, &kernel, std::nullopt);
  EXPECT_EQ(report.sas.rows.at(0).out->hw, (Count{7, 700}));
  EXPECT_FALSE(report.sas.rows.at(0).out->exact);
}

TEST(Join, TheDaemonIsJoinedBySpiNotByNameAlone) {
  MapsView maps = one_child();
  maps.sas.push_back(sa(3, 6, base::Direction::in, 0x2001));
  maps.sas.push_back(sa(4, 6, base::Direction::out, 0x2002));
  DaemonView daemon;
  DaemonChild known;
  known.row.conn = "site-a";
  known.row.child = "net";
  known.row.unique_id = 42;
  known.row.state = "INSTALLED";
  known.row.established_at = 1790000006;
  known.spi_in = base::Spi{0x2001};
  daemon.children = {known};
  const Report report = join(&maps, nullptr, daemon);
  ASSERT_EQ(report.sas.rows.size(), 2U);  // older first
  EXPECT_FALSE(report.sas.rows[0].unique_id);
  EXPECT_EQ(report.sas.rows[1].unique_id, 42U);
  EXPECT_EQ(report.sas.rows[1].state, "INSTALLED");
  EXPECT_EQ(report.sas.rows[1].in->hw.packets, 30U);  // the maps' counts stand
}

TEST(Join, WithoutMapsTheDaemonsRowsAreShown) {
  DaemonView daemon;
  DaemonChild known;
  known.row.conn = "site-a";
  known.row.in = Side{};
  daemon.children = {known};
  const Report report = join(nullptr, nullptr, daemon);
  ASSERT_EQ(report.sas.rows.size(), 1U);
  EXPECT_EQ(report.sas.rows[0].conn, "site-a");
  EXPECT_TRUE(report.totals.empty());
}

TEST(Join, ADeviceThatDoesNotHoldTheSaIsNotItsDevice) {
  MapsView maps = one_child();
  for (auto& row : maps.sas) row.sa.actual = base::OffloadActual::none;
  const Report report = join(&maps, nullptr, std::nullopt);
  EXPECT_EQ(report.sas.rows.at(0).in->device, "");
}

maps::ChildTotal folded(std::uint64_t packets) {
  maps::ChildTotal total;
  total.uid = base::ChildUid::of("site-a", "net");
  total.conn = "site-a";
  total.child = "net";
  total.folded[0].hw_packets = packets;
  total.folded[0].sw_packets = 1;
  total.folded[1].fallback[ESPGATE_FB_FEATURE_OFF] = 9;
  total.device = "nic0";
  return total;
}

TEST(Join, TotalsAreWhatWasFoldedAndWhatIsLive) {
  MapsView maps = one_child();
  maps.totals = {folded(100)};
  const Report report = join(&maps, nullptr, std::nullopt);
  ASSERT_EQ(report.totals.size(), 1U);
  EXPECT_EQ(report.totals[0].hw[0].packets, 110U);
  EXPECT_EQ(report.totals[0].sw[0].packets, 1U);
  EXPECT_EQ(report.totals[0].hw[1].packets, 20U);
}

TEST(Join, TotalsHaveWhatTheDriverCountsInPacketMode) {
  MapsView maps = one_child();
  maps.totals = {folded(100)};
  for (auto& row : maps.sas) {
    row.sa.actual = base::OffloadActual::packet;
    row.counts = {};
  }
  const KernelView kernel = kernel_of(maps);
  EXPECT_EQ(join(&maps, &kernel, std::nullopt).totals.at(0).hw[0], (Count{107, 700}));
  EXPECT_EQ(join(&maps, nullptr, std::nullopt).totals.at(0).hw[0].packets, 100U);
}

TEST(Join, AnSaThatWasFoldedAndNotYetReleasedCountsOnce) {
  MapsView maps = one_child();
  maps.totals = {folded(100)};
  maps.totals[0].last_slot[0] = 1;
  maps.totals[0].last_generation[0] = 3;
  EXPECT_EQ(join(&maps, nullptr, std::nullopt).totals.at(0).hw[0].packets, 100U);
  maps.totals[0].last_generation[0] = 2;  // an earlier SA of that slot
  EXPECT_EQ(join(&maps, nullptr, std::nullopt).totals.at(0).hw[0].packets, 110U);
}

TEST(Join, FallbacksByDeviceAndReasonWithoutThoseNobodyWantedInHardware) {
  MapsView maps = one_child();
  maps.totals = {folded(0)};
  maps.sas[1].counts.fallback[ESPGATE_FB_FEATURE_OFF] = 4;
  maps.sas[1].counts.fallback[ESPGATE_FB_NONE_WANTED] = 1000;
  const Report report = join(&maps, nullptr, std::nullopt);
  ASSERT_EQ(report.fallbacks.size(), 1U);
  EXPECT_EQ(report.fallbacks[0].device, "nic0");
  EXPECT_EQ(report.fallbacks[0].reason, maps::fallback_code(ESPGATE_FB_FEATURE_OFF));
  EXPECT_EQ(report.fallbacks[0].packets, 13U);
  maps.sas.clear();  // a child that is down keeps its series
  EXPECT_EQ(join(&maps, nullptr, std::nullopt).fallbacks.at(0).device, "nic0");
}

TEST(Join, ClassesAreSummedByDeviceNameClassAndVerdict) {
  MapsView maps;
  maps.classes = {{3, "nic0", ESPGATE_CLASS_ESP, ESPGATE_PASS, 5, 50},
                  {4, "nic0", ESPGATE_CLASS_ESP, ESPGATE_PASS, 6, 60}};
  const Report report = join(&maps, nullptr, std::nullopt);
  ASSERT_EQ(report.classes.size(), 1U);
  EXPECT_EQ(report.classes[0].packet_class, "esp");
  EXPECT_EQ(report.classes[0].verdict, "pass");
  EXPECT_EQ(report.classes[0].count, (Count{11, 110}));
}

}  // namespace
}  // namespace espgate::control::report
