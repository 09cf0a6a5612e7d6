// SPDX-License-Identifier: Apache-2.0
#include "sad/strict.h"

#include <fmt/format.h>

#include <set>

#include "ike/suites.h"
#include "sad/verdict.h"

namespace espgate::sad {

namespace {

using base::Direction;

// Empty: the device takes it in both directions.
std::string refusal_of(const base::EspSuite& suite, const OfferShape& shape, std::uint32_t replay_window,
                       const std::function<ProbeAnswer(const ProbeRow&)>& try_row) {
  if (suite.ah()) return "AH is not offloadable";
  for (const auto direction : {Direction::in, Direction::out}) {
    const bool packet = shape.wanted == base::OffloadWanted::packet;
    ProbeRow row = usual_row(packet ? xfrm::OffloadKind::packet : xfrm::OffloadKind::crypto, direction);
    row.suite = suite;
    row.sa_mode = shape.mode;
    row.family = shape.family;
    row.encap = shape.encap;
    row.replay_window = direction == Direction::in ? replay_window : 0;
    const auto answer = try_row(row);
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
                         std::uint32_t replay_window, const std::string& device,
                         const std::function<ProbeAnswer(const ProbeRow&)>& try_row,
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
    auto refusal = refusal_of(suite, shape, replay_window, try_row);
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

}  // namespace espgate::sad
