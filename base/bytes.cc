// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

namespace espgate::base {

std::optional<std::uint64_t> ByteReader::big_endian(std::size_t octets) {
  auto bytes = take(octets);
  if (!bytes) return std::nullopt;
  std::uint64_t value = 0;
  for (auto octet : *bytes) value = value << 8 | octet;
  return value;
}

namespace {
template <class T>
std::optional<T> narrow(std::optional<std::uint64_t> value) {
  if (!value) return std::nullopt;
  return static_cast<T>(*value);
}
}  // namespace

std::optional<std::uint8_t> ByteReader::u8() { return narrow<std::uint8_t>(big_endian(1)); }
std::optional<std::uint16_t> ByteReader::u16() { return narrow<std::uint16_t>(big_endian(2)); }
std::optional<std::uint32_t> ByteReader::u32() { return narrow<std::uint32_t>(big_endian(4)); }
std::optional<std::uint64_t> ByteReader::u64() { return big_endian(8); }

std::optional<ByteView> ByteReader::take(std::size_t count) {
  if (count > left()) return std::nullopt;
  auto out = data_.subspan(at_, count);
  at_ += count;
  return out;
}

ByteView ByteReader::rest() { return *take(left()); }

void ByteWriter::big_endian(std::uint64_t value, std::size_t octets) {
  for (std::size_t i = octets; i-- > 0;) out_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void ByteWriter::patch_u16(std::size_t at, std::uint16_t value) {
  out_.at(at) = static_cast<std::uint8_t>(value >> 8);
  out_.at(at + 1) = static_cast<std::uint8_t>(value);
}

void ByteWriter::patch_u32(std::size_t at, std::uint32_t value) {
  patch_u16(at, static_cast<std::uint16_t>(value >> 16));
  patch_u16(at + 2, static_cast<std::uint16_t>(value));
}

std::string to_hex(ByteView bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (auto octet : bytes) {
    out.push_back(kDigits[octet >> 4]);
    out.push_back(kDigits[octet & 15]);
  }
  return out;
}

namespace {
int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
}  // namespace

std::optional<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  Bytes out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    int high = digit(text[i]);
    int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return out;
}

}  // namespace espgate::base
