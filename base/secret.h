// SPDX-License-Identifier: Apache-2.0
// Key material: in memory of its own (secret_memory.h), wiped when it goes, never printed, compared in constant time,
// copied only by name.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/secret_memory.h"

namespace espgate::base {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::size_t size) : data_(static_cast<std::uint8_t*>(secret_take(size))), size_(size) {}
  static Secret copy_of(ByteView bytes);

  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { clear(); }

  [[nodiscard]] Secret clone() const { return copy_of(view()); }
  [[nodiscard]] ByteView view() const { return {data_, size_}; }
  [[nodiscard]] std::span<std::uint8_t> bytes() { return {data_, size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] ByteView part(std::size_t offset, std::size_t count) const { return view().subspan(offset, count); }
  void clear();

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

// Equal in size and content; time depends on the size alone (CRYPTO_memcmp).
bool equal_constant_time(ByteView a, ByteView b);

}  // namespace espgate::base
