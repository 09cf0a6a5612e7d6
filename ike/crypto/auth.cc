// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/auth.h"

namespace espgate::ike::crypto {

namespace {
constexpr std::string_view kKeyPad = "Key Pad for IKEv2";  // without a terminating zero
}

Crypto<base::Bytes> psk_auth(const Prf& prf, base::ByteView shared_key, const SignedOctets& octets) {
  const auto padded = prf.compute(shared_key, {base::as_bytes(kKeyPad)});
  if (!padded) return std::unexpected(padded.error());
  const auto id = prf.compute(octets.sk_p, {octets.id});
  if (!id) return std::unexpected(id.error());
  const auto auth = prf.compute(padded->view(), {octets.message, octets.peer_nonce, id->view(), octets.int_auth});
  if (!auth) return std::unexpected(auth.error());
  return base::Bytes(auth->view().begin(), auth->view().end());
}

Crypto<base::Bytes> signed_octets(const Prf& prf, const SignedOctets& octets) {
  const auto maced = prf.compute(octets.sk_p, {octets.id});
  if (!maced) return std::unexpected(maced.error());
  base::Bytes out(octets.message.begin(), octets.message.end());
  out.insert(out.end(), octets.peer_nonce.begin(), octets.peer_nonce.end());
  out.insert(out.end(), maced->view().begin(), maced->view().end());
  out.insert(out.end(), octets.int_auth.begin(), octets.int_auth.end());
  return out;
}

}  // namespace espgate::ike::crypto
