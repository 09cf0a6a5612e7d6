// SPDX-License-Identifier: Apache-2.0
#include "sad/strict.h"

#include <fmt/format.h>

#include <set>

#include "ike/suites.h"
#include "sad/packet_mode.h"
#include "sad/verdict.h"

namespace espgate::sad {

namespace {

using base::Direction;

// Empty: the device takes it in both directions.
std::string refusal_of(const base::EspSuite& suite, const OfferShape& shape, std::uint32_t replay_window,
                       const TryPair& try_pair) {
  if (suite.ah()) return "AH is not offloadable";
  const auto row = [&](Direction direction) {
    const bool packet = shape.wanted == base::OffloadWanted::packet;
    ProbeRow out = usual_row(packet ? xfrm::OffloadKind::packet : xfrm::OffloadKind::crypto, direction);
    out.suite = suite;
    out.sa_mode = shape.mode;
    out.family = shape.family;
    out.encap = shape.encap;
    out.replay_window = direction == Direction::in ? replay_window : 0;
    return out;
  };
  const auto answers = try_pair(row(Direction::in), row(Direction::out));
  for (const auto direction : {Direction::in, Direction::out}) {
    const auto& answer = answers[direction == Direction::in ? 0 : 1];
    if (answer.result == ProbeResult::silent_software) {
      return fmt::format("runs in software ({}), and the driver does not say why", base::to_string(direction));
    }
    if (answer.result == ProbeResult::refused) {
      return fmt::format("refused ({}): {}", base::to_string(direction), words_of({"", answer.code, answer.words}));
    }
  }
  return {};
}

}  // namespace

StrictOffer strict_offer(std::span<const ike::Proposal> configured, const OfferShape& shape,
                         std::uint32_t replay_window, const std::string& device, const TryPair& try_pair,
                         const std::function<std::string(const base::EspSuite&)>& distrusted) {
  StrictOffer out;
  std::set<std::string> seen;
  std::vector<std::string> refusals;
  for (const auto& [suite, proposal] : ike::apart(configured)) {
    if (!seen.insert(suite.name()).second) continue;
    auto wrong = distrusted(suite);
    if (!wrong.empty()) {
      refusals.push_back(std::move(wrong));
      continue;
    }
    auto refusal = refusal_of(suite, shape, replay_window, try_pair);
    if (refusal.empty()) {
      out.taken.push_back(suite);
    } else {
      refusals.push_back(fmt::format("{} {}", suite.name(), refusal));
    }
  }
  if (out.taken.empty()) {
    out.refusal = fmt::format("hw_offload = {}, and {} takes nothing of what the child may use: {}",
                              shape.wanted == base::OffloadWanted::packet ? "packet" : "crypto", device,
                              fmt::join(refusals, "; "));
  }
  return out;
}

std::string strict_obstacle(const Handling& handling, const std::vector<base::TrafficSelector>& local,
                            const std::vector<base::TrafficSelector>& remote, base::Family outer) {
  std::string first;
  for (const auto& near : local) {
    for (const auto& far : remote) {
      auto obstacle = packet_obstacle(handling, {near}, {far}, outer);
      if (obstacle.empty()) return {};
      if (first.empty()) first = std::move(obstacle);
    }
  }
  return first.empty() ? first : "hw_offload = packet, and " + first;
}

}  // namespace espgate::sad
