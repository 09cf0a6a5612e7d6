// SPDX-License-Identifier: Apache-2.0
// Certificates in IKE_AUTH: which of ours to show, what to ask for, what the peer showed (RFC 7296 3.6, 3.7), and the
// hash algorithms of RFC 7427 4.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <vector>

#include "ike/config.h"
#include "ike/ike_sa.h"
#include "ike/wire/message.h"

namespace espgate::ike {

// SIGNATURE_HASH_ALGORITHMS: what we can verify.
wire::NotifyPayload hash_notify();
// Takes over what the peer says of hashes (IKE_SA_INIT) and the CAs it asks for (IKE_SA_INIT response, IKE_AUTH).
void take_wishes(PeerSignatures& into, const wire::Payloads& payloads);

// CERTREQ for the peers of these connections, appended; nothing if none of them shows certificates.
void add_cert_request(wire::Payloads& payloads, std::span<const std::shared_ptr<const ConnConfig>> conns);

// The best certificate of ours for this peer; nullptr if there is none.
const Credential* choose_credential(const ConnConfig& conn, const PeerSignatures& wishes);
// CERT payloads: it and its issuers but for self-signed ones; none unless the peer asked or the config insists.
wire::Payloads cert_payloads(const ConnConfig& conn, const Credential& credential, const PeerSignatures& wishes);

// What the peer showed, its own certificate first; without any the one that the config has for this identity. Parsed,
// not believed.
std::expected<std::vector<crypto::Certificate>, std::string> shown_certs(const wire::Payloads& payloads,
                                                                         const AuthConfig& remote,
                                                                         const Identity& identity);
// Whether the first of them is to be believed at this time; why not.
std::expected<void, std::string> trusts(const AuthConfig& remote, std::span<const crypto::Certificate> shown,
                                        std::int64_t at);

}  // namespace espgate::ike
