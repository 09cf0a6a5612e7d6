// SPDX-License-Identifier: Apache-2.0
// A certification authority for tests: keys, certificates and revocation lists, good ones and bad ones, made with
// OpenSSL while the tests run. Whatever fails throws.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "ike/crypto/certificate.h"
#include "ike/crypto/pkey.h"

namespace espgate::pki {

using Key = std::shared_ptr<EVP_PKEY>;

// Each call with another `number` gives another key; the same call gives the same key: RSA keys take their time.
Key rsa(int number = 0, int bits = 2048);
Key ec(const std::string& curve, int number = 0);  // "P-256", "P-384", "P-521", "secp256k1"
Key ed25519(int number = 0);
Key ed448();

ike::crypto::PublicKey public_key(const Key& key);
std::shared_ptr<const ike::crypto::PrivateKey> private_key(const Key& key);
std::string key_pem(const Key& key, const std::string& passphrase = {});
base::Bytes key_der(const Key& key);

struct Wish {
  std::string subject = "C=CH, O=espgate, CN=gw";
  std::vector<std::string> names{};  // OpenSSL's words: "DNS:gw.example.org", "IP:192.0.2.1", "email:me@example.org"
  bool ca = false;
  std::string key_usage{};  // "digitalSignature", ...; empty: no such extension
  std::string crl_uri{};
  std::string digest = "SHA256";                 // of the issuer's signature; ignored for Ed25519
  std::int64_t from = 0, until = 2'000'000'000;  // seconds since the epoch
  std::int64_t serial = 0;                       // 0: the next one
};

// A certificate and its key.
struct Entity {
  Key key;
  ike::crypto::Certificate cert;
};

Entity self_signed(const Wish& wish, const Key& key);
Entity issue(const Entity& issuer, const Wish& wish, const Key& key);
std::string pem(const ike::crypto::Certificate& cert);

// A list that revokes these serials.
ike::crypto::RevocationList revoke(const Entity& issuer, const std::vector<std::int64_t>& serials,
                                   std::int64_t next_update = 2'000'000'000);
std::string crl_pem(const ike::crypto::RevocationList& list);

// The public key of an RSA modulus (hex) and exponent that nobody would choose.
Key strange_rsa(const std::string& modulus_hex, const std::string& exponent_hex);

// Of an RSA key, as long as it is, big endian.
base::Bytes modulus(const Key& key);
// RSA with the private key on an encoded message of anybody's making, as long as the modulus.
base::Bytes raw_rsa(const Key& key, base::ByteView encoded);
// 00 type PS 00 DigestInfo(SHA-256 of octets) tail, PS being `padding` octets `fill` (RFC 8017 9.2).
base::Bytes pkcs1_block(base::ByteView octets, std::size_t padding, const base::Bytes& tail = {}, std::uint8_t type = 1,
                        std::uint8_t fill = 0xff);

}  // namespace espgate::pki
