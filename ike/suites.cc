// SPDX-License-Identifier: Apache-2.0
#include "ike/suites.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "ike/select.h"

namespace espgate::ike {

namespace {

// One transform of that type at a time; nothing once, if the proposal has none of it.
std::vector<std::optional<Transform>> each_of(const Proposal& proposal, TransformType type) {
  std::vector<std::optional<Transform>> out;
  for (const auto& transform : proposal.transforms) {
    if (transform.type == type) out.emplace_back(transform);
  }
  if (out.empty()) out.emplace_back();
  return out;
}

Proposal only(const Proposal& from, const std::vector<std::optional<Transform>>& chosen) {
  Proposal out{from.protocol, {}};
  for (const auto& transform : chosen) {
    if (transform) out.transforms.push_back(*transform);
  }
  std::ranges::copy_if(from.transforms, std::back_inserter(out.transforms),
                       [](const Transform& one) { return one.type == TransformType::group || additional(one.type); });
  group_by_type(out.transforms);
  return out;
}

}  // namespace

std::vector<OneSuite> apart(std::span<const Proposal> proposals) {
  std::vector<OneSuite> out;
  for (const auto& proposal : proposals) {
    for (const auto& encr : each_of(proposal, TransformType::encr)) {
      for (const auto& integ : each_of(proposal, TransformType::integ)) {
        for (const auto& esn : each_of(proposal, TransformType::esn)) {
          auto one = only(proposal, {encr, integ, esn});
          if (auto suite = esp_suite(one)) out.push_back({*suite, std::move(one)});
        }
      }
    }
  }
  return out;
}

}  // namespace espgate::ike
