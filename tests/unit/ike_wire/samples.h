// SPDX-License-Identifier: Apache-2.0
// One good payload of each kind.
#pragma once

#include "ike/wire/message.h"

namespace espgate::ike::wire {

inline base::Bytes hex(std::string_view text) { return base::from_hex(text).value(); }

template <class T>
base::Bytes body_of(const T& payload) {
  base::ByteWriter out;
  write(out, payload);
  return out.take();
}

inline SaPayload sample_sa() {
  const SaProposal first{1, Protocol::esp, hex("c0ffee01"), {{1, 20, 128}, {1, 20, 256}, {5, 0}}};
  const SaProposal second{2, Protocol::esp, hex("c0ffee02"), {{1, 12, 256}, {3, 12}, {5, 0}}};
  return {{first, second}};
}
inline KePayload sample_ke() { return {31, base::Bytes(32, 0x0b)}; }
inline NoncePayload sample_nonce() { return {base::Bytes(32, 0x0c)}; }
inline IdPayload sample_id(bool initiator) {
  return {initiator, *Identity::parse(initiator ? "gw.example.org" : "192.0.2.1"), {}};
}
inline AuthPayload sample_auth() { return {kAuthSharedKey, base::Bytes(32, 0x0d)}; }
inline NotifyPayload sample_notify() { return notify(NotifyType::rekey_sa, base::Spi{0xc0ffee03}, hex("010203")); }
inline DeletePayload sample_delete() { return {Protocol::esp, {{0xc0ffee04}, {0xc0ffee05}}}; }
inline TsPayload sample_ts(bool initiator) {
  const auto v4 = base::TrafficSelector::of(*base::Prefix::parse("10.1.0.0/16"));
  auto v6 = base::TrafficSelector::of(*base::Prefix::parse("2001:db8::/32"));
  v6.protocol = 17;
  v6.first_port = v6.last_port = 53;
  return {initiator, {v4, v6}};
}

inline Payloads all_samples() {
  return {sample_sa(),
          sample_ke(),
          sample_nonce(),
          sample_id(true),
          sample_id(false),
          sample_auth(),
          sample_notify(),
          sample_delete(),
          sample_ts(true),
          sample_ts(false),
          VendorIdPayload{hex("76656e646f72")},
          OpaquePayload{PayloadType::cert_req, false, hex("04")}};
}

inline Header sample_header(ExchangeType exchange) {
  Header header;
  header.spi_i = {0x1122334455667788};
  header.exchange = exchange;
  header.from_initiator = true;
  return header;
}

}  // namespace espgate::ike::wire
