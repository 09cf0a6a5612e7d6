// SPDX-License-Identifier: Apache-2.0
// A whole message or the inside of an SK payload as a list of typed payloads, and back.
#pragma once

#include <variant>
#include <vector>

#include "base/bytes.h"
#include "ike/wire/cert.h"
#include "ike/wire/error.h"
#include "ike/wire/header.h"
#include "ike/wire/id.h"
#include "ike/wire/ke.h"
#include "ike/wire/notify.h"
#include "ike/wire/opaque.h"
#include "ike/wire/sa.h"
#include "ike/wire/ts.h"

namespace espgate::ike::wire {

using Payload =
    std::variant<SaPayload, KePayload, NoncePayload, IdPayload, AuthPayload, NotifyPayload, DeletePayload, TsPayload,
                 CertPayload, CertRequestPayload, VendorIdPayload, EncryptedPayload, OpaquePayload>;
using Payloads = std::vector<Payload>;

struct Message {
  Header header;
  Payloads payloads;  // as they came; one EncryptedPayload, last, stands for an SK payload
};

PayloadType type_of(const Payload& payload);

// Reads a datagram (without non-ESP marker). The caller keeps the octets: AUTH signs the first messages as they were
// sent, and open() needs them. Unknown payloads without the critical bit are kept as OpaquePayload.
Parsed<Message> parse_message(base::ByteView message);

// Reads a chain of payloads that is no message of its own: what was inside an SK payload. No SK in it.
Parsed<Payloads> parse_payloads(PayloadType first, base::ByteView octets);

// Appends the payloads, linked, the last one's next payload being `none`; returns the type of the first for the header
// or SK payload before. EncryptedPayload is none of these: precondition.
PayloadType write_payloads(base::ByteWriter& out, const Payloads& payloads);

// An unencrypted message: IKE_SA_INIT, or an error outside of an IKE SA. `next` and `length` of the header are set.
base::Bytes write_message(Header header, const Payloads& payloads);

// The first payload of a type; nullptr if there is none.
template <class T>
const T* find(const Payloads& payloads) {
  for (const auto& payload : payloads) {
    if (const T* found = std::get_if<T>(&payload)) return found;
  }
  return nullptr;
}
const IdPayload* find_id(const Payloads& payloads, bool initiator);
const TsPayload* find_ts(const Payloads& payloads, bool initiator);
const NotifyPayload* find_notify(const Payloads& payloads, NotifyType type);
// The first notify that is an error (type below 16384).
const NotifyPayload* find_error(const Payloads& payloads);
// How many payloads of this type there are; a second SA, KE, nonce, ID, AUTH or TS of a kind is a syntax error.
std::size_t count(const Payloads& payloads, PayloadType type);
// Whether one of those is there twice.
bool repeats(const Payloads& payloads);

}  // namespace espgate::ike::wire
