// SPDX-License-Identifier: Apache-2.0
// What AUTH payloads prove (RFC 7296 2.15), with shared keys or signatures, ours and the peer's.
#pragma once

#include <expected>
#include <optional>

#include "ike/context.h"
#include "ike/ike_sa.h"
#include "ike/wire/message.h"

namespace espgate::ike {

struct Proof {
  wire::Payloads certs;  // CERT payloads that go before AUTH; none with shared keys
  wire::AuthPayload auth;
};

// Ours, by `sa.conn->local`. `own`: our ID payload; `peer`: whom we take the other side for.
std::expected<Proof, Failure> make_proof(Context& ctx, const IkeSa& sa, const wire::IdPayload& own,
                                         const Identity& peer);

// What is wrong with the peer's, by `sa.conn->remote`; nullopt: it is who it says. `theirs`: its ID payload.
std::optional<Failure> check_proof(Context& ctx, const IkeSa& sa, const wire::Payloads& payloads,
                                   const wire::IdPayload& theirs);

// The same for signatures alone (auth_signature.cc).
std::expected<Proof, Failure> make_signature(const IkeSa& sa, const wire::IdPayload& own);
std::optional<Failure> check_signature(const Context& ctx, const IkeSa& sa, const wire::Payloads& payloads,
                                       const wire::IdPayload& theirs, const wire::AuthPayload& auth);

// Whether an AUTH method goes with how a connection's peers authenticate.
bool method_fits(AuthMethod wanted, std::uint8_t method);

// message | nonce | MACedID | IntAuth of one side; empty if OpenSSL fails.
base::Bytes octets_to_sign(const IkeSa& sa, bool of_initiator, const wire::IdPayload& id);

}  // namespace espgate::ike
