// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/rng.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "base/secret.h"

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

namespace {

// OpenSSL's generator fails when there is no memory for it; the kernel's, which it is seeded from, needs none.
void generate(std::span<std::uint8_t> out) {
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

std::atomic<std::uint64_t> forks = 0;  // that made this process, of those since the first stock

// Octets of one thread that nobody has had yet, where keys lie: each is given once, and wiped where it was. A process
// that a fork made throws away what its parent had.
class Stock {
 public:
  Stock() {
    static std::once_flag once;
    std::call_once(once, [] { (void)pthread_atfork(nullptr, nullptr, [] { ++forks; }); });
  }

  void take(std::span<std::uint8_t> out) {
    if (out.size() > kLargest) return generate(out);
    if (left_ < out.size() || forks_ != forks) refill();
    const auto from = octets_.bytes().subspan(kOctets - left_, out.size());
    std::ranges::copy(from, out.begin());
    base::wipe(from.data(), from.size());
    left_ -= out.size();
  }

 private:
  static constexpr std::size_t kOctets = 1024, kLargest = 64;

  void refill() {
    forks_ = forks;
    generate(octets_.bytes());
    left_ = kOctets;
  }

  base::Secret octets_{kOctets};
  std::size_t left_ = 0;
  std::uint64_t forks_ = 0;
};

}  // namespace

void SystemRng::fill(std::span<std::uint8_t> out) {
  static thread_local Stock stock;
  stock.take(out);
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
