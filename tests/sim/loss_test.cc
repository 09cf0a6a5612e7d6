// SPDX-License-Identifier: Apache-2.0
// Bad weather: whatever is lost, repeated, late or out of order, both ends come to hold the same.
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

struct Storm {
  const char* name;
  Weather weather;
  bool both;  // both sides start
};
void PrintTo(const Storm& storm, std::ostream* out) { *out << storm.name; }

class InAStorm : public ::testing::TestWithParam<Storm> {};

Side patient(Side side) {
  side.children.push_back({"lab", {"10.11.0.0/16", "10.12.0.0/16"}});
  return side;
}

ike::Config config_for_storm(const Side& side) {
  auto out = config(side);
  // Half of the round trips fail: in 30 of them, with all seeds and exchanges, at least one gets through.
  out.retransmission = {seconds(4), 1.3, 30, seconds(60)};
  out.half_open_timeout = seconds(3600);  // longer than the initiator tries: half-open SAs do not end before it does
  return out;
}

void one_run(std::uint64_t seed, const Storm& storm) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Net net(seed);
  Host a(net, "a", "192.0.2.1", seed * 2 + 1);
  Host b(net, "b", "198.51.100.2", seed * 2 + 2);
  net.weather = storm.weather;
  a.load(config_for_storm(patient(Side{})));
  b.load(config_for_storm(mirrored(patient(Side{}))));
  std::vector<std::pair<Host*, ike::RequestId>> asked;
  asked.emplace_back(&a, a.initiate("site", "net", b));
  asked.emplace_back(&a, a.initiate("site", "lab", b));
  if (storm.both) asked.emplace_back(&b, b.initiate("site", "net", a));
  const auto all_answered = [&] {
    return std::ranges::all_of(asked, [](const auto& what) { return what.first->result(what.second) != nullptr; });
  };
  ASSERT_TRUE(net.run_until(all_answered, seconds(3600)));
  for (auto& [host, id] : asked) {
    ASSERT_TRUE(host->succeeded(id)) << host->name() << ": " << host->result(id)->failure->text;
  }
  net.run(seconds(600));
  Pair::expect_agreement(a, b);
  ASSERT_EQ(a.list().size(), b.list().size());

  const auto first = a.terminate({{}, "site", {}, {}, {}, false});
  const auto second = b.terminate({{}, "site", {}, {}, {}, false});
  ASSERT_TRUE(net.run_until([&] { return a.result(first) != nullptr && b.result(second) != nullptr; }, seconds(3600)));
  net.run(seconds(600));
  for (auto* host : {&a, &b}) {
    ASSERT_TRUE(host->list().empty()) << host->name();
    ASSERT_TRUE(host->sad.empty()) << host->name();
    ASSERT_FALSE(host->engine().next_timer().has_value()) << host->name();
  }
}

TEST_P(InAStorm, TwoHundredSeedsConverge) {
  for (std::uint64_t seed = 1; seed <= 200 && !HasFatalFailure(); ++seed) one_run(seed, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Kinds, InAStorm,
                         ::testing::Values(Storm{"loss", {30, 0, 0, milliseconds(10), milliseconds(0)}, false},
                                           Storm{"everything", {30, 20, 0, milliseconds(10), milliseconds(900)}, false},
                                           Storm{"both", {30, 20, 0, milliseconds(10), milliseconds(300)}, true}),
                         [](const auto& storm) { return storm.param.name; });

}  // namespace
}  // namespace espgate::sim
