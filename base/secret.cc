// SPDX-License-Identifier: Apache-2.0
#include "base/secret.h"

#include <cstring>
#include <utility>

namespace espgate::base {

void wipe(void* data, std::size_t size) {
  if (size != 0) explicit_bzero(data, size);
}

Secret Secret::copy_of(ByteView bytes) {
  Secret out(bytes.size());
  if (!bytes.empty()) std::memcpy(out.data_.data(), bytes.data(), bytes.size());
  return out;
}

Secret::Secret(Secret&& other) noexcept : data_(std::move(other.data_)) { other.data_.clear(); }

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    clear();
    data_ = std::move(other.data_);
    other.data_.clear();
  }
  return *this;
}

void Secret::clear() {
  wipe(data_.data(), data_.size());
  data_.clear();
}

bool equal_constant_time(ByteView a, ByteView b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace espgate::base
