// SPDX-License-Identifier: Apache-2.0
// Packets for the BPF tests, built layer by layer: Packet().vlan(7).ipv4("192.0.2.1", "192.0.2.2", 50).esp(0x1234).
// Lengths are filled in by bytes(); lie about them with the functions that say so.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/address.h"
#include "base/bytes.h"

namespace espgate::test {

class Packet {
 public:
  Packet() { out_.zeros(12); }

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
  Packet& cut(std::size_t octets) {  // only so many octets arrive
    cut_ = octets;
    return *this;
  }

  [[nodiscard]] base::Bytes bytes() {
    if (udp_ != 0) out_.patch_u16(udp_ + 4, static_cast<std::uint16_t>(out_.size() - udp_));
    if (ip_ != 0) {
      const std::size_t length = lie_ != 0 ? lie_ : out_.size() - ip_ - (v4_ ? 0 : 40);
      out_.patch_u16(ip_ + (v4_ ? 2 : 4), static_cast<std::uint16_t>(length));
    }
    base::Bytes all = out_.take();
    if (cut_ != 0 && cut_ < all.size()) all.resize(cut_);
    return all;
  }

 private:
  base::ByteWriter out_;
  std::size_t ip_ = 0, udp_ = 0, cut_ = 0;
  std::uint16_t lie_ = 0;
  bool v4_ = true;
};

}  // namespace espgate::test
