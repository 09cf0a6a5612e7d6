// SPDX-License-Identifier: Apache-2.0
#include "ike/task/certs.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace espgate::ike {

namespace {

using crypto::Certificate;
using crypto::HashId;
using crypto::KeyHash;

constexpr std::size_t kMostCerts = 8;         // in one message; a longer chain would not be followed
constexpr std::size_t kMostAuthorities = 20;  // beyond, naming them costs more than it helps

bool issued_by_one_of(const Credential& credential, const std::vector<KeyHash>& authorities) {
  return std::ranges::any_of(credential.chain, [&](const Certificate& issuer) {
    return std::ranges::find(authorities, issuer.key_hash()) != authorities.end();
  });
}

void take_authorities(PeerSignatures& into, const wire::CertRequestPayload& request) {
  into.cert_asked = true;
  base::ByteReader in(request.authorities);
  while (auto hash = in.take(KeyHash{}.size())) {
    if (into.authorities.size() == 1000) return;  // enough to find ours among
    KeyHash one{};
    std::ranges::copy(*hash, one.begin());
    into.authorities.push_back(one);
  }
}

}  // namespace

wire::NotifyPayload hash_notify() {
  base::ByteWriter out;
  for (const auto hash : {HashId::sha2_256, HashId::sha2_384, HashId::sha2_512, HashId::identity}) {
    out.u16(static_cast<std::uint16_t>(hash));
  }
  return wire::notify(wire::NotifyType::signature_hash_algorithms, out.take());
}

void take_wishes(PeerSignatures& into, const wire::Payloads& payloads) {
  if (const auto* hashes = wire::find_notify(payloads, wire::NotifyType::signature_hash_algorithms)) {
    into.hashes.emplace();
    base::ByteReader in(hashes->data);
    while (auto id = in.u16()) {
      const auto hash = static_cast<HashId>(*id);
      if (*id >= 1 && *id <= 5 && std::ranges::find(*into.hashes, hash) == into.hashes->end()) {
        into.hashes->push_back(hash);
      }
    }
  }
  for (const auto& payload : payloads) {
    const auto* request = std::get_if<wire::CertRequestPayload>(&payload);
    if (request != nullptr && request->encoding == wire::kCertX509) take_authorities(into, *request);
  }
}

void add_cert_request(wire::Payloads& payloads, std::span<const std::shared_ptr<const ConnConfig>> conns) {
  std::vector<KeyHash> hashes;
  bool any = false;
  for (const auto& conn : conns) {
    if (conn->remote.method != AuthMethod::pubkey || !conn->send_certreq) continue;
    any = true;
    if (!conn->remote.trust) continue;
    for (const auto& anchor : conn->remote.trust->anchors()) {
      if (!anchor.ca() || hashes.size() > kMostAuthorities) continue;
      const auto hash = anchor.key_hash();
      if (std::ranges::find(hashes, hash) == hashes.end()) hashes.push_back(hash);
    }
  }
  if (!any) return;
  wire::CertRequestPayload out;
  if (hashes.size() <= kMostAuthorities) {
    for (const auto& hash : hashes) out.authorities.insert(out.authorities.end(), hash.begin(), hash.end());
  }
  payloads.emplace_back(std::move(out));
}

const Credential* choose_credential(const ConnConfig& conn, const PeerSignatures& wishes) {
  const Credential* best = nullptr;
  for (const auto& credential : conn.local.credentials) {
    const bool signs = !wishes.hashes || !conn.local.signatures.choices(credential.key->kind(), *wishes.hashes).empty();
    if (!signs) continue;
    if (issued_by_one_of(credential, wishes.authorities)) return &credential;
    if (best == nullptr) best = &credential;
  }
  if (best == nullptr && !conn.local.credentials.empty()) best = &conn.local.credentials.front();
  return best;
}

wire::Payloads cert_payloads(const ConnConfig& conn, const Credential& credential, const PeerSignatures& wishes) {
  const bool send = conn.send_cert == SendCert::always || (conn.send_cert == SendCert::if_asked && wishes.cert_asked);
  wire::Payloads out;
  if (!send) return out;
  out.emplace_back(wire::CertPayload{wire::kCertX509, credential.cert.der()});
  for (const auto& issuer : credential.chain) {
    if (issuer.self_issued() || out.size() == kMostCerts) break;
    out.emplace_back(wire::CertPayload{wire::kCertX509, issuer.der()});
  }
  return out;
}

std::expected<std::vector<Certificate>, std::string> shown_certs(const wire::Payloads& payloads,
                                                                 const AuthConfig& remote, const Identity& identity) {
  std::vector<Certificate> out;
  for (const auto& payload : payloads) {
    const auto* cert = std::get_if<wire::CertPayload>(&payload);
    if (cert == nullptr || cert->encoding != wire::kCertX509) continue;
    if (out.size() == kMostCerts)
      return std::unexpected(fmt::format("the peer sent more than {} certificates", kMostCerts));
    auto parsed = Certificate::from_der(cert->data);
    if (!parsed) return std::unexpected("the peer sent a certificate that is none, or is too long");
    out.push_back(std::move(*parsed));
  }
  if (!out.empty()) return out;
  for (const auto& known : remote.certs) {
    if (known.proves(identity)) return std::vector{known};
  }
  return std::unexpected(fmt::format("the peer sent no certificate, and none is configured for '{}'", identity.text()));
}

std::expected<void, std::string> trusts(const AuthConfig& remote, std::span<const Certificate> shown, std::int64_t at) {
  const auto& leaf = shown.front();
  if (!remote.certs.empty() && std::ranges::find(remote.certs, leaf) == remote.certs.end()) {
    return std::unexpected(
        fmt::format("certificate '{}' is not one of those the connection takes", leaf.subject().text()));
  }
  if (!remote.trust) return std::unexpected("no CA certificate is configured to judge the peer's by");
  return remote.trust->verify(leaf, shown.subspan(1), at, remote.revocation);
}

}  // namespace espgate::ike
