// SPDX-License-Identifier: Apache-2.0
// Key material: wiped when it goes, never printed, compared in constant time, copied only by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace espgate::base {

// Overwrites memory in a way the compiler may not leave out.
void wipe(void* data, std::size_t size);

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::size_t size) : data_(size) {}
  static Secret copy_of(ByteView bytes);

  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { clear(); }

  [[nodiscard]] Secret clone() const { return copy_of(view()); }
  [[nodiscard]] ByteView view() const { return data_; }
  [[nodiscard]] std::span<std::uint8_t> bytes() { return data_; }
  [[nodiscard]] std::size_t size() const { return data_.size(); }
  [[nodiscard]] bool empty() const { return data_.empty(); }
  [[nodiscard]] ByteView part(std::size_t offset, std::size_t count) const { return view().subspan(offset, count); }
  void clear();

 private:
  std::vector<std::uint8_t> data_;
};

// Equal in size and content; time depends on the size alone.
bool equal_constant_time(ByteView a, ByteView b);

}  // namespace espgate::base
