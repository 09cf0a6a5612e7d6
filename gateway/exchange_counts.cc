// SPDX-License-Identifier: Apache-2.0
#include "gateway/exchange_counts.h"

namespace espgate::gateway {

namespace {
// RFC 7296 3.1: exchange type and flags of the header.
constexpr std::size_t kExchangeAt = 18, kFlagsAt = 19;
constexpr unsigned kFirstExchange = 34, kLastExchange = 37, kResponse = 0x20;
}  // namespace

void ExchangeCounts::count(base::ByteView message, std::size_t way) {
  if (message.size() <= kFlagsAt) return;
  const unsigned exchange = message[kExchangeAt];
  if (exchange < kFirstExchange || exchange > kLastExchange) return;
  const std::size_t response = (message[kFlagsAt] & kResponse) != 0 ? 1 : 0;
  counts_.at((exchange - kFirstExchange) * 4 + way + response).fetch_add(1, std::memory_order_relaxed);
}

std::vector<std::pair<std::string_view, std::uint64_t>> ExchangeCounts::all() const {
  static constexpr std::array<std::string_view, 16> names{
      "ike-init-in-req",     "ike-init-in-resp",     "ike-init-out-req",     "ike-init-out-resp",
      "ike-auth-in-req",     "ike-auth-in-resp",     "ike-auth-out-req",     "ike-auth-out-resp",
      "create-child-in-req", "create-child-in-resp", "create-child-out-req", "create-child-out-resp",
      "info-in-req",         "info-in-resp",         "info-out-req",         "info-out-resp"};
  std::vector<std::pair<std::string_view, std::uint64_t>> out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    out.emplace_back(names[i], counts_[i].load(std::memory_order_relaxed));
  }
  return out;
}

}  // namespace espgate::gateway
