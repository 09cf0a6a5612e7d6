// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <cerrno>

#include "xfrm/null_kernel.h"

namespace espgate::xfrm {
namespace {

SaSpec sa(std::uint32_t spi, std::optional<Offload> offload = {}) {
  SaSpec out;
  out.direction = base::Direction::out;
  out.source = *base::Address::parse("192.0.2.1");
  out.destination = *base::Address::parse("192.0.2.2");
  out.spi = {spi};
  out.cipher_key = base::Secret::copy_of(base::as_bytes("key " + std::to_string(spi)));
  out.offload = offload;
  return out;
}

std::vector<Result> run(Kernel& kernel, auto... requests) {
  std::vector<Request> all;
  (all.emplace_back(std::move(requests)), ...);
  return kernel.execute(all);
}

const Offload kNic{OffloadKind::crypto, 5};

TEST(ModelKernel, NullKernelReadsBackSoftware) {
  NullKernel kernel;
  auto results = run(kernel, AddSa{sa(1, kNic)}, GetSa{sa(1).id()});
  ASSERT_TRUE(results[0] && results[1]);
  EXPECT_EQ(std::get<SaState>(*results[1]).offload, std::nullopt);
  EXPECT_EQ(run(kernel, AddSa{sa(1)})[0].error().code, EEXIST);
  EXPECT_TRUE(run(kernel, DelSa{sa(1).id()})[0]);
  EXPECT_EQ(run(kernel, DelSa{sa(1).id()})[0].error().code, ESRCH);
}

TEST(ModelKernel, DeviceHasItsSay) {
  ModelKernel kernel;
  kernel.devices[5] = {{}, 1};
  EXPECT_EQ(std::get<SaState>(*run(kernel, AddSa{sa(1, kNic)}, GetSa{sa(1).id()})[1]).offload, kNic);
  EXPECT_EQ(run(kernel, AddSa{sa(2, kNic)})[0].error().code, ENOSPC);
  kernel.devices[5].answer = [](const SaSpec&) { return DeviceAnswer{DeviceAnswer::Kind::refused, EINVAL, "words"}; };
  EXPECT_EQ(run(kernel, AddSa{sa(3, kNic)})[0].error().detail, "words");
  EXPECT_EQ(kernel.sa_count(), 1U);
}

TEST(ModelKernel, PacketModeIsNeverSilentAndFindsItsOwnAlone) {
  ModelKernel kernel;
  const Offload packet{OffloadKind::packet, 5};
  EXPECT_EQ(run(kernel, AddSa{sa(1, packet)})[0].error().code, EINVAL) << "no such device";
  kernel.devices[5] = {};
  EXPECT_EQ(run(kernel, AddSa{sa(1, packet)})[0].error().detail, "Packet offload mode is not supported");
  PolicySpec policy;
  policy.id.selector = {*base::Prefix::parse("10.0.0.0/8"), *base::Prefix::parse("10.0.0.0/8"), 0, {}, {}};
  policy.esp = Template{sa(1).source, sa(1).destination, 0, base::SaMode::tunnel, false};
  policy.device = 5;
  EXPECT_EQ(run(kernel, PutPolicy{policy})[0].error().code, EINVAL);
  kernel.devices[5].packet = true;
  EXPECT_TRUE(run(kernel, AddSa{sa(1, packet)}, PutPolicy{policy})[1]);
  EXPECT_TRUE(run(kernel, AddSa{sa(2)})[0]);
  EXPECT_EQ(kernel.outbound_for(*policy.esp, 5), sa(1).id());
  EXPECT_EQ(kernel.outbound_for(*policy.esp), sa(2).id());
  PolicySpec forward = policy;
  forward.id.direction = PolicyDirection::forward;
  EXPECT_EQ(run(kernel, PutPolicy{forward})[0].error().detail, "Cannot offload forward policy");
}

TEST(ModelKernel, AFlapTakesWhatTheDeviceHeld) {
  ModelKernel kernel;
  kernel.devices[5].packet = true;
  PolicySpec held;
  held.id.selector = {*base::Prefix::parse("10.0.0.0/8"), *base::Prefix::parse("10.0.0.0/8"), 0, {}, {}};
  held.device = 5;
  PolicySpec beneath = held;
  beneath.id.layer = Layer::guard;
  beneath.device = 0;
  run(kernel, AddSa{sa(1, kNic)}, AddSa{sa(2)}, PutPolicy{held}, PutPolicy{beneath});
  kernel.flap(5);
  EXPECT_EQ(kernel.find(sa(1).id()), nullptr);
  EXPECT_NE(kernel.find(sa(2).id()), nullptr);
  ASSERT_EQ(kernel.dump_policies()->size(), 1U);
  EXPECT_EQ(kernel.dump_policies()->front(), beneath);
}

TEST(ModelKernel, CountsReusedOutboundKeysButNotThrowAwayOnes) {
  ModelKernel kernel;
  run(kernel, AddSa{sa(1)}, DelSa{sa(1).id()}, AddSa{sa(1)});
  EXPECT_EQ(kernel.outbound_keys_reused(), 1U);
  for (int i = 0; i < 2; ++i) {
    SaSpec zeros = sa(7);
    zeros.cipher_key = base::Secret(20);
    run(kernel, AddSa{std::move(zeros)}, DelSa{sa(7).id()});
  }
  EXPECT_EQ(kernel.outbound_keys_reused(), 1U);
}

TEST(ModelKernel, LowestPriorityNumberWins) {
  ModelKernel kernel;
  PolicySpec wide;
  wide.id.selector = {*base::Prefix::parse("10.0.0.0/8"), *base::Prefix::parse("10.0.0.0/8"), 0, {}, {}};
  wide.id.layer = Layer::floor;
  wide.priority = 20;
  PolicySpec child = wide;
  child.id.layer = Layer::child;
  child.priority = 10;
  run(kernel, PutPolicy{wide}, PutPolicy{child});
  const auto a = *base::Address::parse("10.1.1.1");
  EXPECT_EQ(*kernel.lookup(PolicyDirection::out, a, a), child);
  EXPECT_EQ(kernel.lookup(PolicyDirection::in, a, a), nullptr);
  run(kernel, DelPolicy{child.id});
  EXPECT_EQ(*kernel.lookup(PolicyDirection::out, a, a), wide);
}

}  // namespace
}  // namespace espgate::xfrm
