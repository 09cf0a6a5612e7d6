// SPDX-License-Identifier: Apache-2.0
#include "ike/additional.h"

#include <algorithm>

namespace espgate::ike {

namespace {

constexpr std::uint16_t kNone = crypto::kGroupNone;

bool clashes(const Transform& one, const std::vector<Transform>& taken) {
  return one.id != kNone && std::ranges::find(taken, one.id, &Transform::id) != taken.end();
}

// Takes one of each list from `lists` on, so that it goes with what is taken already.
bool take(std::span<const std::vector<Transform>> lists, std::vector<Transform>& taken) {
  if (lists.empty()) return true;
  for (const auto& one : lists.front()) {
    if (clashes(one, taken)) continue;
    taken.push_back(one);
    if (take(lists.subspan(1), taken)) return true;
    taken.pop_back();
  }
  return false;
}

bool real(const Transform& one) { return additional(one.type) && one.id != kNone; }

}  // namespace

std::optional<std::vector<Transform>> distinct(std::span<const std::vector<Transform>> lists) {
  std::vector<Transform> out;
  if (!take(lists, out)) return std::nullopt;
  return out;
}

crypto::AdditionalKes additional_kes(const Proposal& chosen) {
  crypto::AdditionalKes out{};
  for (const auto& one : chosen.transforms) {
    if (real(one)) out.at(static_cast<std::size_t>(one.type) - static_cast<std::size_t>(TransformType::ke1)) = one.id;
  }
  return out;
}

std::vector<std::uint16_t> additional_methods(const Proposal& chosen) {
  std::vector<std::uint16_t> out;
  std::ranges::copy_if(additional_kes(chosen), std::back_inserter(out), [](auto id) { return id != kNone; });
  return out;
}

bool has_additional(const Proposal& proposal) { return std::ranges::any_of(proposal.transforms, real); }

bool has_additional(std::span<const Proposal> proposals) {
  return std::ranges::any_of(proposals, [](const Proposal& one) { return has_additional(one); });
}

bool additional_fit(const Proposal& ours, const Proposal& chosen) {
  const auto kes = additional_kes(chosen);
  for (std::size_t i = 0; i < kAdditional.size(); ++i) {
    const auto type = kAdditional.at(i);
    const bool named = std::ranges::find(ours.transforms, type, &Transform::type) != ours.transforms.end();
    const bool there = std::ranges::find(ours.transforms, Transform{type, kes.at(i), 0}) != ours.transforms.end();
    if (!there && (named || kes.at(i) != kNone)) return false;
  }
  return true;
}

}  // namespace espgate::ike
