// SPDX-License-Identifier: Apache-2.0
#include "ike/record/archive.h"

#include <algorithm>

namespace espgate::ike::record {

namespace {
constexpr std::size_t kFirst = 2048;
}

std::span<std::uint8_t> Writer::grow(std::size_t by) {
  if (size_ + by > data_.size()) {
    base::Secret larger(std::max({kFirst, data_.size() * 2, size_ + by}));
    std::ranges::copy(data_.view().first(size_), larger.bytes().begin());
    data_ = std::move(larger);
  }
  const auto out = data_.bytes().subspan(size_, by);
  size_ += by;
  return out;
}

void Writer::number(std::uint64_t value, std::size_t octets) {
  for (auto& octet : grow(octets)) octet = static_cast<std::uint8_t>(value >> (8 * --octets));
}

void Writer::octets(base::ByteView value) {
  if (value.size() > 0xffff) too_long_ = true;
  value = value.first(std::min<std::size_t>(value.size(), 0xffff));
  number(value.size(), 2);
  std::ranges::copy(value, grow(value.size()).begin());
}

std::size_t Writer::open_block() {
  number(0, 4);
  return size_;
}

void Writer::close_block(std::size_t begin) {
  auto length = size_ - begin;
  for (std::size_t i = 1; i <= 4; ++i, length >>= 8U) data_.bytes()[begin - i] = static_cast<std::uint8_t>(length);
}

base::Secret Writer::take() const {
  return too_long_ ? base::Secret() : base::Secret::copy_of(data_.view().first(size_));
}

std::uint64_t Reader::big_endian(std::size_t octets) {
  const auto run = ok_ ? reader_.take(octets) : std::nullopt;
  if (!run) {
    fail();
    return 0;
  }
  std::uint64_t out = 0;
  for (const auto octet : *run) out = out << 8U | octet;
  return out;
}

std::optional<base::ByteView> Reader::run() {
  const auto length = big_endian(2);
  const auto out = ok_ ? reader_.take(length) : std::nullopt;
  if (!out) fail();
  return out;
}

void Reader::octets(base::Bytes& value) {
  const auto got = run();
  value.clear();
  if (got) value.assign(got->begin(), got->end());
}

void Reader::octets(base::Secret& value) {
  const auto got = run();
  value = got ? base::Secret::copy_of(*got) : base::Secret();
}

}  // namespace espgate::ike::record
