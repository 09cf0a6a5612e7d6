// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/sk_cipher.h"

#include <array>

#include "ike/crypto/openssl.h"
#include "ike/crypto/prf.h"

namespace espgate::ike::crypto {

namespace {
int int_of(std::size_t count) { return static_cast<int>(count); }

// One run of a cipher over `in` with optional additional data; false if OpenSSL failed or, when opening AEAD, the tag
// is wrong. `tag`: written when encrypting, checked (in constant time, by OpenSSL) when decrypting; empty for CBC.
struct Run {
  EVP_CIPHER* cipher;
  base::ByteView key, iv, aad;
  bool encrypt;
};
bool crypt(const Run& run, base::ByteView in, std::span<std::uint8_t> out, std::span<std::uint8_t> tag) {
  const CipherContext owner(EVP_CIPHER_CTX_new());
  EVP_CIPHER_CTX* const context = owner.get();
  if (context == nullptr || run.cipher == nullptr) return false;
  if (EVP_CipherInit_ex2(context, run.cipher, run.key.data(), run.iv.data(), run.encrypt ? 1 : 0, nullptr) != 1) {
    return false;
  }
  if (EVP_CIPHER_CTX_set_padding(context, 0) != 1) return false;
  int count = 0;
  if (!run.encrypt && !tag.empty() &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, int_of(tag.size()), tag.data()) != 1) {
    return false;
  }
  if (!run.aad.empty() && EVP_CipherUpdate(context, nullptr, &count, run.aad.data(), int_of(run.aad.size())) != 1) {
    return false;
  }
  if (!in.empty() && EVP_CipherUpdate(context, out.data(), &count, in.data(), int_of(in.size())) != 1) return false;
  std::array<std::uint8_t, EVP_MAX_BLOCK_LENGTH> nothing_more{};
  if (EVP_CipherFinal_ex(context, nothing_more.data(), &count) != 1 || count != 0) return false;
  return !run.encrypt || tag.empty() ||
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, int_of(tag.size()), tag.data()) == 1;
}

// The first `count` octets of the HMAC over `message`.
Crypto<base::Secret> icv_of(const IntegInfo& integ, const base::Secret& key, base::ByteView message) {
  auto full = hmac(integ.digest, key.view(), {message});
  if (!full) return full;
  return base::Secret::copy_of(full->part(0, integ.icv_octets));
}

base::Bytes joined(base::ByteView a, base::ByteView b) {
  base::Bytes out(a.begin(), a.end());
  out.insert(out.end(), b.begin(), b.end());
  return out;
}
}  // namespace

Crypto<SkCipher> SkCipher::make(const IkeSuite& suite, base::ByteView encr_key, base::ByteView integ_key) {
  if (!suite.known()) return std::unexpected(CryptoError::unknown_algorithm);
  if (encr_key.size() != suite.encr_key_octets() || integ_key.size() != suite.integ_key_octets()) {
    return std::unexpected(CryptoError::bad_key_length);
  }
  SkCipher out(find_cipher(suite.encr), find_integ(suite.integ));
  const std::size_t octets = suite.key_bits / 8U;
  if (fetched_cipher(suite.encr, octets) == nullptr) return fail();
  out.key_ = base::Secret::copy_of(encr_key.first(octets));
  out.salt_ = base::Secret::copy_of(encr_key.subspan(octets));
  out.integ_key_ = base::Secret::copy_of(integ_key);
  return out;
}

std::size_t SkCipher::icv_octets() const { return integ_ != nullptr ? integ_->icv_octets : cipher_->icv_octets; }

std::size_t SkCipher::sealed_octets(std::size_t plain) const { return iv_octets() + plain + icv_octets(); }

Crypto<void> SkCipher::seal(base::ByteWriter& message, base::ByteView plain, Rng& rng) {
  if (plain.size() % block_octets() != 0) return std::unexpected(CryptoError::bad_key_length);
  return cipher_->aead ? seal_aead(message, plain) : seal_cbc(message, plain, rng);
}

Crypto<void> SkCipher::seal_aead(base::ByteWriter& message, base::ByteView plain) {
  if (next_iv_ == 0) return std::unexpected(CryptoError::iv_exhausted);
  base::ByteWriter iv;
  iv.u64(next_iv_++);
  const auto nonce = joined(salt_.view(), iv.view());
  base::Bytes sealed(plain.size()), tag(cipher_->icv_octets);
  // The ICV covers everything before the IV (RFC 5282 5.1); the IV is part of the nonce.
  const Run run{fetched_cipher(cipher_->id, key_.size()), key_.view(), nonce, message.view(), true};
  if (!crypt(run, plain, sealed, tag)) return fail();
  message.put(iv.view());
  message.put(sealed);
  message.put(tag);
  return {};
}

Crypto<void> SkCipher::seal_cbc(base::ByteWriter& message, base::ByteView plain, Rng& rng) const {
  const auto iv = rng.bytes(cipher_->iv_octets);  // unpredictable (RFC 7296 3.14)
  base::Bytes sealed(plain.size());
  const Run run{fetched_cipher(cipher_->id, key_.size()), key_.view(), iv, {}, true};
  if (!crypt(run, plain, sealed, {})) return fail();
  message.put(iv);
  message.put(sealed);
  const auto icv = icv_of(*integ_, integ_key_, message.view());
  if (!icv) return std::unexpected(icv.error());
  message.put(icv->view());
  return {};
}

Crypto<base::Bytes> SkCipher::open(base::ByteView message, std::size_t iv_offset) const {
  if (iv_offset > message.size() || message.size() - iv_offset < sealed_octets(block_octets())) {
    return std::unexpected(CryptoError::bad_integrity);
  }
  return cipher_->aead ? open_aead(message, iv_offset) : open_cbc(message, iv_offset);
}

Crypto<base::Bytes> SkCipher::open_aead(base::ByteView message, std::size_t iv_offset) const {
  const auto nonce = joined(salt_.view(), message.subspan(iv_offset, iv_octets()));
  const auto body = message.subspan(iv_offset + iv_octets());
  const auto sealed = body.first(body.size() - icv_octets());
  base::Bytes tag(body.end() - static_cast<std::ptrdiff_t>(icv_octets()), body.end());
  base::Bytes plain(sealed.size());
  const Run run{fetched_cipher(cipher_->id, key_.size()), key_.view(), nonce, message.first(iv_offset), false};
  if (!crypt(run, sealed, plain, tag)) return fail(CryptoError::bad_integrity);
  return plain;
}

Crypto<base::Bytes> SkCipher::open_cbc(base::ByteView message, std::size_t iv_offset) const {
  const auto covered = message.first(message.size() - icv_octets());
  const auto icv = icv_of(*integ_, integ_key_, covered);
  if (!icv) return std::unexpected(icv.error());
  if (!base::equal_constant_time(icv->view(), message.last(icv_octets()))) {
    return std::unexpected(CryptoError::bad_integrity);
  }
  const auto iv = covered.subspan(iv_offset, iv_octets());
  const auto sealed = covered.subspan(iv_offset + iv_octets());
  if (sealed.size() % block_octets() != 0) return std::unexpected(CryptoError::bad_integrity);
  base::Bytes plain(sealed.size());
  const Run run{fetched_cipher(cipher_->id, key_.size()), key_.view(), iv, {}, false};
  if (!crypt(run, sealed, plain, {})) return fail();
  return plain;
}

}  // namespace espgate::ike::crypto
