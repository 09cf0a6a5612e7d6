// SPDX-License-Identifier: Apache-2.0
// What protects the SK payloads of one direction: AES-GCM (RFC 5282), ChaCha20-Poly1305 (RFC 7634) or AES-CBC with HMAC
// (RFC 7296 3.14, RFC 4868).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/secret.h"
#include "ike/crypto/error.h"
#include "ike/crypto/rng.h"
#include "ike/crypto/suite.h"

namespace espgate::ike::crypto {

class SkCipher {
 public:
  // `encr_key`: SK_ei or SK_er, the salt at its end; `integ_key`: SK_ai or SK_ar, empty for AEAD.
  static Crypto<SkCipher> make(const IkeSuite& suite, base::ByteView encr_key, base::ByteView integ_key);

  [[nodiscard]] std::size_t iv_octets() const { return cipher_->iv_octets; }
  [[nodiscard]] std::size_t icv_octets() const;
  // The plaintext (with padding and pad length) must be a multiple of this.
  [[nodiscard]] std::size_t block_octets() const { return cipher_->block_octets; }
  // IV + ciphertext + ICV for a plaintext of a multiple of block_octets().
  [[nodiscard]] std::size_t sealed_octets(std::size_t plain) const;

  // Appends IV, ciphertext and ICV to `message`, which holds everything up to and with the SK payload's generic
  // header, lengths already final. AEAD: the IV counts, and authenticates `message` as it is; CBC: random IV, HMAC
  // over all of it.
  Crypto<void> seal(base::ByteWriter& message, base::ByteView plain, Rng& rng);

  // The IV that the next sealing takes, if it counts (AEAD); 0: all are spent. What was given up must not be used
  // again: a process that goes on with the keys of another starts beyond all IVs that one may have used.
  [[nodiscard]] std::uint64_t next_iv() const { return next_iv_; }
  void skip_to(std::uint64_t iv) { next_iv_ = iv; }

  // The plaintext of a message whose IV begins at `iv_offset`; the ICV is its end and is checked first.
  [[nodiscard]] Crypto<base::Bytes> open(base::ByteView message, std::size_t iv_offset) const;

 private:
  SkCipher(const CipherInfo* cipher, const IntegInfo* integ) : cipher_(cipher), integ_(integ) {}
  Crypto<void> seal_aead(base::ByteWriter& message, base::ByteView plain);
  Crypto<void> seal_cbc(base::ByteWriter& message, base::ByteView plain, Rng& rng) const;
  [[nodiscard]] Crypto<base::Bytes> open_aead(base::ByteView message, std::size_t iv_offset) const;
  [[nodiscard]] Crypto<base::Bytes> open_cbc(base::ByteView message, std::size_t iv_offset) const;

  const CipherInfo* cipher_;
  const IntegInfo* integ_;  // nullptr for AEAD
  base::Secret key_, salt_, integ_key_;
  std::uint64_t next_iv_ = 1;  // AEAD only; 0 once all are spent
};

}  // namespace espgate::ike::crypto
