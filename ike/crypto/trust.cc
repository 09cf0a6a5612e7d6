// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/trust.h"

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "ike/crypto/openssl.h"

namespace espgate::ike::crypto {

namespace {
using StoreContext = std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>>;
using Stack = std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * all) { sk_X509_free(all); })>;

constexpr int kDeepest = 8;        // certificates between the leaf and the anchor
constexpr int kSecurityLevel = 2;  // OpenSSL's: 112 bits, RSA from 2048, no SHA-1

bool names_distribution_point(const X509* x509) {
  return X509_get_ext_by_NID(x509, NID_crl_distribution_points, -1) >= 0;
}

// OpenSSL asks what to do about each flaw: only doubts about revocation may be passed over.
int on_flaw(int ok, X509_STORE_CTX* context) {
  if (ok != 0) return ok;
  const auto* policy = static_cast<const Revocation*>(X509_STORE_CTX_get_app_data(context));
  switch (X509_STORE_CTX_get_error(context)) {
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_CRL_HAS_EXPIRED:
      break;
    default:
      return 0;
  }
  // What the operator trusts needs no list of whoever stands above it.
  if (X509_STORE_CTX_get_error_depth(context) == sk_X509_num(X509_STORE_CTX_get0_chain(context)) - 1) return 1;
  if (policy == nullptr || *policy == Revocation::strict) return 0;
  if (*policy == Revocation::relaxed) return 1;
  const auto* current = X509_STORE_CTX_get_current_cert(context);
  return current != nullptr && names_distribution_point(current) ? 0 : 1;
}

std::string flaw_text(X509_STORE_CTX* context, const Certificate& leaf) {
  const auto* current = X509_STORE_CTX_get_current_cert(context);
  std::string whose = leaf.subject().text();
  if (current != nullptr && current != leaf.native()) {
    X509* const held = const_cast<X509*>(current);
    X509_NAME* const name = X509_get_subject_name(held);
    const unsigned char* der = nullptr;
    std::size_t length = 0;
    if (X509_NAME_get0_der(name, &der, &length) == 1) whose = Identity{IdType::dn, {der, der + length}}.text();
  }
  return "certificate '" + whose + "': " + X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
}
}  // namespace

std::shared_ptr<const TrustStore> TrustStore::make(std::vector<Certificate> anchors,
                                                   std::span<const RevocationList> lists) {
  std::shared_ptr<TrustStore> out(new TrustStore);
  out->store_ = std::shared_ptr<X509_STORE>(X509_STORE_new(), X509_STORE_free);
  if (out->store_ == nullptr) return out;
  for (const auto& anchor : anchors) X509_STORE_add_cert(out->store_.get(), anchor.native());
  for (const auto& list : lists) X509_STORE_add_crl(out->store_.get(), list.native());
  out->anchors_ = std::move(anchors);
  out->has_lists_ = !lists.empty();
  ERR_clear_error();
  return out;
}

std::expected<void, std::string> TrustStore::verify(const Certificate& leaf, std::span<const Certificate> others,
                                                    std::int64_t at, Revocation revocation) const {
  const StoreContext context(X509_STORE_CTX_new());
  const Stack untrusted(sk_X509_new_null());
  if (store_ == nullptr || context == nullptr || untrusted == nullptr) return std::unexpected("OpenSSL failed");
  for (const auto& other : others) sk_X509_push(untrusted.get(), other.native());
  if (X509_STORE_CTX_init(context.get(), store_.get(), leaf.native(), untrusted.get()) != 1) {
    ERR_clear_error();
    return std::unexpected("OpenSSL failed");
  }
  auto* const parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(parameters, static_cast<std::time_t>(at));
  X509_VERIFY_PARAM_set_depth(parameters, kDeepest);
  X509_VERIFY_PARAM_set_auth_level(parameters, kSecurityLevel);
  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST;
  if (has_lists_ || revocation != Revocation::relaxed) flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
  X509_VERIFY_PARAM_set_flags(parameters, flags);
  X509_STORE_CTX_set_app_data(context.get(), &revocation);
  X509_STORE_CTX_set_verify_cb(context.get(), on_flaw);
  const bool good = X509_verify_cert(context.get()) == 1;
  std::expected<void, std::string> out;
  if (!good) out = std::unexpected(flaw_text(context.get(), leaf));
  ERR_clear_error();
  return out;
}

}  // namespace espgate::ike::crypto
