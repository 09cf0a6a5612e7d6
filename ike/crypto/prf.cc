// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/prf.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ike/crypto/openssl.h"

namespace espgate::ike::crypto {

namespace {
// A null pointer would mean "the key as before".
constexpr std::uint8_t kNothing = 0;

// Contexts that nobody uses just now, of one thread: finding the digest takes several times as long as a short message.
// Each has its digest, and no key any more but one that everybody knows.
class IdleContexts {
 public:
  static MacContext take(const char* digest) {
    auto& list = all().of(digest);
    if (list.empty()) return fresh(digest);
    auto out = std::move(list.back());
    list.pop_back();
    return out;
  }
  static void give_back(const char* digest, MacContext context) {
    auto& list = all().of(digest);
    // The key, and what was made of it, is overwritten; what is over the limit, or cannot be, goes (and is wiped).
    if (list.size() < kMost && EVP_MAC_init(context.get(), &kNothing, 0, nullptr) == 1) {
      list.push_back(std::move(context));
    }
  }

 private:
  static constexpr std::size_t kMost = 4;

  static IdleContexts& all() {
    static thread_local IdleContexts contexts;
    return contexts;
  }
  std::vector<MacContext>& of(const char* digest) {
    const auto found = std::ranges::find(by_digest_, std::string_view(digest), &Digest::name);
    if (found != by_digest_.end()) return found->idle;
    auto& made = by_digest_.emplace_back(Digest{digest, {}}).idle;
    made.reserve(kMost);  // to give back never takes memory
    return made;
  }
  static MacContext fresh(const char* digest) {
    EVP_MAC* const mac = fetched_hmac();
    MacContext out(mac == nullptr ? nullptr : EVP_MAC_CTX_new(mac));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(digest), 0),
        OSSL_PARAM_construct_end(),
    };
    if (out == nullptr || EVP_MAC_CTX_set_params(out.get(), params) != 1) return nullptr;
    return out;
  }

  struct Digest {
    std::string name;
    std::vector<MacContext> idle;
  };
  std::vector<Digest> by_digest_;
};

// HMAC with one key, for any number of messages.
class Hmac {
 public:
  static Crypto<Hmac> make(const char* digest, base::ByteView key) {
    Hmac out(digest, IdleContexts::take(digest));
    const std::uint8_t* const octets = key.empty() ? &kNothing : key.data();
    if (out.context_ == nullptr || EVP_MAC_init(out.context_.get(), octets, key.size(), nullptr) != 1) return fail();
    return out;
  }
  Hmac(Hmac&&) = default;
  Hmac& operator=(Hmac&&) = delete;
  ~Hmac() {
    if (context_ != nullptr) IdleContexts::give_back(digest_, std::move(context_));
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
  Hmac(const char* digest, MacContext context) : digest_(digest), context_(std::move(context)) {}
  const char* digest_;
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
  static thread_local const DigestContext context(EVP_MD_CTX_new());
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
