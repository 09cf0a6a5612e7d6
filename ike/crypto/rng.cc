// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/rng.h"

#include <openssl/rand.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>

namespace espgate::ike::crypto {

base::Bytes Rng::bytes(std::size_t count) {
  base::Bytes out(count);
  fill(out);
  return out;
}

std::uint32_t Rng::u32() { return static_cast<std::uint32_t>(u64()); }

std::uint64_t Rng::u64() {
  const auto octets = bytes(8);
  return *base::ByteReader(octets).u64();
}

// OpenSSL's generator fails when there is no memory for it; the kernel's, which it is seeded from, needs none.
void SystemRng::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const std::size_t count = std::min<std::size_t>(out.size(), INT_MAX);
    ssize_t done = static_cast<ssize_t>(count);
    if (RAND_bytes(out.data(), static_cast<int>(count)) != 1) done = getrandom(out.data(), count, 0);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) {
      std::fputs("espgate: the system has no randomness\n", stderr);
      std::abort();
    }
    out = out.subspan(static_cast<std::size_t>(done));
  }
}

// SplitMix64 (Steele, Lea, Flood 2014): every seed gives a full period.
void SeededRng::fill(std::span<std::uint8_t> out) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i % 8 == 0) {
      state_ += 0x9e3779b97f4a7c15ULL;
      word = state_;
      word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
      word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
      word ^= word >> 31;
    }
    out[i] = static_cast<std::uint8_t>(word >> (8 * (i % 8)));
  }
}

}  // namespace espgate::ike::crypto
