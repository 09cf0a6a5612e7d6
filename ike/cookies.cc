// SPDX-License-Identifier: Apache-2.0
#include "ike/cookies.h"

#include "ike/crypto/siphash.h"

namespace espgate::ike {

void CookieSecrets::rotate(Rng& rng) {
  base::Secret key(crypto::kSipHashKeyOctets);
  rng.fill(key.bytes());
  const auto number = static_cast<std::uint8_t>(present_.number + 1);
  before_ = std::move(present_);
  present_ = {number, std::move(key)};
}

CookieSecrets CookieSecrets::clone() const {
  CookieSecrets out;
  out.present_ = {present_.number, present_.key.clone()};
  out.before_ = {before_.number, before_.key.clone()};
  return out;
}

void Cookies::set(CookieSecrets secrets) {
  secrets_ = std::move(secrets);
  given_ = true;
}

// When nobody asked for long, both secrets are new.
void Cookies::rotate(base::Instant now, Rng& rng) {
  if (given_) return;
  const bool first = secrets_.empty();
  const auto age = now - since_;
  if (!first && age < CookieSecrets::kRotation) return;
  secrets_.rotate(rng);
  if (!first && age >= 2 * CookieSecrets::kRotation) secrets_.rotate(rng);
  since_ = now;
}

base::Bytes Cookies::compute(const CookieSecrets::One& secret, const Claim& claim) {
  base::ByteWriter spi;
  spi.u64(claim.spi_i.value);
  const auto hash = crypto::siphash(secret.key.view(), {spi.view(), claim.address.raw(), claim.nonce});
  if (!hash) return {};
  base::Bytes out{secret.number};
  out.insert(out.end(), hash->begin(), hash->end());
  return out;
}

base::Bytes Cookies::make(base::Instant now, Rng& rng, const Claim& claim) {
  rotate(now, rng);
  return compute(secrets_.present(), claim);
}

bool Cookies::good(base::Instant now, Rng& rng, const Claim& claim, base::ByteView cookie) {
  rotate(now, rng);
  if (cookie.size() != kOctets) return false;
  for (const auto* secret : {&secrets_.present(), &secrets_.before()}) {
    if (secret->key.empty() || secret->number != cookie.front()) continue;
    if (base::equal_constant_time(compute(*secret, claim), cookie)) return true;
  }
  return false;
}

}  // namespace espgate::ike
