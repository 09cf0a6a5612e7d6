// SPDX-License-Identifier: Apache-2.0
// Key derivation: RFC 7296 2.14 (SKEYSEED, SK_*), 2.17 (KEYMAT of a child), 2.18 (rekeyed IKE SA).
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/esp.h"
#include "base/ids.h"
#include "base/secret.h"
#include "ike/crypto/error.h"
#include "ike/crypto/prf.h"
#include "ike/crypto/suite.h"

namespace espgate::ike::crypto {

// The nonces' data and the SPIs of the exchange, by role.
struct Exchange {
  base::ByteView nonce_i, nonce_r;
  base::IkeSpi spi_i, spi_r;
};

struct IkeKeys {
  base::Secret d, ai, ar, ei, er, pi, pr;  // SK_d, SK_ai, ... ; ai and ar are empty for AEAD
};

// SKEYSEED = prf(Ni | Nr, g^ir)
Crypto<base::Secret> skeyseed(const Prf& prf, base::ByteView shared, const Exchange& exchange);

// SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr [| SK(1) | ... SK(n)]), with the prf of the old IKE SA; `additional`:
// the shared secrets of IKE_FOLLOWUP_KE, joined (RFC 9370 2.2.4). After an IKE_INTERMEDIATE it is the same with the
// keys before it and its own shared secret (RFC 9370 2.2.2).
Crypto<base::Secret> rekeyed_skeyseed(const Prf& old_prf, base::ByteView old_sk_d, base::ByteView shared,
                                      const Exchange& exchange, base::ByteView additional = {});

// {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr)
Crypto<IkeKeys> ike_keys(const IkeSuite& suite, base::ByteView seed, const Exchange& exchange);

// What a post-quantum preshared key makes of SK_d, SK_pi and SK_pr (RFC 8784 3): prf+(PPK, SK_x), as long as SK_x.
struct PpkKeys {
  base::Secret d, pi, pr;
};
Crypto<PpkKeys> with_ppk(const Prf& prf, const IkeKeys& keys, base::ByteView ppk);

// The first `count` octets of that prf+, uncut.
Crypto<base::Secret> ike_keymat(const Prf& prf, base::ByteView seed, const Exchange& exchange, std::size_t count);

// The shared secrets of a child's own key exchanges; empty without PFS. `additional` as in rekeyed_skeyseed().
struct ChildShared {
  base::ByteView first{}, additional{};
};

// KEYMAT of a child, uncut: prf+(SK_d, [g^ir (new) |] Ni | Nr [| SK(1) | ... SK(n)]) (RFC 9370 2.2.4).
Crypto<base::Secret> child_keymat(const Prf& prf, base::ByteView sk_d, const ChildShared& shared,
                                  base::ByteView nonce_i, base::ByteView nonce_r, std::size_t count);

// KEYMAT cut by direction: _i protects what the initiator of the exchange sends. Cipher keys end with the salt.
struct ChildKeymat {
  base::Secret cipher_i, auth_i, cipher_r, auth_r;
};
Crypto<ChildKeymat> child_keys(const Prf& prf, const base::EspSuite& suite, base::ByteView sk_d,
                               const ChildShared& shared, base::ByteView nonce_i, base::ByteView nonce_r);

}  // namespace espgate::ike::crypto
