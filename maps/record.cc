// SPDX-License-Identifier: Apache-2.0
#include "maps/record.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/fd.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace espgate::maps {

namespace {

template <std::size_t N>
void put_text(char (&to)[N], std::string_view text) {
  const std::size_t octets = std::min(text.size(), N - 1);
  std::memset(to, 0, N);
  std::ranges::copy(text.substr(0, octets), to);
}

template <std::size_t N>
std::string get_text(const char (&from)[N]) {
  return {from, strnlen(from, N - 1)};  // always NUL-terminated, if it is ours
}

void put_address(std::uint8_t (&to)[16], const base::Address& address) {
  std::memcpy(to, address.raw().data(), sizeof to);
}

base::Address get_address(const std::uint8_t (&from)[16], std::uint8_t family) {
  const std::size_t octets = family == AF_INET6 ? 16 : 4;
  return base::Address::from_octets({from, octets}).value_or(base::Address{});
}

base::Prefix get_prefix(const std::uint8_t (&from)[16], std::uint8_t family, std::uint8_t length) {
  const base::Address address = get_address(from, family);
  const auto most = static_cast<std::uint8_t>(8 * base::octets(address.family()));
  return {address, std::min(length, most)};
}

}  // namespace

void SaRecord::set_suite(const base::EspSuite& with) {
  suite = with.name();
  esn = with.esn;
  const std::size_t iv = with.ah() ? 0 : with.aead() ? 8 : 16;  // RFC 4106 3.1, RFC 7634 2, RFC 3602 3
  overhead = static_cast<std::uint8_t>(iv + with.icv_octets());
}

espgate_sa_entry to_abi(const SaRecord& record, std::uint32_t generation) {
  espgate_sa_entry out{};
  out.generation = generation;
  out.in_use = 1;
  out.child_id = record.child.value;
  out.child_uid = record.uid.value;
  out.netns = record.netns;
  out.installed_at = record.installed_at;
  put_address(out.src, record.src);
  put_address(out.dst, record.dst);
  out.spi = htonl(record.spi.value);
  out.ifindex = record.ifindex;
  out.reqid = record.reqid;
  out.ike_id = static_cast<std::uint32_t>(record.ike_id);
  out.family = static_cast<std::uint8_t>(record.dst.family());
  out.proto = record.proto;
  out.direction = record.direction == base::Direction::in ? ESPGATE_IN : ESPGATE_OUT;
  out.mode = record.mode == base::SaMode::tunnel ? ESPGATE_TUNNEL : ESPGATE_TRANSPORT;
  out.wanted = static_cast<std::uint8_t>(record.wanted);
  out.actual = static_cast<std::uint8_t>(record.actual);
  out.encap = record.encap ? 1 : 0;
  out.esn = record.esn ? 1 : 0;
  out.overhead = record.overhead;
  put_text(out.suite, record.suite);
  put_text(out.conn, record.conn);
  put_text(out.child, record.child_name);
  put_text(out.reason_code, record.reason_code);
  put_text(out.reason, record.reason);
  put_text(out.device, record.device);
  return out;
}

SaRecord from_abi(const espgate_sa_entry& entry) {
  SaRecord out;
  out.child.value = entry.child_id;
  out.uid.value = entry.child_uid;
  out.ike_id = entry.ike_id;
  out.netns = entry.netns;
  out.installed_at = entry.installed_at;
  out.direction = entry.direction == ESPGATE_IN ? base::Direction::in : base::Direction::out;
  out.spi.value = ntohl(entry.spi);
  out.src = get_address(entry.src, entry.family);
  out.dst = get_address(entry.dst, entry.family);
  out.proto = entry.proto;
  out.encap = entry.encap != 0;
  out.mode = entry.mode == ESPGATE_TUNNEL ? base::SaMode::tunnel : base::SaMode::transport;
  out.suite = get_text(entry.suite);
  out.overhead = entry.overhead;
  out.esn = entry.esn != 0;
  out.reqid = entry.reqid;
  out.conn = get_text(entry.conn);
  out.child_name = get_text(entry.child);
  out.wanted =
      entry.wanted <= ESPGATE_WANT_PACKET ? static_cast<base::OffloadWanted>(entry.wanted) : base::OffloadWanted::no;
  out.actual = entry.actual <= ESPGATE_ACTUAL_PACKET ? static_cast<base::OffloadActual>(entry.actual)
                                                     : base::OffloadActual::none;
  out.reason_code = get_text(entry.reason_code);
  out.reason = get_text(entry.reason);
  out.device = get_text(entry.device);
  out.ifindex = entry.ifindex;
  return out;
}

espgate_policy_entry to_abi(const PolicyRecord& record) {
  espgate_policy_entry out{};
  out.netns = record.netns;
  out.child_uid = record.uid.value;
  put_address(out.src, record.src.address());
  put_address(out.dst, record.dst.address());
  out.priority = record.priority;
  out.if_id = record.if_id;
  out.ifindex = record.ifindex;
  out.mark = record.mark;
  out.mark_mask = record.mark_mask;
  out.src_port = htons(record.src_port);
  out.src_port_mask = htons(record.src_port_mask);
  out.dst_port = htons(record.dst_port);
  out.dst_port_mask = htons(record.dst_port_mask);
  out.in_use = 1;
  out.kind = static_cast<std::uint8_t>(record.kind);
  out.dir = static_cast<std::uint8_t>(record.dir);
  out.family = static_cast<std::uint8_t>(record.src.family());
  out.src_length = record.src.length();
  out.dst_length = record.dst.length();
  out.proto = record.proto;
  out.offload = record.offload ? 1 : 0;
  put_text(out.conn, record.conn);
  put_text(out.child, record.child);
  return out;
}

PolicyRecord from_abi(const espgate_policy_entry& entry) {
  PolicyRecord out;
  out.kind = static_cast<PolicyKind>(entry.kind);
  out.dir = static_cast<PolicyDir>(entry.dir);
  out.netns = entry.netns;
  out.uid.value = entry.child_uid;
  out.src = get_prefix(entry.src, entry.family, entry.src_length);
  out.dst = get_prefix(entry.dst, entry.family, entry.dst_length);
  out.proto = entry.proto;
  out.src_port = ntohs(entry.src_port);
  out.src_port_mask = ntohs(entry.src_port_mask);
  out.dst_port = ntohs(entry.dst_port);
  out.dst_port_mask = ntohs(entry.dst_port_mask);
  out.priority = entry.priority;
  out.if_id = entry.if_id;
  out.ifindex = entry.ifindex;
  out.mark = entry.mark;
  out.mark_mask = entry.mark_mask;
  out.offload = entry.offload != 0;
  out.conn = get_text(entry.conn);
  out.child = get_text(entry.child);
  return out;
}

espgate_sa_key key_of(const espgate_sa_entry& entry) {
  espgate_sa_key out{};
  out.netns = entry.netns;
  std::memcpy(out.daddr, entry.dst, sizeof out.daddr);
  out.spi = entry.spi;
  out.family = entry.family;
  out.proto = entry.proto;
  return out;
}

espgate_sa_value value_of(const espgate_sa_entry& entry, std::uint32_t slot) {
  espgate_sa_value out{};
  out.slot = slot;
  out.generation = entry.generation;
  out.direction = entry.direction;
  out.mode = entry.mode;
  out.wanted = entry.wanted;
  out.overhead = entry.overhead;
  return out;
}

std::uint64_t netns_cookie() {
  const base::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::uint64_t cookie = 0;
  socklen_t octets = sizeof cookie;
  if (!socket || ::getsockopt(socket.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &octets) != 0) return 0;
  return cookie;
}

}  // namespace espgate::maps
