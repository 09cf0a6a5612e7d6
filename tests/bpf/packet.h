// SPDX-License-Identifier: Apache-2.0
// Packets for the BPF tests, built layer by layer: Packet().vlan(7).ipv4("192.0.2.1", "192.0.2.2", 50).esp(0x1234).
// Lengths and checksums are filled in by bytes(); lie about them with the functions that say so.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/address.h"
#include "base/bytes.h"

namespace espgate::test {

// RFC 1071, of octets and what was summed before; of a packet whose checksum is right it is 0.
inline std::uint16_t internet_checksum(base::ByteView octets, std::uint32_t before = 0) {
  std::uint32_t sum = before;
  for (std::size_t i = 0; i < octets.size(); ++i) sum += i % 2 == 0 ? octets[i] << 8U : octets[i];
  while (sum >> 16U != 0) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

// Of the UDP datagram at `udp` up to the end of the frame, its IP header at `ip`, without options.
inline std::uint16_t udp_checksum(base::ByteView frame, std::size_t ip, std::size_t udp) {
  const bool v4 = frame[ip] >> 4U == 4;
  const base::ByteView datagram = frame.subspan(udp);
  const base::ByteView addresses = frame.subspan(ip + (v4 ? 12 : 8), v4 ? 8 : 32);
  std::uint32_t pseudo = 17 + static_cast<std::uint32_t>(datagram.size());
  for (std::size_t i = 0; i < addresses.size(); i += 2)
    pseudo += static_cast<std::uint32_t>(addresses[i] << 8U | addresses[i + 1]);
  return internet_checksum(datagram, pseudo);
}

class Packet {
 public:
  Packet() { out_.zeros(12); }

  // Six octets each; they are zero unless said.
  Packet& macs(base::ByteView destination, base::ByteView source) {
    for (std::size_t i = 0; i < 6; ++i) {
      out_.patch_u8(i, destination[i]);
      out_.patch_u8(6 + i, source[i]);
    }
    return *this;
  }

  Packet& vlan(std::uint16_t tag, std::uint16_t type = 0x8100) {
    out_.u16(type);
    out_.u16(tag);
    return *this;
  }
  Packet& ether(std::uint16_t type) {
    out_.u16(type);
    return *this;
  }
  // `fragment`: the 16 bits of flags and offset. `options`: octets, a multiple of 4.
  Packet& ipv4(std::string_view src, std::string_view dst, std::uint8_t proto, std::uint16_t fragment = 0,
               std::uint8_t options = 0) {
    ether(0x0800);
    ip_ = out_.size();
    v4_ = true;
    out_.u8(static_cast<std::uint8_t>(0x45 + options / 4));
    out_.u8(0);
    out_.u16(0);
    out_.u16(1);
    out_.u16(fragment);
    out_.u8(64);
    out_.u8(proto);
    out_.u16(0);
    out_.put(base::Address::parse(src)->octets());
    out_.put(base::Address::parse(dst)->octets());
    out_.zeros(options);
    return *this;
  }
  // As espgate sends answers: no identification, never fragmented.
  Packet& answer4(std::string_view src, std::string_view dst) {
    ipv4(src, dst, 17, 0x4000);
    out_.patch_u16(ip_ + 4, 0);
    return *this;
  }
  Packet& ip_id(std::uint16_t id) {
    out_.patch_u16(ip_ + 4, id);
    return *this;
  }
  Packet& ipv6(std::string_view src, std::string_view dst, std::uint8_t next) {
    ether(0x86dd);
    ip_ = out_.size();
    v4_ = false;
    out_.u32(0x60000000);
    out_.u16(0);
    out_.u8(next);
    out_.u8(64);
    out_.put(base::Address::parse(src)->octets());
    out_.put(base::Address::parse(dst)->octets());
    return *this;
  }
  Packet& extension(std::uint8_t next,
                    std::uint8_t more_octets = 0) {  // hop-by-hop, routing, options: 8 octets and more
    out_.u8(next);
    out_.u8(more_octets / 8);
    out_.zeros(6U + more_octets);
    return *this;
  }
  Packet& fragment6(std::uint8_t next, std::uint16_t offset_and_flag) {
    out_.u8(next);
    out_.u8(0);
    out_.u16(offset_and_flag);
    out_.u32(9);
    return *this;
  }
  Packet& udp(std::uint16_t src, std::uint16_t dst) {
    udp_ = out_.size();
    out_.u16(src);
    out_.u16(dst);
    out_.u32(0);
    return *this;
  }
  Packet& ah(std::uint32_t spi, std::size_t payload = 40) {
    out_.u8(50);
    out_.u8(4);
    out_.u16(0);
    out_.u32(spi);
    out_.u32(1);
    return zeros(payload);
  }
  Packet& put(base::ByteView octets) {
    out_.put(octets);
    return *this;
  }
  Packet& esp(std::uint32_t spi, std::size_t payload = 40) {
    out_.u32(spi);
    out_.u32(1);
    return zeros(payload);
  }
  Packet& marker() {  // the non-ESP marker, RFC 3948 2.2
    out_.u32(0);
    return *this;
  }
  Packet& u8(std::uint8_t octet) {
    out_.u8(octet);
    return *this;
  }
  Packet& zeros(std::size_t count) {
    out_.zeros(count);
    return *this;
  }
  Packet& ip_length(std::uint16_t lie) {
    lie_ = lie;
    return *this;
  }
  Packet& udp_length(std::uint16_t lie) {
    udp_lie_ = lie;
    return *this;
  }
  Packet& wrong_ip_checksum() {
    wrong_ip_ = true;
    return *this;
  }
  Packet& wrong_udp_checksum() {
    udp_sum_ = UdpSum::wrong;
    return *this;
  }
  Packet& no_udp_checksum() {  // zero: fine over IPv4 (RFC 768), not over IPv6 (RFC 8200 8.1)
    udp_sum_ = UdpSum::none;
    return *this;
  }
  Packet& cut(std::size_t octets) {  // only so many octets arrive
    cut_ = octets;
    return *this;
  }

  [[nodiscard]] base::Bytes bytes() {
    if (udp_ != 0) out_.patch_u16(udp_ + 4, udp_lie_ != 0 ? udp_lie_ : static_cast<std::uint16_t>(out_.size() - udp_));
    if (ip_ != 0) {
      const std::size_t length = lie_ != 0 ? lie_ : out_.size() - ip_ - (v4_ ? 0 : 40);
      out_.patch_u16(ip_ + (v4_ ? 2 : 4), static_cast<std::uint16_t>(length));
    }
    if (ip_ != 0 && v4_) {
      const std::size_t octets = std::size_t{4} * (out_.view()[ip_] & 15U);
      out_.patch_u16(ip_ + 10, wrong_ip_ ? 1 : internet_checksum(out_.view().subspan(ip_, octets)));
    }
    if (udp_ != 0) {
      const std::uint16_t sum = udp_checksum(out_.view(), ip_, udp_);
      out_.patch_u16(udp_ + 6, sum != 0 ? sum : 0xffff);
      if (udp_sum_ == UdpSum::wrong) out_.patch_u16(udp_ + 6, sum == 0x1234 ? 0x4321 : 0x1234);
      if (udp_sum_ == UdpSum::none) out_.patch_u16(udp_ + 6, 0);
    }
    base::Bytes all = out_.take();
    if (cut_ != 0 && cut_ < all.size()) all.resize(cut_);
    return all;
  }

 private:
  base::ByteWriter out_;
  std::size_t ip_ = 0, udp_ = 0, cut_ = 0;
  std::uint16_t lie_ = 0, udp_lie_ = 0;
  bool v4_ = true, wrong_ip_ = false;
  enum class UdpSum : std::uint8_t { right, wrong, none } udp_sum_ = UdpSum::right;
};

}  // namespace espgate::test
