// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "ike/crypto/prf.h"
#include "ike/task/init.h"

namespace espgate::ike {

crypto::Crypto<void> derive_keys(IkeSa& sa, base::ByteView shared) {
  auto prf = crypto::Prf::make(sa.suite.prf);
  if (!prf) return std::unexpected(prf.error());
  const crypto::Exchange exchange{sa.setup->nonce_i, sa.setup->nonce_r, sa.spi_i, sa.spi_r};
  auto seed = crypto::skeyseed(*prf, shared, exchange);
  if (!seed) return std::unexpected(seed.error());
  return set_keys(sa, seed->view(), exchange);
}

crypto::Crypto<void> derive_next_keys(IkeSa& sa, base::ByteView shared) {
  auto prf = crypto::Prf::make(sa.suite.prf);
  if (!prf) return std::unexpected(prf.error());
  const crypto::Exchange exchange{sa.setup->nonce_i, sa.setup->nonce_r, sa.spi_i, sa.spi_r};
  auto seed = crypto::rekeyed_skeyseed(*prf, sa.keys.d.view(), shared, exchange);
  if (!seed) return std::unexpected(seed.error());
  return set_keys(sa, seed->view(), exchange);
}

crypto::Crypto<void> set_keys(IkeSa& sa, base::ByteView seed, const crypto::Exchange& exchange) {
  auto keys = crypto::ike_keys(sa.suite, seed, exchange);
  if (!keys) return std::unexpected(keys.error());
  auto from_i = crypto::SkCipher::make(sa.suite, keys->ei.view(), keys->ai.view());
  if (!from_i) return std::unexpected(from_i.error());
  auto from_r = crypto::SkCipher::make(sa.suite, keys->er.view(), keys->ar.view());
  if (!from_r) return std::unexpected(from_r.error());

  sa.cipher_out.emplace(std::move(sa.initiator ? *from_i : *from_r));
  sa.cipher_in.emplace(std::move(sa.initiator ? *from_r : *from_i));
  sa.keys = std::move(*keys);
  return {};
}

}  // namespace espgate::ike
