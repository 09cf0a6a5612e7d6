// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>

namespace espgate::sad {

// Indices of a table of fixed size: the lowest free one is next. Inside sad/ only.
class Indices {
 public:
  explicit Indices(std::uint32_t size) : size_(size) {}

  std::optional<std::uint32_t> take() {
    if (!freed_.empty()) return freed_.extract(freed_.begin()).value();
    if (fresh_ == size_) return std::nullopt;
    return fresh_++;
  }
  // Marks one as taken that a former self left.
  void claim(std::uint32_t index) {
    for (; fresh_ <= index && fresh_ < size_; ++fresh_) freed_.insert(fresh_);
    freed_.erase(index);
  }
  void give_back(std::uint32_t index) { freed_.insert(index); }
  [[nodiscard]] std::size_t left() const { return size_ - fresh_ + freed_.size(); }

 private:
  std::uint32_t size_, fresh_ = 0;
  std::set<std::uint32_t> freed_;  // below fresh_, and free
};

}  // namespace espgate::sad
