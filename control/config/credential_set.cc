// SPDX-License-Identifier: Apache-2.0
#include "control/config/credential_set.h"

#include <algorithm>

#include "ike/crypto/key_files.h"

namespace espgate::control {
namespace {

template <class T, class Same>
void add_all(std::vector<T>& into, const std::vector<T>& from, Same same) {
  for (const auto& one : from) {
    if (std::ranges::none_of(into, [&](const T& other) { return same(one, other); })) into.push_back(one);
  }
}

}  // namespace

void CredentialSet::add(const CredentialSet& other) {
  const auto equal = [](const auto& a, const auto& b) { return a == b; };
  add_all(own, other.own, equal);
  add_all(cas, other.cas, equal);
  add_all(ocsp, other.ocsp, equal);
  add_all(aas, other.aas, equal);
  add_all(lists, other.lists, [](const auto& a, const auto& b) { return der_of(a) == der_of(b); });
  add_all(keys, other.keys, [](const auto& a, const auto& b) { return id_of(*a) == id_of(*b); });
  add_all(public_keys, other.public_keys, equal);
}

bool CredentialSet::has_key_for(const ike::crypto::PublicKey& key) const {
  return std::ranges::any_of(keys, [&](const auto& one) { return one->belongs_to(key); });
}

void add(std::vector<ike::crypto::Certificate>& into, const ike::crypto::Certificate& cert) {
  if (std::ranges::find(into, cert) == into.end()) into.push_back(cert);
}

}  // namespace espgate::control
