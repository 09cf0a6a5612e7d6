// SPDX-License-Identifier: Apache-2.0
// Where randomness comes from: injected, so that a simulation can repeat itself.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace espgate::ike::crypto {

class Rng {
 public:
  virtual ~Rng() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;

  base::Bytes bytes(std::size_t count);
  std::uint32_t u32();
  std::uint64_t u64();
};

// OpenSSL's generator. A failure ends the process: nothing that follows could be safe.
class SystemRng final : public Rng {
 public:
  void fill(std::span<std::uint8_t> out) override;
};

// The same octets for the same seed. For tests and simulations only: anyone can predict it.
class SeededRng final : public Rng {
 public:
  explicit SeededRng(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::uint8_t> out) override;

 private:
  std::uint64_t state_;
};

}  // namespace espgate::ike::crypto

namespace espgate::ike {
using crypto::Rng;
}  // namespace espgate::ike
