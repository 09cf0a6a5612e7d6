// SPDX-License-Identifier: Apache-2.0
// Certificates, keys and secrets that come over vici.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/config/store.h"
#include "ike/crypto/key_files.h"

namespace espgate::control {
namespace {

using ike::crypto::Certificate;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::string hex_of(const ike::crypto::KeyId& id) {
  std::string out;
  for (const auto octet : id) out += fmt::format("{:02x}", octet);
  return out;
}

std::vector<Certificate>* place_of(std::string_view flag, CredentialSet& set) {
  if (flag.empty() || flag == "none") return &set.own;
  if (flag == "ca") return &set.cas;
  if (flag == "ocsp") return &set.ocsp;
  return flag == "aa" ? &set.aas : nullptr;
}

Refusal add_x509(std::string_view flag, base::ByteView data, CredentialSet& set) {
  auto* place = place_of(flag, set);
  if (place == nullptr) return fmt::format("unknown certificate flag {}, expected NONE, CA, OCSP or AA", flag);
  const auto certs = Certificate::from_file(data);
  if (!certs) return "parsing X509 certificate failed";
  const auto& cert = certs->front();
  if (place == &set.cas && !cert.ca())
    return fmt::format("'{}' is no CA certificate: its basicConstraints do not say so", cert.subject().text());
  add(*place, cert);
  // What follows in the file is the way to its CA.
  for (std::size_t i = 1; i < certs->size(); ++i) add(set.own, (*certs)[i]);
  return std::nullopt;
}

Refusal add_list(base::ByteView data, CredentialSet& set) {
  auto list = ike::crypto::RevocationList::from_file(data);
  if (!list) return "parsing X509_CRL certificate failed";
  CredentialSet one;
  one.lists.push_back(std::move(*list));
  set.add(one);
  return std::nullopt;
}

Refusal add_public_key(base::ByteView data, CredentialSet& set) {
  const auto key = ike::crypto::read_public_key(data);
  if (!key) return "parsing PUBKEY certificate failed";
  CredentialSet one;
  one.public_keys.push_back(ike::crypto::der_of(*key));
  set.add(one);
  return std::nullopt;
}

}  // namespace

CredentialSet Store::credentials() const {
  CredentialSet out = file_.credentials;
  out.add(loaded_);
  for (const auto& [name, set] : authority_credentials_) out.add(set);
  return out;
}

Refusal Store::load_cert(std::string_view type, std::string_view flag, base::ByteView data) {
  if (data.empty()) return "certificate data missing";
  const auto kind = lower(type);
  renew_ = true;
  if (kind == "x509") return add_x509(lower(flag), data, loaded_);
  if (kind == "x509_crl" || kind == "x509crl") return add_list(data, loaded_);
  if (kind == "pubkey") return add_public_key(data, loaded_);
  if (kind == "x509_ac") return "attribute certificates are not supported";
  return fmt::format("unknown certificate type {}, expected X509, X509_CRL or PUBKEY", type);
}

std::expected<std::string, std::string> Store::load_key(base::ByteView data) {
  if (data.empty()) return std::unexpected("key data missing");
  auto key = ike::crypto::PrivateKey::load(data, {});
  if (!key) return std::unexpected(fmt::format("parsing private key failed: it is {}", ike::crypto::text(key.error())));
  CredentialSet one;
  one.keys.push_back(std::make_shared<const ike::crypto::PrivateKey>(std::move(*key)));
  auto id = hex_of(id_of(*one.keys.front()));
  loaded_.add(one);
  renew_ = true;
  return id;
}

Refusal Store::unload_key(std::string_view id) {
  if (std::erase_if(loaded_.keys, [&](const auto& key) { return hex_of(id_of(*key)) == lower(id); }) == 0)
    return fmt::format("key not found: {}", id);
  renew_ = true;
  return std::nullopt;
}

std::vector<std::string> Store::keys() const {
  std::vector<std::string> out;
  for (const auto& key : loaded_.keys) out.push_back(hex_of(id_of(*key)));
  return out;
}

Refusal Store::load_shared(const std::string& id, std::string_view type, base::ByteView data,
                           const std::vector<std::string>& owners) {
  static constexpr std::array known{"ike", "eap", "xauth", "ntlm", "ppk"};
  Secret one{id, lower(type), {id, {}, {}}};
  if (std::ranges::find(known, one.type) == known.end())
    return fmt::format("unknown type {} of a secret, expected IKE, EAP, XAUTH, NTLM or PPK", type);
  if (data.empty()) return "shared key data missing";
  for (const auto& owner : owners) {
    auto identity = ike::Identity::parse(owner);
    if (!identity && (one.type == "ike" || one.type == "ppk"))
      return fmt::format("{} is no identity that is supported", owner);
    if (identity) one.secret.owners.push_back(std::move(*identity));
  }
  one.secret.key = base::Secret::copy_of(data);
  if (!id.empty()) (void)unload_shared(id);
  secrets_.push_back(std::move(one));
  return std::nullopt;
}

Refusal Store::unload_shared(std::string_view id) {
  if (id.empty() || std::erase_if(secrets_, [&](const auto& one) { return one.id == id; }) == 0)
    return fmt::format("shared key not found: {}", id);
  return std::nullopt;
}

std::vector<std::string> Store::shared() const {
  std::vector<std::string> out;
  for (const auto& one : secrets_) {
    if (!one.id.empty()) out.push_back(one.id);
  }
  return out;
}

void Store::clear_credentials() {
  loaded_ = {};
  secrets_.clear();
  renew_ = true;
}

}  // namespace espgate::control
