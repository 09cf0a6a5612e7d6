// SPDX-License-Identifier: Apache-2.0
#include "ike/task/auth_proof.h"

#include <fmt/core.h>

#include <utility>

#include "ike/crypto/auth.h"
#include "ike/peer_select.h"
#include "ike/task/intermediate.h"

namespace espgate::ike {

namespace {

constexpr char kStep[] = "IKE_AUTH";

// `id_octets` and `intermediate` must live as long as what is returned.
crypto::SignedOctets octets_of(const IkeSa& sa, bool of_initiator, base::ByteView id_octets,
                               base::ByteView intermediate) {
  const auto& setup = *sa.setup;
  return {of_initiator ? setup.request : setup.response, of_initiator ? setup.nonce_r : setup.nonce_i,
          of_initiator ? sa.keys.pi.view() : sa.keys.pr.view(), id_octets, intermediate};
}

// The data of AUTH for a shared key; nullopt only if OpenSSL fails.
std::optional<base::Bytes> psk_proof(const IkeSa& sa, bool of_initiator, base::ByteView secret,
                                     const wire::IdPayload& id) {
  auto prf = crypto::Prf::make(sa.suite.prf);
  if (!prf) return std::nullopt;
  const auto octets = id.signed_octets();
  const auto intermediate = int_auth(*sa.setup);
  auto made = crypto::psk_auth(*prf, secret, octets_of(sa, of_initiator, octets, intermediate));
  if (!made) return std::nullopt;
  return std::move(*made);
}

std::string who(const IkeSa& sa, const Identity& remote) {
  return fmt::format("local '{}' and remote '{}'", sa.local_id.text(), remote.text());
}

std::string_view words(AuthMethod method) { return method == AuthMethod::psk ? "a shared secret" : "a signature"; }

std::optional<Failure> check_psk(const Context& ctx, const IkeSa& sa, const wire::IdPayload& theirs,
                                 const wire::AuthPayload& auth) {
  const auto* secret = choose_secret(*ctx.config, sa.local_id, theirs.identity);
  if (secret == nullptr) {
    return Failure{Reason::no_secret, kStep, "no shared secret is configured for " + who(sa, theirs.identity), {}};
  }
  const auto expected = psk_proof(sa, theirs.initiator, secret->key.view(), theirs);
  if (expected && base::equal_constant_time(*expected, auth.data)) return std::nullopt;
  return Failure{Reason::auth_failed,
                 kStep,
                 fmt::format("the peer does not know our shared secret '{}' for {}: wrong PSK on one of the sides",
                             secret->name, who(sa, theirs.identity)),
                 {}};
}

}  // namespace

bool method_fits(AuthMethod wanted, std::uint8_t method) {
  return (wanted == AuthMethod::psk) == (method == wire::kAuthSharedKey);
}

base::Bytes octets_to_sign(const IkeSa& sa, bool of_initiator, const wire::IdPayload& id) {
  auto prf = crypto::Prf::make(sa.suite.prf);
  if (!prf) return {};
  const auto octets = id.signed_octets();
  const auto intermediate = int_auth(*sa.setup);
  return crypto::signed_octets(*prf, octets_of(sa, of_initiator, octets, intermediate)).value_or(base::Bytes{});
}

std::expected<Proof, Failure> make_proof(Context& ctx, const IkeSa& sa, const wire::IdPayload& own,
                                         const Identity& peer) {
  if (sa.conn->local.method == AuthMethod::pubkey) return make_signature(sa, own);
  const auto* secret = choose_secret(*ctx.config, sa.local_id, peer);
  if (secret == nullptr) {
    return std::unexpected(
        Failure{Reason::no_secret, kStep, "no shared secret is configured for " + who(sa, peer), {}});
  }
  auto data = psk_proof(sa, own.initiator, secret->key.view(), own);
  if (!data) return std::unexpected(Failure{Reason::unexpected, kStep, "our AUTH could not be made", {}});
  return Proof{{}, wire::AuthPayload{wire::kAuthSharedKey, std::move(*data)}};
}

std::optional<Failure> check_proof(Context& ctx, const IkeSa& sa, const wire::Payloads& payloads,
                                   const wire::IdPayload& theirs) {
  const auto wanted = sa.conn->remote.method;
  const auto& auth = *wire::find<wire::AuthPayload>(payloads);
  if (!method_fits(wanted, auth.method)) {
    return Failure{
        Reason::auth_failed,
        kStep,
        fmt::format("the peer authenticates by method {}, {} wants {}", auth.method, sa.conn->name, words(wanted)),
        {}};
  }
  if (wanted == AuthMethod::psk) return check_psk(ctx, sa, theirs, auth);
  return check_signature(ctx, sa, payloads, theirs, auth);
}

}  // namespace espgate::ike
