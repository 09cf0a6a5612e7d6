// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/key_exchange.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/dh.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include <algorithm>

#include "ike/crypto/openssl.h"

namespace espgate::ike::crypto {

namespace {
using Kind = GroupInfo::Kind;
constexpr std::uint8_t kUncompressed = 0x04;  // before a point, SEC 1 2.3.3
using ParamBuild = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>>;
using Pkcs8 = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Freed<PKCS8_PRIV_KEY_INFO_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>>;

const char* key_type(const GroupInfo& info) {
  if (info.kind == Kind::montgomery || info.kind == Kind::kem) return info.openssl;
  return info.kind == Kind::ecp ? "EC" : "DH";
}

// Whether the type of key alone says which group it is of.
bool named_by_type(const GroupInfo& info) { return info.kind == Kind::montgomery || info.kind == Kind::kem; }

// A fresh EC, DH or ML-KEM key; nullptr on failure.
EVP_PKEY* generate_key(const GroupInfo& info) {
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, key_type(info), nullptr));
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(info.openssl), 0),
      OSSL_PARAM_construct_end(),
  };
  EVP_PKEY* key = nullptr;
  if (context == nullptr || EVP_PKEY_keygen_init(context.get()) != 1) return nullptr;
  if (!named_by_type(info) && EVP_PKEY_CTX_set_params(context.get(), params) != 1) return nullptr;
  return EVP_PKEY_generate(context.get(), &key) == 1 ? key : nullptr;
}

// g^x, padded with zeros in front to the length of p (RFC 7296 3.4).
Crypto<base::Bytes> modp_public(const GroupInfo& info, const EVP_PKEY* key) {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PUB_KEY, &raw) != 1) return fail();
  const BigNumber number(raw);
  base::Bytes out(info.public_octets);
  if (BN_bn2binpad(number.get(), out.data(), static_cast<int>(out.size())) < 0) return fail();
  return out;
}

// x | y: RFC 5903 7 leaves out the octet that says "uncompressed".
Crypto<base::Bytes> ecp_public(const GroupInfo& info, const EVP_PKEY* key) {
  base::Bytes point(info.public_octets + 1);
  std::size_t written = 0;
  if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(), &written) != 1 ||
      written != point.size() || point.front() != kUncompressed) {
    return fail();
  }
  point.erase(point.begin());
  return point;
}

Crypto<base::Bytes> raw_public(const GroupInfo& info, const EVP_PKEY* key) {
  base::Bytes out(info.public_octets);
  std::size_t written = out.size();
  if (EVP_PKEY_get_raw_public_key(key, out.data(), &written) != 1 || written != out.size()) return fail();
  return out;
}

Crypto<base::Bytes> public_of(const GroupInfo& info, const EVP_PKEY* key) {
  switch (info.kind) {
    case Kind::montgomery:
    case Kind::kem:
      return raw_public(info, key);
    case Kind::ecp:
      return ecp_public(info, key);
    case Kind::modp:
      return modp_public(info, key);
  }
  return fail();
}

// Group name and public value as parameters of a key; `number` must live as long as the build.
bool push_public(OSSL_PARAM_BLD* build, const GroupInfo& info, base::ByteView point, const BIGNUM* number) {
  if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, info.openssl, 0) != 1) return false;
  if (info.kind == Kind::modp) return OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PUB_KEY, number) == 1;
  return OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) == 1;
}

// The peer's EC or DH public key; nullptr if it is none.
EVP_PKEY* import_public(const GroupInfo& info, base::ByteView peer) {
  base::Bytes point{kUncompressed};
  point.insert(point.end(), peer.begin(), peer.end());
  const BigNumber number(BN_bin2bn(peer.data(), static_cast<int>(peer.size()), nullptr));
  const ParamBuild build(OSSL_PARAM_BLD_new());
  if (number == nullptr || build == nullptr || !push_public(build.get(), info, point, number.get())) return nullptr;
  const Params params(OSSL_PARAM_BLD_to_param(build.get()));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, key_type(info), nullptr));
  EVP_PKEY* key = nullptr;
  if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return key;
}

// RFC 6989: 1 < y < p - 1 for safe primes, the point on the curve for ECP (both have no small subgroups else).
bool acceptable(EVP_PKEY* key) {
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  return context != nullptr && EVP_PKEY_public_check_quick(context.get()) == 1;
}

bool all_zero(base::ByteView octets) {
  std::uint8_t sum = 0;
  for (const auto octet : octets) sum = static_cast<std::uint8_t>(sum | octet);
  return sum == 0;
}
}  // namespace

bool available(std::uint16_t group) {
  const auto* info = find_group(group);
  if (info == nullptr || info->kind != Kind::kem) return info != nullptr;
  const std::unique_ptr<EVP_KEYMGMT, Freed<EVP_KEYMGMT_free>> found(EVP_KEYMGMT_fetch(nullptr, info->openssl, nullptr));
  ERR_clear_error();
  return found != nullptr;
}

std::string library() { return std::string("OpenSSL ") + OpenSSL_version(OPENSSL_VERSION_STRING); }

void KeyExchange::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

Crypto<KeyExchange> KeyExchange::with_public(KeyExchange made) {
  auto octets = public_of(*made.info_, made.key_.get());
  if (!octets) return std::unexpected(octets.error());
  made.public_ = std::move(*octets);
  return made;
}

Crypto<KeyExchange> KeyExchange::from_private(std::uint16_t group, base::ByteView key) {
  const auto* info = find_group(group);
  if (info == nullptr || info->kind != Kind::montgomery) return fail(CryptoError::unknown_algorithm);
  if (key.size() != info->shared_octets) return fail(CryptoError::bad_key_length);
  Key made(EVP_PKEY_new_raw_private_key_ex(nullptr, info->openssl, nullptr, key.data(), key.size()));
  if (made == nullptr) return fail();
  return with_public(KeyExchange(info, std::move(made)));
}

Crypto<KeyExchange> KeyExchange::generate(std::uint16_t group, Rng& rng) {
  const auto* info = find_group(group);
  if (info == nullptr) return fail(CryptoError::unknown_algorithm);
  if (info->kind == Kind::montgomery) {
    base::Secret octets(info->shared_octets);
    rng.fill(octets.bytes());
    return from_private(group, octets.view());
  }
  Key made(generate_key(*info));
  if (made == nullptr) return fail();
  return with_public(KeyExchange(info, std::move(made)));
}

Crypto<base::Secret> KeyExchange::kept() const {
  if (info_->kind == Kind::montgomery) {
    base::Secret out(info_->shared_octets);
    std::size_t written = out.size();
    if (EVP_PKEY_get_raw_private_key(key_.get(), out.bytes().data(), &written) != 1 || written != out.size()) {
      return fail();
    }
    return out;
  }
  const Pkcs8 info(EVP_PKEY2PKCS8(key_.get()));
  const int octets = info == nullptr ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info.get(), nullptr);
  if (octets <= 0) return fail();
  base::Secret out(static_cast<std::size_t>(octets));
  auto* at = out.bytes().data();
  if (i2d_PKCS8_PRIV_KEY_INFO(info.get(), &at) != octets) return fail();
  return out;
}

Crypto<KeyExchange> KeyExchange::from_kept(std::uint16_t group, base::ByteView kept, base::Bytes public_value) {
  const auto* info = find_group(group);
  if (info == nullptr) return fail(CryptoError::unknown_algorithm);
  if (info->kind == Kind::montgomery) return from_private(group, kept);
  const auto* at = kept.data();
  const Pkcs8 parsed(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(kept.size())));
  Key key(parsed == nullptr ? nullptr : EVP_PKCS82PKEY(parsed.get()));
  if (key == nullptr || EVP_PKEY_is_a(key.get(), key_type(*info)) != 1) return fail(CryptoError::bad_key_length);
  if (public_value.size() != info->public_octets) return fail(CryptoError::bad_public_value);
  KeyExchange out(info, std::move(key));
  out.public_ = std::move(public_value);
  return out;
}

Crypto<KeyExchange::Key> KeyExchange::import_peer(const GroupInfo& info, base::ByteView peer) {
  if (peer.size() != info.public_octets) return fail(CryptoError::bad_public_value);
  if (named_by_type(info)) {  // of ML-KEM OpenSSL makes the check of FIPS 203 7.2 here
    Key key(EVP_PKEY_new_raw_public_key_ex(nullptr, info.openssl, nullptr, peer.data(), peer.size()));
    if (key == nullptr) return fail(CryptoError::bad_public_value);
    return key;
  }
  Key key(import_public(info, peer));
  if (key == nullptr || !acceptable(key.get())) return fail(CryptoError::bad_public_value);
  return key;
}

Crypto<KeyExchange::Answer> KeyExchange::answer(std::uint16_t group, base::ByteView peer, Rng& rng) {
  const auto* info = find_group(group);
  if (info == nullptr) return fail(CryptoError::unknown_algorithm);
  if (info->kind == Kind::kem) return encapsulate(*info, peer);
  auto ours = generate(group, rng);
  if (!ours) return std::unexpected(ours.error());
  auto shared = ours->derive(peer);
  if (!shared) return std::unexpected(shared.error());
  return Answer{std::move(ours->public_), std::move(*shared)};
}

Crypto<KeyExchange::Answer> KeyExchange::encapsulate(const GroupInfo& info, base::ByteView peer) {
  const auto theirs = import_peer(info, peer);
  if (!theirs) return std::unexpected(theirs.error());
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, theirs->get(), nullptr));
  if (context == nullptr || EVP_PKEY_encapsulate_init(context.get(), nullptr) != 1) return fail();
  Answer out{base::Bytes(info.answer_octets), base::Secret(info.shared_octets)};
  std::size_t wrapped = out.public_value.size();
  std::size_t written = out.shared.size();
  if (EVP_PKEY_encapsulate(context.get(), out.public_value.data(), &wrapped, out.shared.bytes().data(), &written) !=
          1 ||
      wrapped != out.public_value.size() || written != out.shared.size()) {
    return fail();
  }
  return out;
}

Crypto<base::Secret> KeyExchange::decapsulate(base::ByteView ciphertext) const {
  if (ciphertext.size() != info_->answer_octets) return fail(CryptoError::bad_public_value);
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  if (context == nullptr || EVP_PKEY_decapsulate_init(context.get(), nullptr) != 1) return fail();
  base::Secret out(info_->shared_octets);
  std::size_t written = out.size();
  if (EVP_PKEY_decapsulate(context.get(), out.bytes().data(), &written, ciphertext.data(), ciphertext.size()) != 1 ||
      written != out.size()) {
    return fail();
  }
  return out;
}

Crypto<base::Secret> KeyExchange::derive(base::ByteView peer) const {
  if (info_->kind == Kind::kem) return decapsulate(peer);
  const auto theirs = import_peer(*info_, peer);
  if (!theirs) return std::unexpected(theirs.error());
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  if (context == nullptr || EVP_PKEY_derive_init(context.get()) != 1) return fail();
  // Leading zeros belong to g^ir (RFC 7296 2.14).
  if (info_->kind == Kind::modp && EVP_PKEY_CTX_set_dh_pad(context.get(), 1) != 1) return fail();
  // Already judged by import_peer(): no second, slower check.
  if (EVP_PKEY_derive_set_peer_ex(context.get(), theirs->get(), 0) != 1) return fail(CryptoError::bad_public_value);
  base::Secret out(info_->shared_octets);
  std::size_t written = out.size();
  // OpenSSL itself refuses an all-zero result of X25519 and X448; the test below does not rely on it.
  const bool done = EVP_PKEY_derive(context.get(), out.bytes().data(), &written) == 1;
  if (!done) return fail(info_->kind == Kind::montgomery ? CryptoError::zero_shared : CryptoError::library);
  if (written != out.size()) return fail();
  if (all_zero(out.view())) return fail(CryptoError::zero_shared);
  return out;
}

}  // namespace espgate::ike::crypto
