// SPDX-License-Identifier: Apache-2.0
// What a peer sends to prove who it is. The first octet chooses: 0 a certificate, 1 a distinguished name, 2 an
// AlgorithmIdentifier, 3 a CERT payload with what the engine makes of it, 4 a CERTREQ payload, 5 a revocation list, 6
// an ECDSA signature as r | s.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "ike/crypto/trust.h"
#include "ike/distinguished_name.h"
#include "ike/task/certs.h"

namespace crypto = espgate::ike::crypto;
namespace wire = espgate::ike::wire;
using espgate::base::ByteView;
using espgate::ike::Identity;

namespace {
void judge(const crypto::Certificate& cert) {
  static const auto nobody = crypto::TrustStore::make({}, {});
  static const auto name = *Identity::parse("gw.example.org");
  (void)cert.subject().text();
  (void)cert.issuer().text();
  (void)cert.proves(name);
  (void)cert.proves(cert.subject());
  (void)cert.key();
  (void)cert.key_hash();
  (void)cert.may_sign();
  (void)cert.not_after();
  // Nobody is trusted, so nobody may be believed; itself trusted, it must not harm us either.
  if (nobody->verify(cert, {}, 1'000'000'000, crypto::Revocation::relaxed)) std::abort();
  (void)crypto::TrustStore::make({cert}, {})
      ->verify(cert, std::vector{cert}, 1'000'000'000, crypto::Revocation::strict);
}

void name(ByteView data) {
  if (const auto text = espgate::ike::dn_text(data)) {
    (void)espgate::ike::parse_dn(*text);
    if (!espgate::ike::dn_admits(data, data)) std::abort();
  }
  const auto parsed = espgate::ike::parse_dn(espgate::base::as_text(data));
  if (parsed && !espgate::ike::dn_text(*parsed)) std::abort();
}

void algorithm(ByteView data) {
  const auto scheme = crypto::parse_algorithm(data);
  if (!scheme) return;
  const auto written = crypto::algorithm_identifier(*scheme);
  if (!written.empty() && *crypto::parse_algorithm(written) != *scheme) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView rest(data + 1, size - 1);
  switch (data[0]) {
    case 0:
      if (const auto cert = crypto::Certificate::from_der(rest)) judge(*cert);
      break;
    case 1:
      name(rest);
      break;
    case 2:
      algorithm(rest);
      break;
    case 3:
      if (auto cert = wire::parse_cert(rest)) {
        (void)espgate::ike::shown_certs({std::move(*cert)}, {}, {});
      }
      break;
    case 4:
      if (auto request = wire::parse_cert_request(rest)) {
        espgate::ike::PeerSignatures wishes;
        espgate::ike::take_wishes(wishes, {std::move(*request)});
      }
      break;
    case 5:
      if (const auto list = crypto::RevocationList::from_file(rest)) (void)list->issuer().text();
      break;
    case 6:
      for (const auto key : {crypto::KeyKind::p256, crypto::KeyKind::p384, crypto::KeyKind::p521}) {
        const auto der = crypto::der_ecdsa(key, rest);
        if (der && crypto::raw_ecdsa(key, *der) != espgate::base::Bytes(rest.begin(), rest.end())) std::abort();
        (void)crypto::raw_ecdsa(key, rest);
      }
      break;
    default:
      break;
  }
  return 0;
}
