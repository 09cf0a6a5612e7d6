// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/prf.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <algorithm>

#include "ike/crypto/openssl.h"

namespace espgate::ike::crypto {

namespace {
// HMAC with one key, for any number of messages.
class Hmac {
 public:
  static Crypto<Hmac> make(const char* digest, base::ByteView key) {
    EVP_MAC* const mac = fetched_hmac();
    if (mac == nullptr) return fail();
    Hmac out(EVP_MAC_CTX_new(mac));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(digest), 0),
        OSSL_PARAM_construct_end(),
    };
    // A null pointer would mean "the key as before".
    static constexpr std::uint8_t kNothing = 0;
    const std::uint8_t* const octets = key.empty() ? &kNothing : key.data();
    if (out.context_ == nullptr || EVP_MAC_init(out.context_.get(), octets, key.size(), params) != 1) return fail();
    return out;
  }

  // The next message; precondition: begun by make() or restart().
  bool update(base::ByteView part) {
    return part.empty() || EVP_MAC_update(context_.get(), part.data(), part.size()) == 1;
  }
  bool update(Parts parts) {
    return std::ranges::all_of(parts, [this](base::ByteView part) { return update(part); });
  }
  Crypto<base::Secret> finish() {
    base::Secret out(EVP_MAC_CTX_get_mac_size(context_.get()));
    std::size_t written = 0;
    if (EVP_MAC_final(context_.get(), out.bytes().data(), &written, out.size()) != 1 || written != out.size()) {
      return fail();
    }
    return out;
  }
  bool restart() { return EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1; }

 private:
  explicit Hmac(EVP_MAC_CTX* context) : context_(context) {}
  MacContext context_;
};
}  // namespace

Crypto<base::Secret> hmac(const char* digest, base::ByteView key, Parts parts) {
  auto mac = Hmac::make(digest, key);
  if (!mac) return std::unexpected(mac.error());
  if (!mac->update(parts)) return fail();
  return mac->finish();
}

Crypto<Prf> Prf::make(std::uint16_t id) {
  const auto* info = find_prf(id);
  if (info == nullptr) return std::unexpected(CryptoError::unknown_algorithm);
  return Prf(info);
}

Crypto<base::Secret> Prf::compute(base::ByteView key, Parts parts) const { return hmac(info_->digest, key, parts); }

// T1 = prf(K, S | 0x01), Tn = prf(K, Tn-1 | S | n), n one octet (RFC 7296 2.13).
Crypto<base::Secret> Prf::plus(base::ByteView key, Parts parts, std::size_t count) const {
  if (count > 255 * octets()) return std::unexpected(CryptoError::too_long);
  auto mac = Hmac::make(info_->digest, key);
  if (!mac) return std::unexpected(mac.error());
  base::Secret out(count);
  base::Secret block;
  std::uint8_t round = 0;
  for (std::size_t done = 0; done < count; done += block.size()) {
    ++round;
    if (round > 1 && !mac->restart()) return fail();
    if (!mac->update(block.view()) || !mac->update(parts) || !mac->update({&round, 1})) return fail();
    auto next = mac->finish();
    if (!next) return next;
    block = std::move(*next);
    std::ranges::copy(block.view().first(std::min(block.size(), count - done)), out.bytes().begin() + done);
  }
  return out;
}

namespace {
template <std::size_t octets>
Crypto<std::array<std::uint8_t, octets>> digest(const EVP_MD* with, Parts parts) {
  std::array<std::uint8_t, octets> out{};
  const DigestContext context(EVP_MD_CTX_new());
  if (context == nullptr || EVP_DigestInit_ex2(context.get(), with, nullptr) != 1) return fail();
  for (const auto& part : parts) {
    if (EVP_DigestUpdate(context.get(), part.data(), part.size()) != 1) return fail();
  }
  if (EVP_DigestFinal_ex(context.get(), out.data(), nullptr) != 1) return fail();
  return out;
}
}  // namespace

Crypto<std::array<std::uint8_t, 20>> sha1(Parts parts) { return digest<20>(fetched_sha1(), parts); }
Crypto<std::array<std::uint8_t, 32>> sha256(Parts parts) { return digest<32>(fetched_sha256(), parts); }

}  // namespace espgate::ike::crypto
