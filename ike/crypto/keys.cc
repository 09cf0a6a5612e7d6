// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/keys.h"

#include <utility>

namespace espgate::ike::crypto {

namespace {
base::Bytes octets(const base::IkeSpi& spi) {
  base::ByteWriter out;
  out.u64(spi.value);
  return out.take();
}

// Cuts keymat into keys, from the front.
class Cutter {
 public:
  explicit Cutter(const base::Secret& keymat) : keymat_(keymat) {}
  base::Secret next(std::size_t count) {
    at_ += count;
    return base::Secret::copy_of(keymat_.part(at_ - count, count));
  }

 private:
  const base::Secret& keymat_;
  std::size_t at_ = 0;
};
}  // namespace

Crypto<base::Secret> skeyseed(const Prf& prf, base::ByteView shared, const Exchange& exchange) {
  base::ByteWriter nonces;
  nonces.put(exchange.nonce_i);
  nonces.put(exchange.nonce_r);
  return prf.compute(nonces.view(), {shared});
}

Crypto<base::Secret> rekeyed_skeyseed(const Prf& old_prf, base::ByteView old_sk_d, base::ByteView shared,
                                      const Exchange& exchange, base::ByteView additional) {
  return old_prf.compute(old_sk_d, {shared, exchange.nonce_i, exchange.nonce_r, additional});
}

Crypto<base::Secret> ike_keymat(const Prf& prf, base::ByteView seed, const Exchange& exchange, std::size_t count) {
  const auto spi_i = octets(exchange.spi_i);
  const auto spi_r = octets(exchange.spi_r);
  return prf.plus(seed, {exchange.nonce_i, exchange.nonce_r, spi_i, spi_r}, count);
}

Crypto<IkeKeys> ike_keys(const IkeSuite& suite, base::ByteView seed, const Exchange& exchange) {
  if (!suite.known()) return std::unexpected(CryptoError::unknown_algorithm);
  const auto prf = Prf::make(suite.prf);
  if (!prf) return std::unexpected(prf.error());
  const std::size_t count = 3 * prf->octets() + 2 * suite.integ_key_octets() + 2 * suite.encr_key_octets();
  const auto keymat = ike_keymat(*prf, seed, exchange, count);
  if (!keymat) return std::unexpected(keymat.error());
  Cutter cut(*keymat);
  IkeKeys out;
  out.d = cut.next(prf->octets());
  out.ai = cut.next(suite.integ_key_octets());
  out.ar = cut.next(suite.integ_key_octets());
  out.ei = cut.next(suite.encr_key_octets());
  out.er = cut.next(suite.encr_key_octets());
  out.pi = cut.next(prf->octets());
  out.pr = cut.next(prf->octets());
  return out;
}

Crypto<PpkKeys> with_ppk(const Prf& prf, const IkeKeys& keys, base::ByteView ppk) {
  PpkKeys out;
  const std::pair<const base::Secret*, base::Secret*> all[] = {
      {&keys.d, &out.d}, {&keys.pi, &out.pi}, {&keys.pr, &out.pr}};
  for (const auto& [from, to] : all) {
    auto mixed = prf.plus(ppk, {from->view()}, from->size());
    if (!mixed) return std::unexpected(mixed.error());
    *to = std::move(*mixed);
  }
  return out;
}

Crypto<base::Secret> child_keymat(const Prf& prf, base::ByteView sk_d, const ChildShared& shared,
                                  base::ByteView nonce_i, base::ByteView nonce_r, std::size_t count) {
  return prf.plus(sk_d, {shared.first, nonce_i, nonce_r, shared.additional}, count);
}

Crypto<ChildKeymat> child_keys(const Prf& prf, const base::EspSuite& suite, base::ByteView sk_d,
                               const ChildShared& shared, base::ByteView nonce_i, base::ByteView nonce_r) {
  const std::size_t count = 2 * (suite.cipher_key_octets() + suite.auth_key_octets());
  const auto keymat = child_keymat(prf, sk_d, shared, nonce_i, nonce_r, count);
  if (!keymat) return std::unexpected(keymat.error());
  Cutter cut(*keymat);
  ChildKeymat out;
  out.cipher_i = cut.next(suite.cipher_key_octets());
  out.auth_i = cut.next(suite.auth_key_octets());
  out.cipher_r = cut.next(suite.cipher_key_octets());
  out.auth_r = cut.next(suite.auth_key_octets());
  return out;
}

}  // namespace espgate::ike::crypto
