// SPDX-License-Identifier: Apache-2.0
// Signatures in AUTH: RFC 7427 where both sides know it, else the methods of RFC 7296 and RFC 4754. The peer's
// certificate is judged cheap checks first: form, identity, key, then the chain, then the signature.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "ike/task/auth_proof.h"
#include "ike/task/certs.h"

namespace espgate::ike {

namespace {

using crypto::HashId;
using crypto::KeyKind;
using crypto::Scheme;
using crypto::SignatureKind;

constexpr char kStep[] = "IKE_AUTH";

std::unexpected<Failure> fail(Reason code, std::string text) {
  return std::unexpected(Failure{code, kStep, std::move(text), {}});
}

// The fixed schemes of methods 9 to 11; their signatures are r | s.
struct FixedEcdsa {
  std::uint8_t method;
  KeyKind key;
  HashId hash;
};
constexpr auto kFixed = std::to_array<FixedEcdsa>({
    {wire::kAuthEcdsa256, KeyKind::p256, HashId::sha2_256},
    {wire::kAuthEcdsa384, KeyKind::p384, HashId::sha2_384},
    {wire::kAuthEcdsa521, KeyKind::p521, HashId::sha2_512},
});

// ------------------------------------------------------------------------------------------------- ours

using Made = std::expected<wire::AuthPayload, Failure>;

Made sign_failed(crypto::CryptoError error) {
  return fail(Reason::unexpected, fmt::format("our AUTH could not be made: {}", crypto::text(error)));
}

// Method 14: length of the AlgorithmIdentifier, that, the signature (RFC 7427 3).
Made sign_digital(const crypto::PrivateKey& key, const Scheme& scheme, base::ByteView octets) {
  const auto signature = crypto::sign(key, scheme, octets);
  if (!signature) return sign_failed(signature.error());
  const auto algorithm = crypto::algorithm_identifier(scheme);
  base::ByteWriter out;
  out.u8(static_cast<std::uint8_t>(algorithm.size()));
  out.put(algorithm);
  out.put(*signature);
  return wire::AuthPayload{wire::kAuthDigitalSignature, out.take()};
}

// For a peer that does not know RFC 7427.
Made sign_fixed(const crypto::PrivateKey& key, const SignaturePolicy& policy, base::ByteView octets) {
  const auto* fixed = std::ranges::find(kFixed, key.kind(), &FixedEcdsa::key);
  if (fixed != kFixed.end()) {
    const auto signature = crypto::sign(key, {SignatureKind::ecdsa, fixed->hash}, octets);
    auto raw = signature ? crypto::raw_ecdsa(key.kind(), *signature) : signature;
    if (!raw) return sign_failed(raw.error());
    return wire::AuthPayload{fixed->method, std::move(*raw)};
  }
  if (key.kind() != KeyKind::rsa) {
    return fail(Reason::no_secret, "the peer does not know RFC 7427, and our key cannot do without");
  }
  // Peers of that age expect SHA-1 (RFC 7296 3.8); it is made only for who asked for it.
  const Scheme old{SignatureKind::rsa_pkcs1, HashId::sha1};
  const bool sha1 = !policy.schemes.empty() && policy.admits(old);
  auto signature = crypto::sign(key, sha1 ? old : Scheme{SignatureKind::rsa_pkcs1, HashId::sha2_256}, octets);
  if (!signature) return sign_failed(signature.error());
  return wire::AuthPayload{wire::kAuthRsa, std::move(*signature)};
}

Made sign_with(const IkeSa& sa, const Credential& credential, base::ByteView octets) {
  const auto& policy = sa.conn->local.signatures;
  const auto& hashes = sa.setup->signatures.hashes;
  if (!hashes) return sign_fixed(*credential.key, policy, octets);
  const auto choices = policy.choices(credential.key->kind(), *hashes);
  if (choices.empty()) {
    return fail(Reason::no_secret, "no signature that our key can make, our auth allows and the peer can check");
  }
  return sign_digital(*credential.key, choices.front(), octets);
}

// ------------------------------------------------------------------------------------------------- the peer's

struct Signature {
  std::vector<Scheme> schemes;  // any of them may be the right one
  base::Bytes data;
};

std::optional<Signature> read_digital(const wire::AuthPayload& auth) {
  base::ByteReader in(auth.data);
  const auto length = in.u8();
  const auto algorithm = length ? in.take(*length) : std::nullopt;
  if (!algorithm) return std::nullopt;
  const auto scheme = crypto::parse_algorithm(*algorithm);
  if (!scheme) return std::nullopt;
  const auto rest = in.rest();
  return Signature{{*scheme}, {rest.begin(), rest.end()}};
}

// nullopt: malformed, or an algorithm that is not taken at all.
std::optional<Signature> read_signature(const wire::AuthPayload& auth, KeyKind key) {
  if (auth.method == wire::kAuthDigitalSignature) return read_digital(auth);
  if (auth.method == wire::kAuthRsa) {
    using enum HashId;
    Signature out{{}, auth.data};
    for (const auto hash : {sha2_256, sha2_512, sha2_384, sha1})
      out.schemes.push_back({SignatureKind::rsa_pkcs1, hash});
    return out;
  }
  const auto* fixed = std::ranges::find(kFixed, auth.method, &FixedEcdsa::method);
  if (fixed == kFixed.end() || fixed->key != key) return std::nullopt;
  auto der = crypto::der_ecdsa(key, auth.data);
  if (!der) return std::nullopt;
  return Signature{{{SignatureKind::ecdsa, fixed->hash}}, std::move(*der)};
}

std::optional<Failure> verify_auth(const IkeSa& sa, const crypto::PublicKey& key, const wire::AuthPayload& auth,
                                   const wire::IdPayload& theirs) {
  const auto wrong = [&](std::string text) { return Failure{Reason::auth_failed, kStep, std::move(text), {}}; };
  auto signature = read_signature(auth, key.kind());
  if (!signature) {
    return wrong(
        fmt::format("the peer's signature (method {}) is malformed or of a kind that is not taken", auth.method));
  }
  const auto& policy = sa.conn->remote.signatures;
  std::erase_if(signature->schemes, [&](const Scheme& scheme) { return !policy.admits(scheme); });
  if (signature->schemes.empty()) {
    return wrong(fmt::format("{} does not admit the peer's kind of signature", sa.conn->name));
  }
  const auto octets = octets_to_sign(sa, theirs.initiator, theirs);
  const bool good = std::ranges::any_of(signature->schemes, [&](const Scheme& scheme) {
    return crypto::verify(key, scheme, octets, signature->data).has_value();
  });
  if (good) return std::nullopt;
  return wrong(
      fmt::format("the signature of '{}' ({}) is wrong", theirs.identity.text(), signature->schemes.front().text()));
}

}  // namespace

std::expected<Proof, Failure> make_signature(const IkeSa& sa, const wire::IdPayload& own) {
  const auto* credential = choose_credential(*sa.conn, sa.setup->signatures);
  if (credential == nullptr) {
    return fail(Reason::no_secret, fmt::format("{} has no certificate with a private key to show", sa.conn->name));
  }
  auto auth = sign_with(sa, *credential, octets_to_sign(sa, own.initiator, own));
  if (!auth) return std::unexpected(auth.error());
  return Proof{cert_payloads(*sa.conn, *credential, sa.setup->signatures), std::move(*auth)};
}

std::optional<Failure> check_signature(const Context& ctx, const IkeSa& sa, const wire::Payloads& payloads,
                                       const wire::IdPayload& theirs, const wire::AuthPayload& auth) {
  const auto refuse = [](std::string text) { return Failure{Reason::bad_certificate, kStep, std::move(text), {}}; };
  const auto shown = shown_certs(payloads, sa.conn->remote, theirs.identity);
  if (!shown) return refuse(shown.error());
  const auto& leaf = shown->front();
  if (!leaf.proves(theirs.identity)) {
    return refuse(fmt::format("the peer calls itself '{}', but its certificate is for '{}'", theirs.identity.text(),
                              leaf.subject().text()));
  }
  if (!leaf.may_sign()) return refuse("the peer's certificate is not meant for signatures (keyUsage)");
  const auto key = leaf.key();
  if (!key) return refuse(fmt::format("the peer's certificate has {}", crypto::text(key.error())));
  if (!sa.conn->remote.signatures.admits(*key)) {
    return refuse(fmt::format("the peer's key has {} bits, {} wants more", key->bits(), sa.conn->name));
  }
  if (auto trusted = trusts(sa.conn->remote, *shown, ctx.epoch_seconds()); !trusted) return refuse(trusted.error());
  return verify_auth(sa, *key, auth, theirs);
}

}  // namespace espgate::ike
