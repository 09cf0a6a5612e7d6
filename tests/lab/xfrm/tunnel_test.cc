// SPDX-License-Identifier: Apache-2.0
// sad/ over the real kernel at both ends of a wire: what it installs carries traffic, and what it blocks does not
// leave.
#include <gmock/gmock.h>

#include "tests/lab/xfrm/end.h"
#include "xfrm/route.h"

namespace espgate::sad {
namespace {

using base::OffloadWanted;

class TunnelTest : public testing::TestWithParam<Form> {};

TEST_P(TunnelTest, BlockedThenCarriedThenBlockedThenGone) {
  if (const auto why = lab::why_no_esp(); !why.empty()) GTEST_SKIP() << why;
  const Form& form = GetParam();
  lab::Wire wire;
  EXPECT_TRUE(ping(wire.left, form.inner_v6, "-c1 -W3")) << "the wire itself";
  End left(wire.left, 1);
  End right(wire.right, 2);
  left.plan(form.inner_v6);
  right.plan(form.inner_v6);
  EXPECT_FALSE(ping(wire.left, form.inner_v6)) << "the floor lets traffic through";
  ASSERT_TRUE(left.install(form, OffloadWanted::no, {})) << left.log;
  ASSERT_TRUE(right.install(form, OffloadWanted::no, {})) << right.log;
  EXPECT_TRUE(ping(wire.left, form.inner_v6, "-c20 -i0.02 -W3")) << left.ns.output("ip -s xfrm state");
  const auto left_sas = left.kernel.dump_sas().value();
  for (const auto& state : left_sas) EXPECT_GE(state.packets, 20U);
  const auto right_sas = right.kernel.dump_sas().value();
  for (const auto& state : right_sas) {
    EXPECT_GE(state.packets, 20U);
    EXPECT_EQ(state.replay_errors + state.window_errors + state.integrity_errors, 0U);
  }
  left.carry_out(left.sad.on_remove({}, {{1}, ike::Reason::closed_by_operator}));
  EXPECT_FALSE(ping(wire.left, form.inner_v6)) << "after `down` traffic leaves in the clear";
  left.carry_out(left.sad.stop({}));
  right.carry_out(right.sad.stop({}));
  EXPECT_EQ(left.ns.output("ip xfrm state; ip xfrm policy"), "");
  EXPECT_EQ(right.ns.output("ip xfrm state; ip xfrm policy"), "");
  EXPECT_TRUE(ping(wire.left, form.inner_v6));
}

INSTANTIATE_TEST_SUITE_P(Forms, TunnelTest,
                         testing::Values(Form{"Gcm4in4", kGcm, false, false}, Form{"Cbc4in4", kCbc, false, false},
                                         Form{"GcmEsn6in6", kGcmEsn, true, true}, Form{"Gcm6in4", kGcm, true, false},
                                         Form{"Gcm4in6", kGcm, false, true}),
                         [](const auto& form) { return std::string(form.param.name); });

TEST(SilentTest, VethTakesTheOffloadAndRunsItInSoftware) {
  if (const auto why = lab::why_no_esp(); !why.empty()) GTEST_SKIP() << why;
  lab::Wire wire;
  End left(wire.left, 1);
  const Form form{"", kGcm, false, false};
  const InstallContext context{"wire", 0, 0};
  auto with_index = context;
  wire.left.enter();
  with_index.ifindex = *xfrm::ifindex_of("wire");
  ASSERT_FALSE(left.install(form, OffloadWanted::crypto, with_index));
  EXPECT_EQ(std::get<ike::ChildRefused>(left.answers.back().result).reason_code, "silent-software");
  EXPECT_EQ(left.ns.output("ip xfrm state; ip xfrm policy"), "");
  ASSERT_TRUE(left.install(form, OffloadWanted::automatic, with_index)) << left.log;
  EXPECT_EQ(std::get<ike::ChildInstalled>(left.answers.back().result).in.reason_code, "silent-software");
  left.carry_out(left.sad.stop({}));
}

}  // namespace
}  // namespace espgate::sad
