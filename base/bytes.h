// SPDX-License-Identifier: Apache-2.0
// Octets in network order: a reader that cannot run past the end and a writer that can patch lengths in afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace espgate::base {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// Reads big-endian integers and octet runs; every read past the end gives nullopt and moves nothing.
class ByteReader {
 public:
  explicit ByteReader(ByteView data) : data_(data) {}

  std::optional<std::uint8_t> u8();
  std::optional<std::uint16_t> u16();
  std::optional<std::uint32_t> u32();
  std::optional<std::uint64_t> u64();
  std::optional<ByteView> take(std::size_t count);
  bool skip(std::size_t count) { return take(count).has_value(); }
  ByteView rest();  // everything left, consumed

  [[nodiscard]] std::size_t left() const { return data_.size() - at_; }
  [[nodiscard]] std::size_t position() const { return at_; }
  [[nodiscard]] bool done() const { return left() == 0; }

 private:
  std::optional<std::uint64_t> big_endian(std::size_t octets);
  ByteView data_;
  std::size_t at_ = 0;
};

// Appends big-endian integers and octet runs to a buffer it owns.
class ByteWriter {
 public:
  void u8(std::uint8_t value) { out_.push_back(value); }
  void u16(std::uint16_t value) { big_endian(value, 2); }
  void u32(std::uint32_t value) { big_endian(value, 4); }
  void u64(std::uint64_t value) { big_endian(value, 8); }
  void put(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  void zeros(std::size_t count) { out_.resize(out_.size() + count); }

  void patch_u16(std::size_t at, std::uint16_t value);
  void patch_u32(std::size_t at, std::uint32_t value);
  void patch_u8(std::size_t at, std::uint8_t value) { out_.at(at) = value; }

  [[nodiscard]] std::size_t size() const { return out_.size(); }
  [[nodiscard]] ByteView view() const { return out_; }
  [[nodiscard]] Bytes take() { return std::move(out_); }

 private:
  void big_endian(std::uint64_t value, std::size_t octets);
  Bytes out_;
};

std::string to_hex(ByteView bytes);                    // lower case, no separators
std::optional<Bytes> from_hex(std::string_view text);  // even count of hex digits, either case

}  // namespace espgate::base
