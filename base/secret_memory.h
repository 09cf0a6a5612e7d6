// SPDX-License-Identifier: Apache-2.0
// Where key material lies: pages of its own, locked (never in swap), left out of core dumps, between two pages that
// nobody may touch. What is given back is wiped. Secret and OpenSSL take their memory here.
#pragma once

#include <cstddef>

namespace espgate::base {

// Overwrites memory in a way the compiler may not leave out.
void wipe(void* data, std::size_t size);

// `size` octets, all zero, aligned to 16; nullptr for none. Never fails otherwise: without memory the process ends. May
// be called on any thread.
[[nodiscard]] void* secret_take(std::size_t size);
// Wipes them. `size` as it was asked for.
void secret_give_back(void* data, std::size_t size);

struct SecretMemory {
  std::size_t reserved = 0;  // octets of pages for secrets, in use or not
  std::size_t unlocked = 0;  // of them: could not be locked (RLIMIT_MEMLOCK), so the system may swap them out
};
[[nodiscard]] SecretMemory secret_memory();
// `tell` is called once, on whichever thread takes the first page that cannot be locked, or the next one after that.
void secret_on_unlocked(void (*tell)());

}  // namespace espgate::base
