// SPDX-License-Identifier: Apache-2.0
// How many IKE messages came and went, by exchange: each datagram, repeated or not, and a fragment as a whole one.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace espgate::gateway {

class ExchangeCounts {
 public:
  // On the engine's thread. What is too short for an IKE header, or of another exchange, is not counted.
  void received(base::ByteView message) { count(message, 0); }
  void sent(base::ByteView message) { count(message, 2); }

  // By strongSwan's names ("ike-init-in-req"), in its order; from any thread.
  [[nodiscard]] std::vector<std::pair<std::string_view, std::uint64_t>> all() const;

 private:
  void count(base::ByteView message, std::size_t way);
  std::array<std::atomic<std::uint64_t>, 16> counts_{};  // four exchanges, each in-req, in-resp, out-req, out-resp
};

}  // namespace espgate::gateway
