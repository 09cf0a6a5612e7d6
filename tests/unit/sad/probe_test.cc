// SPDX-License-Identifier: Apache-2.0
// The probe: which rows, the SAs made of them, what is judged of the answers, and that nothing is left in the kernel.
#include <gmock/gmock.h>

#include <cerrno>
#include <memory>
#include <random>
#include <set>

#include "sad/probe.h"
#include "sad/sad.h"
#include "xfrm/model_kernel.h"

namespace espgate::sad {
namespace {

using base::Direction;
using base::EspCipher;
using base::Family;
using base::SaMode;
using testing::ElementsAre;
using testing::IsEmpty;
using xfrm::DeviceAnswer;
using xfrm::OffloadKind;

constexpr std::uint32_t kDevice = 7;

ProbeMeans seeded(std::uint32_t seed) {
  auto source = std::make_shared<std::mt19937>(seed);
  ProbeMeans out;
  out.random = [source](std::span<std::uint8_t> to) {
    for (auto& octet : to) octet = static_cast<std::uint8_t>((*source)());
  };
  return out;
}

// Sees after each call, which a signal may follow, whether an SA of the probe is there.
class WatchedKernel : public xfrm::ModelKernel {
 public:
  std::vector<xfrm::Result> execute(std::span<const xfrm::Request> requests) override {
    const std::size_t before = sa_count();
    EXPECT_LE(requests.size(), xfrm::kRequestsPerSend * 2) << "GETs may be many, the kernel splits them";
    auto out = ModelKernel::execute(requests);
    EXPECT_EQ(sa_count(), before) << "an SA stands between two calls";
    for (const auto& request : requests) {
      if (const auto* add = std::get_if<xfrm::AddSa>(&request)) added.push_back(add->spec.clone());
    }
    return out;
  }
  std::vector<xfrm::SaSpec> added;
};

// As a device that knows one suite, in crypto mode, without ESN; it speaks of it in two manners.
DeviceAnswer picky(const xfrm::SaSpec& spec) {
  if (spec.offload->kind == OffloadKind::packet) return {DeviceAnswer::Kind::refused, EINVAL, "No packet mode"};
  if (spec.suite.esn) return {DeviceAnswer::Kind::refused, EINVAL, "No ESN"};
  if (spec.suite.cipher != EspCipher::aes_gcm_16) return {DeviceAnswer::Kind::refused, EINVAL, {}};
  if (spec.encap) return {DeviceAnswer::Kind::silent, 0, {}};
  return {};
}

const ProbeAnswer& answer_for(const ProbeOutcome& outcome, const ProbeRow& row) {
  const auto rows = probe_plan();
  const auto found = std::ranges::find(rows, row);
  EXPECT_NE(found, rows.end());
  return outcome.answers.at(static_cast<std::size_t>(found - rows.begin()));
}

TEST(ProbePlan, HasEachRowOnce) {
  const auto rows = probe_plan();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(std::ranges::count(rows, rows[i]), 1) << "row " << i;
  }
  EXPECT_LE(rows.size(), 120U) << "it is to take well under 300 ms";
}

TEST(ProbePlan, CoversEveryPropertyInBothModesAndDirections) {
  const auto rows = probe_plan();
  for (const auto mode : {OffloadKind::crypto, OffloadKind::packet}) {
    for (const auto direction : {Direction::in, Direction::out}) {
      std::set<std::string> suites;
      std::set<std::tuple<SaMode, Family, bool, bool>> shapes;
      std::set<std::uint32_t> windows;
      for (const auto& row : rows) {
        if (row.mode != mode || row.direction != direction) continue;
        suites.insert(base::EspSuite{row.suite.cipher, row.suite.key_bits, row.suite.auth, false}.name());
        shapes.insert({row.sa_mode, row.family, row.suite.esn, row.encap});
        windows.insert(row.replay_window);
      }
      EXPECT_THAT(suites, ElementsAre("aes128-sha256", "aes128gcm12", "aes128gcm16", "aes128gcm8", "aes256-sha256",
                                      "aes256gcm16", "chacha20poly1305"));
      EXPECT_EQ(shapes.size(), 12U);  // mode x family x {plain, ESN, in UDP}
      EXPECT_EQ(windows, direction == Direction::in ? (std::set<std::uint32_t>{32, 64, 128, 256})
                                                    : (std::set<std::uint32_t>{0}));
    }
  }
}

TEST(ProbeSa, LiesInDocumentationRangesAndEndsByItself) {
  const auto means = seeded(1);
  const auto v4_here = *base::Prefix::parse("192.0.2.0/24");
  const auto v4_there = *base::Prefix::parse("198.51.100.0/24");
  const auto v6 = *base::Prefix::parse("2001:db8::/32");
  std::set<std::uint32_t> spis;
  for (const auto& row : probe_plan()) {
    const auto spec = probe_sa(row, kDevice, means);
    const auto& own = row.direction == Direction::in ? spec.destination : spec.source;
    const auto& peer = row.direction == Direction::in ? spec.source : spec.destination;
    EXPECT_TRUE(row.family == Family::ipv4 ? v4_here.contains(own) && v4_there.contains(peer)
                                           : v6.contains(own) && v6.contains(peer))
        << own.text() << " " << peer.text();
    EXPECT_EQ(spec.limits.hard_age, std::chrono::seconds(5));
    EXPECT_EQ(spec.limits.hard_packets, 0U) << "drivers refuse limits of 0";
    EXPECT_NE(spec.reqid, 0U) << "packet mode wants one";
    EXPECT_GT(spec.spi.value, 255U);
    EXPECT_TRUE(spis.insert(spec.spi.value).second);
    EXPECT_EQ(spec.suite, row.suite);
    EXPECT_EQ(spec.cipher_key.size(), row.suite.cipher_key_octets());
    EXPECT_EQ(spec.auth_key.size(), row.suite.auth_key_octets());
    EXPECT_EQ(spec.offload, (xfrm::Offload{row.mode, kDevice}));
    EXPECT_EQ(spec.encap.has_value(), row.encap);
    EXPECT_EQ(spec.replay_window, row.replay_window);
    EXPECT_FALSE(spec.selector);
  }
}

TEST(ProbeJudge, TakenSilentRefused) {
  ProbeRow row;
  xfrm::SaState state;
  const xfrm::Result done = xfrm::Done{};
  const xfrm::Result refused = std::unexpected(base::Error{"add SA", EINVAL, "Not today"});
  const xfrm::Result missing = std::unexpected(base::Error{"get SA", ESRCH, {}});

  EXPECT_EQ(judge(row, done, state).result, ProbeResult::silent_software);
  EXPECT_EQ(judge(row, done, missing).result, ProbeResult::silent_software);
  state.offload = xfrm::Offload{OffloadKind::crypto, kDevice};
  EXPECT_EQ(judge(row, done, state), (ProbeAnswer{ProbeResult::taken, 0, {}, {}}));
  row.mode = OffloadKind::packet;  // asked for more than it is
  EXPECT_EQ(judge(row, done, state).result, ProbeResult::silent_software);
  EXPECT_EQ(judge(row, refused, missing), (ProbeAnswer{ProbeResult::refused, EINVAL, "Not today", {}}));
}

TEST(ProbeJudge, ReasonsQuoteTheDriver) {
  EXPECT_EQ(reason_text({ProbeResult::taken, 0, {}, {}}), "");
  EXPECT_EQ(reason_text({ProbeResult::refused, EINVAL, "Not today", {}}), "Not today");
  EXPECT_EQ(reason_text({ProbeResult::refused, EINVAL, {}, {}}), "Invalid argument, without a word of why");
  EXPECT_EQ(reason_text({ProbeResult::refused, EINVAL, "Failed", {"nic0: no such algorithm", "nic0: sorry"}}),
            "Failed; kernel log: \"nic0: no such algorithm\", \"nic0: sorry\"");
  EXPECT_THAT(reason_text({ProbeResult::silent_software, 0, {}, {}}), testing::StartsWith("accepted, and runs in"));
}

TEST(Probe, FindsOutWhatTheDeviceTakesAndLeavesNothing) {
  WatchedKernel kernel;
  kernel.devices[kDevice] = {picky, 1};  // one slot is enough for it
  const auto rows = probe_plan();
  const auto outcome = probe(kernel, kDevice, rows, seeded(2));
  ASSERT_EQ(outcome.answers.size(), rows.size());
  EXPECT_EQ(kernel.sa_count(), 0U);
  EXPECT_EQ(outcome.left_behind, 0U);
  EXPECT_EQ(kernel.added.size(), rows.size());

  ProbeRow row{{EspCipher::aes_gcm_16, 256, base::EspAuth::none, false},
               OffloadKind::crypto,
               Direction::out,
               SaMode::transport,
               Family::ipv6,
               false,
               0};
  EXPECT_EQ(answer_for(outcome, row).result, ProbeResult::taken);
  row.suite.esn = true;
  EXPECT_EQ(answer_for(outcome, row), (ProbeAnswer{ProbeResult::refused, EINVAL, "No ESN", {}}));
  row.mode = OffloadKind::packet;
  EXPECT_EQ(answer_for(outcome, row).words, "No packet mode");
  row = {{EspCipher::aes_gcm_16, 128, base::EspAuth::none, false},
         OffloadKind::crypto,
         Direction::in,
         SaMode::tunnel,
         Family::ipv4,
         true,
         128};
  EXPECT_EQ(answer_for(outcome, row).result, ProbeResult::silent_software);
}

TEST(Probe, UsesNoKeyTwice) {
  WatchedKernel kernel;
  probe(kernel, kDevice, probe_plan(), seeded(3));
  std::set<std::string> keys;
  for (const auto& spec : kernel.added) {
    EXPECT_TRUE(keys.insert(std::string(base::as_text(spec.cipher_key.view()))).second);
  }
  EXPECT_EQ(kernel.outbound_keys_reused(), 0U);
}

TEST(Probe, ADeviceWithoutOffloadIsSilentlySoftware) {
  WatchedKernel kernel;
  const auto rows = probe_plan();
  const auto outcome = probe(kernel, kDevice, rows, seeded(4));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool packet = rows[i].mode == OffloadKind::packet;  // which the kernel refuses then, and without a word
    EXPECT_EQ(outcome.answers[i].result, packet ? ProbeResult::refused : ProbeResult::silent_software);
  }
}

TEST(Probe, AFullTableIsSaid) {
  WatchedKernel kernel;
  kernel.devices[kDevice] = {{}, 0, true};
  const auto outcome = probe(kernel, kDevice, probe_plan(), seeded(5));
  for (const auto& answer : outcome.answers) EXPECT_EQ(answer.code, ENOSPC);
}

// One SA more it would hold, two it does not.
TEST(Probe, APairNeedsRoomForTwo) {
  const auto in = usual_row(OffloadKind::crypto, Direction::in), out = usual_row(OffloadKind::crypto, Direction::out);
  for (const std::uint32_t slots : {0, 1, 2}) {
    WatchedKernel kernel;
    kernel.devices[kDevice] = {{}, slots, true};
    const auto outcome = probe_pair(kernel, kDevice, in, out, seeded(slots));
    ASSERT_EQ(outcome.answers.size(), 2U);
    EXPECT_EQ(outcome.answers[0].result, slots > 0 ? ProbeResult::taken : ProbeResult::refused) << slots;
    EXPECT_EQ(outcome.answers[1].result, slots > 1 ? ProbeResult::taken : ProbeResult::refused) << slots;
    EXPECT_EQ(outcome.answers[1].code, slots > 1 ? 0 : ENOSPC) << slots;
    EXPECT_EQ(outcome.left_behind, 0U);
  }
}

TEST(Probe, LoadsEachSuiteOnceInSoftware) {
  WatchedKernel kernel;
  kernel.devices[0] = kernel.devices[kDevice] = {};
  load_algorithms(kernel, probe_plan(), seeded(11));
  std::set<std::string> suites;
  for (const auto& spec : kernel.added) {
    EXPECT_FALSE(spec.offload);
    EXPECT_EQ(spec.limits.hard_age, kProbeLife);
    EXPECT_TRUE(suites.insert(spec.suite.name()).second);
  }
  EXPECT_EQ(suites.size(), 9U);  // two of them with ESN, too
  EXPECT_EQ(kernel.sa_count(), 0U);
}

TEST(Probe, NeverTouchesAnothersSa) {
  const auto rows = probe_plan();
  auto others = probe_sa(rows.front(), kDevice, seeded(6));  // what the first row would draw
  others.offload.reset();
  WatchedKernel kernel;
  const auto id = others.id();
  std::vector<xfrm::Request> add;
  add.emplace_back(xfrm::AddSa{std::move(others)});
  ASSERT_TRUE(kernel.ModelKernel::execute(add).front());
  kernel.devices[kDevice].packet = true;
  const auto outcome = probe(kernel, kDevice, rows, seeded(6));
  EXPECT_NE(kernel.find(id), nullptr);
  EXPECT_EQ(kernel.sa_count(), 1U);
  for (const auto& answer : outcome.answers) EXPECT_EQ(answer.result, ProbeResult::taken);
}

TEST(Probe, CountsWhatCouldNotBeDeleted) {
  xfrm::ModelKernel kernel;
  kernel.devices[kDevice] = {picky, ~std::size_t{0}};
  std::size_t deletes = 0;
  kernel.fault = [&](const xfrm::Request& request) -> std::optional<base::Error> {
    if (!std::holds_alternative<xfrm::DelSa>(request) || ++deletes != 1) return std::nullopt;
    return base::Error{"delete SA", ENOMEM, {}};
  };
  EXPECT_EQ(probe(kernel, kDevice, probe_plan(), seeded(7)).left_behind, 1U);
}

TEST(Probe, EachRowGetsTheLinesThatAreItsOwn) {
  WatchedKernel kernel;
  std::vector<std::string> log{"nic0: said long before"};
  kernel.devices[kDevice].answer = [&](const xfrm::SaSpec& spec) {
    const auto answer = picky(spec);
    if (answer.kind == DeviceAnswer::Kind::refused) {
      log.push_back(answer.words.empty() ? "nic0: bad " + spec.suite.name() : "nic0: " + answer.words);
    }
    return answer;
  };
  auto means = seeded(8);
  means.overheard = [&] { return std::exchange(log, {}); };
  const auto rows = probe_plan();
  const auto outcome = probe(kernel, kDevice, rows, means);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& answer = outcome.answers[i];
    if (answer.result == ProbeResult::refused && answer.words.empty()) {
      EXPECT_THAT(answer.log, ElementsAre("nic0: bad " + rows[i].suite.name()));
    } else {
      EXPECT_THAT(answer.log, IsEmpty()) << "nothing new in " << reason_text(answer);
    }
  }
  EXPECT_EQ(kernel.sa_count(), 0U);
}

TEST(Probe, OnlyRowsThatWentWithALoudOneAreTriedAgain) {
  WatchedKernel kernel;
  std::vector<std::string> log;
  kernel.devices[kDevice].answer = [&](const xfrm::SaSpec& spec) -> DeviceAnswer {
    if (spec.suite.cipher == EspCipher::chacha20_poly1305 && spec.offload->kind == OffloadKind::crypto) {
      log.emplace_back("nic0: what is that?");
    }
    return {DeviceAnswer::Kind::refused, EINVAL, {}};
  };
  auto means = seeded(10);
  means.overheard = [&] { return std::exchange(log, {}); };
  const auto rows = probe_plan();
  const auto outcome = probe(kernel, kDevice, rows, means);
  EXPECT_GT(kernel.added.size(), rows.size());
  EXPECT_LE(kernel.added.size(), rows.size() + xfrm::kRequestsPerSend);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool loud = rows[i].suite.cipher == EspCipher::chacha20_poly1305 && rows[i].mode == OffloadKind::crypto;
    EXPECT_EQ(outcome.answers[i].log.size(), loud ? 1U : 0U);
  }
}

TEST(Probe, ASilentLogCostsNothing) {
  WatchedKernel kernel;
  kernel.devices[kDevice].answer = picky;
  auto means = seeded(9);
  means.overheard = [] { return std::vector<std::string>{}; };
  const auto rows = probe_plan();
  probe(kernel, kDevice, rows, means);
  EXPECT_EQ(kernel.added.size(), rows.size());
}

}  // namespace
}  // namespace espgate::sad
