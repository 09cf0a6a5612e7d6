// SPDX-License-Identifier: Apache-2.0
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace espgate::base {

std::optional<Address> Address::parse(std::string_view text) {
  const std::string zero_terminated(text);
  Address out;
  if (inet_pton(AF_INET, zero_terminated.c_str(), out.data_.data()) == 1) return out;
  out.family_ = Family::ipv6;
  if (inet_pton(AF_INET6, zero_terminated.c_str(), out.data_.data()) == 1) return out;
  return std::nullopt;
}

std::optional<Address> Address::from_octets(ByteView octets) {
  if (octets.size() != 4 && octets.size() != 16) return std::nullopt;
  Address out = any(octets.size() == 4 ? Family::ipv4 : Family::ipv6);
  std::ranges::copy(octets, out.data_.begin());
  return out;
}

Address Address::any(Family family) {
  Address out;
  out.family_ = family;
  return out;
}

Address Address::broadcast_of(Family family) {
  Address out = any(family);
  std::fill_n(out.data_.begin(), base::octets(family), std::uint8_t{0xff});
  return out;
}

bool Address::is_any() const {
  return std::ranges::all_of(data_, [](auto octet) { return octet == 0; });
}

std::string Address::text() const {
  char buffer[INET6_ADDRSTRLEN];
  if (is_v4()) {  // by hand, for tables of a million: the library goes by way of printf
    char* at = buffer;
    for (std::size_t i = 0; i < 4; ++i) {
      if (i > 0) *at++ = '.';
      at = std::to_chars(at, buffer + sizeof buffer, data_[i]).ptr;
    }
    return {buffer, at};
  }
  return inet_ntop(static_cast<int>(family_), data_.data(), buffer, sizeof buffer);
}

std::string Endpoint::text() const {
  auto host = address.is_v4() ? address.text() : "[" + address.text() + "]";
  return host + ":" + std::to_string(port);
}

std::optional<Endpoint> Endpoint::from_sockaddr(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &from, sizeof in);
    return Endpoint{*Address::from_octets({reinterpret_cast<const std::uint8_t*>(&in.sin_addr), 4}),
                    ntohs(in.sin_port)};
  }
  if (from.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &from, sizeof in);
    return Endpoint{*Address::from_octets({reinterpret_cast<const std::uint8_t*>(&in.sin6_addr), 16}),
                    ntohs(in.sin6_port)};
  }
  return std::nullopt;
}

socklen_t Endpoint::to_sockaddr(sockaddr_storage& to) const {
  to = {};
  if (address.is_v4()) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(port);
    std::memcpy(&out.sin_addr, address.raw().data(), 4);
    std::memcpy(&to, &out, sizeof out);
    return sizeof out;
  }
  sockaddr_in6 out{};
  out.sin6_family = AF_INET6;
  out.sin6_port = htons(port);
  std::memcpy(&out.sin6_addr, address.raw().data(), 16);
  std::memcpy(&to, &out, sizeof out);
  return sizeof out;
}

namespace {
// The address with its bits from `length` on cleared or set.
Address fill_host_bits(const Address& address, std::uint8_t length, bool set) {
  auto octets = address.raw();
  const std::size_t count = address.octets().size();
  if (const std::size_t whole = length / 8U; whole < count) {
    const auto mask = static_cast<std::uint8_t>(0xffU << (8 - length % 8U));
    octets[whole] =
        static_cast<std::uint8_t>(set ? octets[whole] | static_cast<std::uint8_t>(~mask) : octets[whole] & mask);
    std::fill_n(octets.begin() + whole + 1, count - whole - 1, set ? std::uint8_t{0xff} : std::uint8_t{0});
  }
  return *Address::from_octets({octets.data(), count});
}
}  // namespace

Prefix::Prefix(const Address& address, std::uint8_t length)
    : address_(fill_host_bits(address, length, false)), length_(length) {}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  auto address = Address::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return host(*address);
  const auto digits = text.substr(slash + 1);
  unsigned length = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (length > 8U * static_cast<unsigned>(octets(address->family()))) return std::nullopt;
  return Prefix(*address, static_cast<std::uint8_t>(length));
}

Prefix Prefix::host(const Address& address) {
  return {address, static_cast<std::uint8_t>(8 * octets(address.family()))};
}

Address Prefix::last() const { return fill_host_bits(address_, length_, true); }

bool Prefix::contains(const Address& address) const {
  return address.family() == family() && Prefix(address, length_).address() == address_;
}

std::string Prefix::text() const { return address_.text() + "/" + std::to_string(length_); }

}  // namespace espgate::base
