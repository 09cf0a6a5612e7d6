// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/siphash.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <algorithm>

#include "ike/crypto/openssl.h"

namespace espgate::ike::crypto {

Crypto<std::array<std::uint8_t, 8>> siphash(base::ByteView key, Parts parts) {
  std::array<std::uint8_t, 8> out{};
  EVP_MAC* const mac = fetched_siphash();
  if (mac == nullptr || key.size() != kSipHashKeyOctets) return fail();
  const MacContext context(EVP_MAC_CTX_new(mac));
  std::size_t octets = out.size();
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &octets), OSSL_PARAM_construct_end()};
  if (context == nullptr || EVP_MAC_init(context.get(), key.data(), key.size(), params) != 1) return fail();
  const auto update = [&](base::ByteView part) {
    return part.empty() || EVP_MAC_update(context.get(), part.data(), part.size()) == 1;
  };
  if (!std::ranges::all_of(parts, update)) return fail();
  std::size_t written = 0;
  if (EVP_MAC_final(context.get(), out.data(), &written, out.size()) != 1 || written != out.size()) return fail();
  return out;
}

}  // namespace espgate::ike::crypto
