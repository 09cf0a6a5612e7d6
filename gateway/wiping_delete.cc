// SPDX-License-Identifier: Apache-2.0
// espgated's own `delete`: what is given back to the heap is wiped first. Keys live elsewhere (base/secret_memory.h),
// but they pass through the text of a configuration, a message of the control socket, a datagram on its way. Sanitizers
// have their own.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#include <malloc.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace {
void wipe_and_free(void* block) noexcept {
  if (block == nullptr) return;
  explicit_bzero(block, malloc_usable_size(block));
  std::free(block);
}
}  // namespace

void operator delete(void* block) noexcept { wipe_and_free(block); }
void operator delete[](void* block) noexcept { wipe_and_free(block); }
void operator delete(void* block, std::size_t /*size*/) noexcept { wipe_and_free(block); }
void operator delete[](void* block, std::size_t /*size*/) noexcept { wipe_and_free(block); }
void operator delete(void* block, std::align_val_t /*alignment*/) noexcept { wipe_and_free(block); }
void operator delete[](void* block, std::align_val_t /*alignment*/) noexcept { wipe_and_free(block); }
void operator delete(void* block, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept {
  wipe_and_free(block);
}
void operator delete[](void* block, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept {
  wipe_and_free(block);
}
#endif
