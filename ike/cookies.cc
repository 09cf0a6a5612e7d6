// SPDX-License-Identifier: Apache-2.0
#include "ike/cookies.h"

#include <algorithm>
#include <utility>

#include "ike/crypto/prf.h"

namespace espgate::ike {

namespace {
constexpr std::size_t kSecretOctets = 32, kHashOctets = 31;

base::Secret fresh(Rng& rng) {
  base::Secret out(kSecretOctets);
  rng.fill(out.bytes());
  return out;
}
}  // namespace

// When nobody asked for long, both secrets are new.
void Cookies::rotate(base::Instant now, Rng& rng) {
  const bool first = keys_[0].secret.empty();
  if (!first && now - since_ < kRotation) return;
  const auto number = static_cast<std::uint8_t>(keys_[0].number + 1);
  const bool stale = first || now - since_ >= 2 * kRotation;
  keys_[1] = stale ? Key{} : std::move(keys_[0]);
  keys_[0] = {number, fresh(rng)};
  since_ = now;
}

base::Bytes Cookies::compute(const Key& key, const Claim& claim) {
  base::ByteWriter spi;
  spi.u64(claim.spi_i.value);
  const auto hash = crypto::hmac("SHA256", key.secret.view(), {claim.nonce, claim.address.octets(), spi.view()});
  if (!hash) return {};
  base::Bytes out{key.number};
  const auto part = hash->part(0, kHashOctets);
  out.insert(out.end(), part.begin(), part.end());
  return out;
}

base::Bytes Cookies::make(base::Instant now, Rng& rng, const Claim& claim) {
  rotate(now, rng);
  return compute(keys_[0], claim);
}

bool Cookies::good(base::Instant now, Rng& rng, const Claim& claim, base::ByteView cookie) {
  rotate(now, rng);
  if (cookie.size() != 1 + kHashOctets) return false;
  return std::ranges::any_of(keys_, [&](const Key& key) {
    return !key.secret.empty() && key.number == cookie.front() &&
           base::equal_constant_time(compute(key, claim), cookie);
  });
}

}  // namespace espgate::ike
