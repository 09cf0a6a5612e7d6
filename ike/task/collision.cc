// SPDX-License-Identifier: Apache-2.0
#include "ike/task/collision.h"

#include <algorithm>

#include "ike/planted.h"

namespace espgate::ike {

base::Bytes lowest_nonce(base::ByteView one, base::ByteView other) {
  const auto& lower = std::ranges::lexicographical_compare(one, other) ? one : other;
  return {lower.begin(), lower.end()};
}

bool ours_is_redundant(const Context& ctx, const Met& met, base::ByteView ours, base::ByteView peers) {
  const auto own = lowest_nonce(ours, peers);
  const bool lowest = std::ranges::lexicographical_compare(own, met.lowest);
  return planted(Planted::reversed_nonce, ctx.options.index) ? !lowest : lowest;
}

}  // namespace espgate::ike
