// SPDX-License-Identifier: Apache-2.0
#include "base/secret_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ESPGATE_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ESPGATE_ASAN 1
#endif
#ifdef ESPGATE_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace espgate::base {

namespace {

// Blocks are powers of two, from a cache line's half to the largest netlink buffer; what is larger has its own pages.
constexpr std::size_t kSmallest = 32;
constexpr std::size_t kLargest = std::size_t{256} << 10;
constexpr std::size_t kClasses = std::bit_width(kLargest / kSmallest);
constexpr std::size_t kRegion = std::size_t{256} << 10;

std::size_t page_octets() {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

// Under AddressSanitizer a block that nobody has is as forbidden as one on its heap.
void forbid([[maybe_unused]] const void* data, [[maybe_unused]] std::size_t size) {
#ifdef ESPGATE_ASAN
  __asan_poison_memory_region(data, size);
#endif
}
void allow([[maybe_unused]] const void* data, [[maybe_unused]] std::size_t size) {
#ifdef ESPGATE_ASAN
  __asan_unpoison_memory_region(data, size);
#endif
}

// As operator new: whoever has a word for it says it (gateway/last_words.h).
[[noreturn]] void no_memory() {
  if (const auto handler = std::get_new_handler()) handler();
  std::abort();
}

class Arena {
 public:
  void* take(std::size_t size) {
    void* out = nullptr;
    void (*tell)() = nullptr;
    {
      const std::scoped_lock lock(mutex_);
      out = block(size);
      if (state_.unlocked != 0) tell = std::exchange(tell_, nullptr);
    }
    if (tell != nullptr) tell();
    return out;
  }

  void on_unlocked(void (*tell)()) {
    const std::scoped_lock lock(mutex_);
    tell_ = tell;
  }

  void give_back(void* data, std::size_t size) {
    wipe(data, size);
    const std::scoped_lock lock(mutex_);
    if (size > kLargest) return unmap(data, size);
    const auto index = class_of(size);
    allow(data, sizeof(Free));
    free_[index] = new (data) Free{free_[index]};
    forbid(data, kSmallest << index);
  }

  SecretMemory state() {
    const std::scoped_lock lock(mutex_);
    return state_;
  }

 private:
  struct Free {
    Free* next;
  };
  static_assert(sizeof(Free) <= kSmallest);

  void* block(std::size_t size) {
    if (size > kLargest) return pages(size);
    const auto index = class_of(size);
    const auto octets = kSmallest << index;
    Free* found = free_[index];
    if (found != nullptr) {
      allow(found, std::max(size, sizeof(Free)));
      free_[index] = found->next;
      found->next = nullptr;  // the rest of it is zero since it was given back
      return found;
    }
    if (left_ < octets) refill();
    allow(next_, size);
    left_ -= octets;
    return std::exchange(next_, next_ + octets);
  }

  static std::size_t class_of(std::size_t size) {
    return static_cast<std::size_t>(std::bit_width((std::max(size, std::size_t{1}) - 1) / kSmallest));
  }

  static std::size_t whole_pages(std::size_t size) {
    return (size + page_octets() - 1) / page_octets() * page_octets();
  }

  // Zeroed pages with one on either side that may not be touched.
  std::uint8_t* pages(std::size_t size) {
    const auto body = whole_pages(size);
    void* at = mmap(nullptr, body + 2 * page_octets(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    auto* begin = at == MAP_FAILED ? nullptr : static_cast<std::uint8_t*>(at) + page_octets();
    if (begin == nullptr || mprotect(begin, body, PROT_READ | PROT_WRITE) != 0) no_memory();
    (void)madvise(begin, body, MADV_DONTDUMP);
    if (mlock(begin, body) != 0) state_.unlocked += body;
    state_.reserved += body;
    return begin;
  }

  void unmap(void* data, std::size_t size) {
    const auto body = whole_pages(size);
    auto* begin = static_cast<std::uint8_t*>(data);
    munmap(begin - page_octets(), body + 2 * page_octets());
    state_.reserved -= body;
    // Which of the large ones were locked is not kept: too many of them unlocked are forgotten rather than too few.
    state_.unlocked = std::min(state_.unlocked, state_.reserved);
  }

  // What is left of the region before becomes smaller blocks.
  void refill() {
    while (left_ >= kSmallest) {
      const auto octets = std::min(std::bit_floor(left_), kLargest);
      allow(next_, sizeof(Free));
      auto& list = free_[class_of(octets)];
      list = new (next_) Free{list};
      forbid(next_, octets);
      next_ += octets;
      left_ -= octets;
    }
    next_ = pages(kRegion);
    left_ = kRegion;
    forbid(next_, left_);
  }

  std::mutex mutex_;
  std::array<Free*, kClasses> free_{};
  std::uint8_t* next_ = nullptr;
  std::size_t left_ = 0;
  SecretMemory state_;
  void (*tell_)() = nullptr;
};

// Never destroyed: secrets in static objects may outlive anything that is.
Arena& arena() {
  static auto& the_one = *new Arena;
  return the_one;
}

}  // namespace

void wipe(void* data, std::size_t size) {
  if (size != 0) explicit_bzero(data, size);
}

void* secret_take(std::size_t size) { return size == 0 ? nullptr : arena().take(size); }

void secret_give_back(void* data, std::size_t size) {
  if (data != nullptr) arena().give_back(data, size);
}

void secret_on_unlocked(void (*tell)()) { arena().on_unlocked(tell); }

SecretMemory secret_memory() { return arena().state(); }

}  // namespace espgate::base
