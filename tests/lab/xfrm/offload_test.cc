// SPDX-License-Identifier: Apache-2.0
// Offload as devices do it: the emulated NIC takes, refuses and fills up; what is read back is what was decided on.
#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "tests/lab/xfrm/end.h"
#include "xfrm/route.h"

namespace espgate::sad {
namespace {

using base::OffloadActual;
using base::OffloadWanted;
using testing::HasSubstr;

// The wire again, but of the emulated NIC.
class SimnicTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = lab::why_no_esp(); !why.empty()) GTEST_SKIP() << why;
    if (std::system("mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug") != 0 ||
        std::system("modprobe simnic pairs=1 2>/dev/null") != 0) {
      GTEST_SKIP() << "no emulated NIC (module simnic): run in the lab";
    }
    for (const auto* end : {&wire.left, &wire.right}) ASSERT_EQ(end->run("ip link del wire 2>/dev/null || true"), 0);
    dress(wire.left, "simnic0", 1);
    dress(wire.right, "simnic1", 2);
    context.device = "simnic0";
    wire.left.enter();
    context.ifindex = *xfrm::ifindex_of("simnic0");
  }
  void TearDown() override {
    if (context.ifindex == 0) return;
    EXPECT_EQ(std::system("rmmod simnic"), 0);
  }
  static void dress(const lab::Namespace& ns, const std::string& device, int self) {
    const auto peer = std::to_string(3 - self);
    const auto own = std::to_string(self);
    // The module makes its devices in the first namespace, where this program no longer is.
    ASSERT_EQ(std::system(("nsenter --net=/proc/1/ns/net ip link set " + device + " netns " + ns.name()).c_str()), 0);
    ASSERT_EQ(ns.run("ip addr add 192.0.2." + own + "/24 dev " + device), 0);
    ASSERT_EQ(ns.run("ip link set " + device + " up"), 0);
    ASSERT_EQ(ns.run("ip route replace 10." + peer + ".0.0/16 via 192.0.2." + peer + " src 10." + own + ".0.1"), 0);
  }
  static void knob(const std::string& name, const std::string& value) {
    std::ofstream("/sys/kernel/debug/simnic/simnic0/" + name) << value << std::flush;
  }
  static std::size_t held() {
    std::ifstream file("/sys/kernel/debug/simnic/simnic0/sas");
    std::size_t lines = 0;
    for (std::string line; std::getline(file, line);) ++lines;
    return lines;
  }
  // The kernel frees a deleted SA from a worker, some time later; until then the device still lists it.
  static bool settles_at(std::size_t count) {
    for (int waits = 0; waits < 100 && held() != count; ++waits) ::usleep(100'000);
    return held() == count;
  }
  static const ike::ChildInstalled& up(const End& end) {
    return std::get<ike::ChildInstalled>(end.answers.back().result);
  }

  lab::Wire wire;
  InstallContext context;
  Form gcm{"", kGcm, false, false};
  Form cbc{"", kCbc, false, false};
};

TEST_F(SimnicTest, CryptoIsTakenReadBackAndCarries) {
  EXPECT_EQ(xfrm::esp_offload_enabled("simnic0"), true);
  End left(wire.left, 1);
  End right(wire.right, 2);
  left.plan(false);
  ASSERT_TRUE(left.install(gcm, OffloadWanted::crypto, context)) << left.log;
  ASSERT_TRUE(right.install(gcm, OffloadWanted::no, {})) << right.log;
  EXPECT_EQ(up(left).in.actual, OffloadActual::crypto);
  EXPECT_EQ(up(left).out.actual, OffloadActual::crypto);
  EXPECT_EQ(up(left).out.device, "simnic0");
  EXPECT_TRUE(settles_at(2)) << "the trial is still there";
  EXPECT_THAT(left.log, HasSubstr("site/net out: wanted offload crypto on simnic0, running in hardware (crypto mode)"));
  EXPECT_THAT(left.ns.output("ip xfrm state"), HasSubstr("crypto offload parameters: dev simnic0 dir out"));
  EXPECT_TRUE(ping(wire.left, false, "-c50 -i0.02 -W3"));
  left.carry_out(left.sad.stop({}));
  right.carry_out(right.sad.stop({}));
  EXPECT_TRUE(settles_at(0));
  EXPECT_EQ(left.ns.output("ip xfrm state; ip xfrm policy"), "");
}

TEST_F(SimnicTest, RefusedSuiteStrictLeavesNothingAndSaysWhy) {
  End left(wire.left, 1);
  ASSERT_FALSE(left.install(cbc, OffloadWanted::crypto, context));
  const auto& refusal = std::get<ike::ChildRefused>(left.answers.back().result);
  EXPECT_EQ(refusal.reason_code, "offload-refused");
  EXPECT_THAT(left.log, HasSubstr("\"Cannot offload authenticated xfrm states\" (EINVAL) for aes256-sha256"));
  EXPECT_EQ(left.ns.output("ip xfrm state; ip xfrm policy"), "");
  EXPECT_TRUE(settles_at(0));
}

TEST_F(SimnicTest, RefusedSuiteAutoRunsInSoftwareWithTheDriversWords) {
  End left(wire.left, 1);
  End right(wire.right, 2);
  ASSERT_TRUE(left.install(cbc, OffloadWanted::automatic, context)) << left.log;
  ASSERT_TRUE(right.install(cbc, OffloadWanted::no, {})) << right.log;
  EXPECT_EQ(up(left).in.reason_code, "offload-refused");
  EXPECT_THAT(up(left).out.reason, HasSubstr("Cannot offload authenticated xfrm states"));
  EXPECT_TRUE(settles_at(0));
  EXPECT_TRUE(ping(wire.left, false, "-c20 -i0.02 -W3"));
  left.carry_out(left.sad.stop({}));
  right.carry_out(right.sad.stop({}));
}

TEST_F(SimnicTest, FullTableSendsBothDirectionsToSoftware) {
  knob("slots", "0");
  End left(wire.left, 1);
  ASSERT_TRUE(left.install(gcm, OffloadWanted::automatic, context)) << left.log;
  EXPECT_EQ(up(left).in.reason_code, "device-full");
  EXPECT_EQ(up(left).out.reason_code, "device-full");
  EXPECT_THAT(left.log, HasSubstr("No space for SA in"));
  EXPECT_EQ(left.ns.output("ip xfrm state | grep -c offload").substr(0, 1), "0");
  left.carry_out(left.sad.stop({}));
  EXPECT_EQ(left.ns.output("ip xfrm state; ip xfrm policy"), "");
}

}  // namespace
}  // namespace espgate::sad
