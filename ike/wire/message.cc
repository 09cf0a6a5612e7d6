// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/message.h"

#include <algorithm>
#include <array>

#include "ike/wire/chain.h"

namespace espgate::ike::wire {

namespace {
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

template <class T>
Parsed<Payload> as_payload(Parsed<T> parsed) {
  if (!parsed) return std::unexpected(parsed.error());
  return Payload(std::move(*parsed));
}

Parsed<Payload> parse_payload(const RawPayload& raw) {
  switch (raw.type) {
    case PayloadType::sa:
      return as_payload(parse_sa(raw.body));
    case PayloadType::ke:
      return as_payload(parse_ke(raw.body));
    case PayloadType::nonce:
      return as_payload(parse_nonce(raw.body));
    case PayloadType::id_i:
    case PayloadType::id_r:
      return as_payload(parse_id(raw.type == PayloadType::id_i, raw.body));
    case PayloadType::auth:
      return as_payload(parse_auth(raw.body));
    case PayloadType::notify:
      return as_payload(parse_notify(raw.body));
    case PayloadType::del:
      return as_payload(parse_delete(raw.body));
    case PayloadType::ts_i:
    case PayloadType::ts_r:
      return as_payload(parse_ts(raw.type == PayloadType::ts_i, raw.body));
    case PayloadType::cert:
      return as_payload(parse_cert(raw.body));
    case PayloadType::cert_req:
      return as_payload(parse_cert_request(raw.body));
    case PayloadType::vendor_id:
      return VendorIdPayload{{raw.body.begin(), raw.body.end()}};
    default:
      return OpaquePayload{raw.type, raw.critical, {raw.body.begin(), raw.body.end()}};
  }
}

Parsed<Payloads> parse_all(const std::vector<RawPayload>& chain, std::size_t offset) {
  Payloads out;
  out.reserve(chain.size());
  for (const auto& raw : chain) {
    if (raw.type == PayloadType::sk) {
      out.emplace_back(EncryptedPayload{raw.next, offset + raw.offset});
      continue;
    }
    auto payload = parse_payload(raw);
    if (!payload) return std::unexpected(payload.error());
    out.push_back(std::move(*payload));
  }
  return out;
}
}  // namespace

PayloadType type_of(const Payload& payload) {
  return std::visit(Overloaded{
                        [](const SaPayload&) { return PayloadType::sa; },
                        [](const KePayload&) { return PayloadType::ke; },
                        [](const NoncePayload&) { return PayloadType::nonce; },
                        [](const IdPayload& id) { return id.initiator ? PayloadType::id_i : PayloadType::id_r; },
                        [](const AuthPayload&) { return PayloadType::auth; },
                        [](const NotifyPayload&) { return PayloadType::notify; },
                        [](const DeletePayload&) { return PayloadType::del; },
                        [](const TsPayload& ts) { return ts.initiator ? PayloadType::ts_i : PayloadType::ts_r; },
                        [](const CertPayload&) { return PayloadType::cert; },
                        [](const CertRequestPayload&) { return PayloadType::cert_req; },
                        [](const VendorIdPayload&) { return PayloadType::vendor_id; },
                        [](const EncryptedPayload&) { return PayloadType::sk; },
                        [](const OpaquePayload& opaque) { return opaque.type; },
                    },
                    payload);
}

Parsed<Message> parse_message(base::ByteView message) {
  const auto header = parse_header(message);
  if (!header) return std::unexpected(header.error());
  const auto chain = split_chain(header->next, message.subspan(kHeaderOctets));
  if (!chain) return std::unexpected(chain.error());
  auto payloads = parse_all(*chain, kHeaderOctets);
  if (!payloads) return std::unexpected(payloads.error());
  return Message{*header, std::move(*payloads)};
}

Parsed<Payloads> parse_payloads(PayloadType first, base::ByteView octets) {
  const auto chain = split_chain(first, octets);
  if (!chain) return std::unexpected(chain.error());
  if (!chain->empty() && (chain->back().type == PayloadType::sk || chain->back().type == PayloadType::skf)) {
    return std::unexpected(Fault{.error = WireError::misplaced_sk, .payload = chain->back().type});
  }
  return parse_all(*chain, 0);
}

namespace {
void write_body(base::ByteWriter& out, const Payload& payload) {
  std::visit(Overloaded{
                 [](const EncryptedPayload&) {},
                 [&](const VendorIdPayload& vendor) { out.put(vendor.data); },
                 [&](const OpaquePayload& opaque) { out.put(opaque.body); },
                 [&](const auto& other) { write(out, other); },
             },
             payload);
}

// Only a payload that its receiver may not know can be critical (RFC 7296 2.5).
std::uint8_t flags_of(const Payload& payload) {
  const auto* opaque = std::get_if<OpaquePayload>(&payload);
  return opaque != nullptr && opaque->critical ? 0x80 : 0;
}
}  // namespace

PayloadType write_payloads(base::ByteWriter& out, const Payloads& payloads) {
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const PayloadType next = i + 1 < payloads.size() ? type_of(payloads[i + 1]) : PayloadType::none;
    const std::size_t begin = out.size();
    out.u8(static_cast<std::uint8_t>(next));
    out.u8(flags_of(payloads[i]));
    out.u16(0);  // patched below
    write_body(out, payloads[i]);
    out.patch_u16(begin + 2, static_cast<std::uint16_t>(out.size() - begin));
  }
  return payloads.empty() ? PayloadType::none : type_of(payloads.front());
}

base::Bytes write_message(Header header, const Payloads& payloads) {
  base::ByteWriter out;
  header.next = payloads.empty() ? PayloadType::none : type_of(payloads.front());
  write_header(out, header);
  write_payloads(out, payloads);
  patch_length(out);
  return out.take();
}

const IdPayload* find_id(const Payloads& payloads, bool initiator) {
  for (const auto& payload : payloads) {
    const auto* id = std::get_if<IdPayload>(&payload);
    if (id != nullptr && id->initiator == initiator) return id;
  }
  return nullptr;
}

const TsPayload* find_ts(const Payloads& payloads, bool initiator) {
  for (const auto& payload : payloads) {
    const auto* ts = std::get_if<TsPayload>(&payload);
    if (ts != nullptr && ts->initiator == initiator) return ts;
  }
  return nullptr;
}

const NotifyPayload* find_notify(const Payloads& payloads, NotifyType type) {
  for (const auto& payload : payloads) {
    const auto* notify = std::get_if<NotifyPayload>(&payload);
    if (notify != nullptr && notify->type == type) return notify;
  }
  return nullptr;
}

const NotifyPayload* find_error(const Payloads& payloads) {
  for (const auto& payload : payloads) {
    const auto* notify = std::get_if<NotifyPayload>(&payload);
    if (notify != nullptr && notify->is_error()) return notify;
  }
  return nullptr;
}

bool repeats(const Payloads& payloads) {
  using enum PayloadType;
  return std::ranges::any_of(std::array{sa, ke, nonce, id_i, id_r, auth, ts_i, ts_r},
                             [&](PayloadType type) { return count(payloads, type) > 1; });
}

std::size_t count(const Payloads& payloads, PayloadType type) {
  return static_cast<std::size_t>(std::ranges::count(payloads, type, type_of));
}

}  // namespace espgate::ike::wire
