// SPDX-License-Identifier: Apache-2.0
#include "gateway/openssl_memory.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/secret_memory.h"

namespace espgate::gateway {

namespace {

// A sanitizer has to see OpenSSL's allocations as they are.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// OpenSSL gives memory back without saying how much it was: its size stands before it.
constexpr std::size_t kBefore = 16;

std::size_t size_of(void* block) {
  std::size_t size = 0;
  std::memcpy(&size, static_cast<std::uint8_t*>(block) - kBefore, sizeof size);
  return size;
}

void* take(std::size_t size, const char* /*file*/, int /*line*/) {
  if (size == 0 || size > std::numeric_limits<std::size_t>::max() / 2) return nullptr;
  auto* whole = static_cast<std::uint8_t*>(base::secret_take(size + kBefore));
  std::memcpy(whole, &size, sizeof size);
  return whole + kBefore;
}

void give_back(void* block, const char* /*file*/, int /*line*/) {
  if (block == nullptr) return;
  base::secret_give_back(static_cast<std::uint8_t*>(block) - kBefore, size_of(block) + kBefore);
}

void* resize(void* block, std::size_t size, const char* file, int line) {
  if (block == nullptr) return take(size, file, line);
  if (size == 0) {
    give_back(block, file, line);
    return nullptr;
  }
  void* other = take(size, file, line);
  if (other == nullptr) return nullptr;
  std::memcpy(other, block, std::min(size, size_of(block)));
  give_back(block, file, line);
  return other;
}

}  // namespace

void openssl_takes_secret_memory() {
  if (!kSanitized) (void)CRYPTO_set_mem_functions(take, resize, give_back);
}

}  // namespace espgate::gateway
