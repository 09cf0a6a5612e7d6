// SPDX-License-Identifier: Apache-2.0
// AlgorithmIdentifiers of signature schemes, RFC 7427 A.1 to A.4 and RFC 8420 A.
#include <openssl/asn1t.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <optional>

#include "ike/crypto/openssl.h"
#include "ike/crypto/signature.h"

namespace espgate::ike::crypto {

namespace {
using enum SignatureKind;
using enum HashId;
using Algorithm = std::unique_ptr<X509_ALGOR, Freed<X509_ALGOR_free>>;
using PssParams = std::unique_ptr<RSA_PSS_PARAMS, Freed<RSA_PSS_PARAMS_free>>;

struct Entry {
  int nid;
  Scheme scheme;
};
constexpr auto kSchemes = std::to_array<Entry>({
    {NID_sha1WithRSAEncryption, {rsa_pkcs1, sha1}},
    {NID_sha256WithRSAEncryption, {rsa_pkcs1, sha2_256}},
    {NID_sha384WithRSAEncryption, {rsa_pkcs1, sha2_384}},
    {NID_sha512WithRSAEncryption, {rsa_pkcs1, sha2_512}},
    {NID_ecdsa_with_SHA1, {ecdsa, sha1}},
    {NID_ecdsa_with_SHA256, {ecdsa, sha2_256}},
    {NID_ecdsa_with_SHA384, {ecdsa, sha2_384}},
    {NID_ecdsa_with_SHA512, {ecdsa, sha2_512}},
    {NID_ED25519, {ed25519, identity}},
    {NID_ED448, {ed448, identity}},
});

int nid_of(HashId hash) {
  switch (hash) {
    case sha1:
      return NID_sha1;
    case sha2_256:
      return NID_sha256;
    case sha2_384:
      return NID_sha384;
    case sha2_512:
      return NID_sha512;
    case identity:
      return NID_undef;
  }
  return NID_undef;
}

int octets_of(HashId hash) {
  switch (hash) {
    case sha2_256:
      return 32;
    case sha2_384:
      return 48;
    case sha2_512:
      return 64;
    default:
      return 20;
  }
}

int nid_of(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  return OBJ_obj2nid(object);
}

// Parameters left out, or NULL: both are to be taken (RFC 4055 2.1, 5).
bool no_parameters(const X509_ALGOR* algorithm) {
  int type = V_ASN1_UNDEF;
  X509_ALGOR_get0(nullptr, &type, nullptr, algorithm);
  return type == V_ASN1_UNDEF || type == V_ASN1_NULL;
}

// The sequence within an algorithm's parameters; nullptr if it is none.
const ASN1_STRING* sequence_of(const X509_ALGOR* algorithm) {
  int type = V_ASN1_UNDEF;
  const void* value = nullptr;
  X509_ALGOR_get0(nullptr, &type, &value, algorithm);
  return type == V_ASN1_SEQUENCE ? static_cast<const ASN1_STRING*>(value) : nullptr;
}

std::optional<HashId> hash_of(const X509_ALGOR* algorithm) {
  if (algorithm == nullptr || !no_parameters(algorithm)) return std::nullopt;
  for (const auto hash : {sha2_256, sha2_384, sha2_512}) {
    if (nid_of(algorithm) == nid_of(hash)) return hash;
  }
  return std::nullopt;
}

// RFC 4055 3.1. The defaults mean SHA-1, which is not taken for PSS: nobody has to.
Crypto<Scheme> parse_pss(const X509_ALGOR* algorithm) {
  const auto* sequence = sequence_of(algorithm);
  if (sequence == nullptr) return fail(CryptoError::bad_parameters);
  const PssParams params(static_cast<RSA_PSS_PARAMS*>(ASN1_item_unpack(sequence, ASN1_ITEM_rptr(RSA_PSS_PARAMS))));
  if (params == nullptr) return fail(CryptoError::bad_parameters);
  const auto hash = hash_of(params->hashAlgorithm);
  if (!hash || params->maskGenAlgorithm == nullptr || nid_of(params->maskGenAlgorithm) != NID_mgf1) {
    return fail(CryptoError::bad_parameters);
  }
  const auto* inner = sequence_of(params->maskGenAlgorithm);
  const Algorithm mask(inner != nullptr ? static_cast<X509_ALGOR*>(ASN1_item_unpack(inner, ASN1_ITEM_rptr(X509_ALGOR)))
                                        : nullptr);
  if (mask == nullptr || hash_of(mask.get()) != hash) return fail(CryptoError::bad_parameters);
  const bool salt_fits = params->saltLength != nullptr && ASN1_INTEGER_get(params->saltLength) == octets_of(*hash);
  const bool trailer_fits = params->trailerField == nullptr || ASN1_INTEGER_get(params->trailerField) == 1;
  if (!salt_fits || !trailer_fits) return fail(CryptoError::bad_parameters);
  return Scheme{rsa_pss, *hash};
}

base::Bytes der_of(const X509_ALGOR* algorithm) {
  const int length = i2d_X509_ALGOR(algorithm, nullptr);
  if (length <= 0) return {};
  base::Bytes out(static_cast<std::size_t>(length));
  unsigned char* into = out.data();
  i2d_X509_ALGOR(algorithm, &into);
  return out;
}

// SEQUENCE { id-RSASSA-PSS, SEQUENCE { [0] hash, [1] SEQUENCE { id-mgf1, hash }, [2] INTEGER salt } }, the length of
// everything below 128.
base::Bytes pss_identifier(HashId hash) {
  const auto octets = [](std::initializer_list<unsigned> list) {
    base::Bytes out;
    for (const auto one : list) out.push_back(static_cast<std::uint8_t>(one));
    return out;
  };
  const auto wrap = [](std::uint8_t tag, const base::Bytes& content) {
    base::Bytes out{tag, static_cast<std::uint8_t>(content.size())};
    out.insert(out.end(), content.begin(), content.end());
    return out;
  };
  const auto join = [](base::Bytes first, const base::Bytes& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
  };
  const unsigned last = hash == sha2_256 ? 1 : hash == sha2_384 ? 2 : 3;  // id-sha256, -384, -512
  const auto digest = wrap(0x30, octets({0x06, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last, 0x05, 0x00}));
  const auto mgf = wrap(0x30, join(octets({0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08}), digest));
  auto params = join(wrap(0xa0, digest), wrap(0xa1, mgf));
  params = join(std::move(params), octets({0xa2, 3, 0x02, 1, static_cast<unsigned>(octets_of(hash))}));
  return wrap(0x30, join(octets({0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a}), wrap(0x30, params)));
}
}  // namespace

base::Bytes algorithm_identifier(const Scheme& scheme) {
  if (scheme.kind == rsa_pss) {
    const bool known = scheme.hash == sha2_256 || scheme.hash == sha2_384 || scheme.hash == sha2_512;
    return known ? pss_identifier(scheme.hash) : base::Bytes{};
  }
  const auto* found = std::ranges::find(kSchemes, scheme, &Entry::scheme);
  const Algorithm algorithm(X509_ALGOR_new());
  if (found == kSchemes.end() || algorithm == nullptr) return {};
  const int parameters = scheme.kind == rsa_pkcs1 ? V_ASN1_NULL : V_ASN1_UNDEF;
  X509_ALGOR_set0(algorithm.get(), OBJ_nid2obj(found->nid), parameters, nullptr);
  return der_of(algorithm.get());
}

Crypto<Scheme> parse_algorithm(base::ByteView der) {
  const unsigned char* at = der.data();
  const Algorithm algorithm(d2i_X509_ALGOR(nullptr, &at, static_cast<long>(der.size())));
  if (algorithm == nullptr || at != der.data() + der.size()) return fail(CryptoError::bad_parameters);
  const int nid = nid_of(algorithm.get());
  if (nid == NID_rsassaPss) return parse_pss(algorithm.get());
  const auto* found = std::ranges::find(kSchemes, nid, &Entry::nid);
  if (found == kSchemes.end() || !no_parameters(algorithm.get())) return fail(CryptoError::bad_parameters);
  return found->scheme;
}

}  // namespace espgate::ike::crypto
