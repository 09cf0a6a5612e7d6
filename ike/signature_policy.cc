// SPDX-License-Identifier: Apache-2.0
#include "ike/signature_policy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace espgate::ike {

namespace {
using crypto::HashId;
using crypto::KeyKind;
using crypto::Scheme;
using crypto::SignatureKind;

// The hash as strong as the key stands first (RFC 8247 3.2, RFC 5656 6.2.1 has the same pairs).
std::array<HashId, 3> hashes_for(KeyKind key) {
  if (key == KeyKind::p384) return {HashId::sha2_384, HashId::sha2_512, HashId::sha2_256};
  if (key == KeyKind::p521) return {HashId::sha2_512, HashId::sha2_384, HashId::sha2_256};
  return {HashId::sha2_256, HashId::sha2_384, HashId::sha2_512};
}

std::vector<Scheme> defaults(KeyKind key) {
  if (key == KeyKind::ed25519) return {{SignatureKind::ed25519, HashId::identity}};
  if (key == KeyKind::ed448) return {{SignatureKind::ed448, HashId::identity}};
  std::vector<Scheme> out;
  for (const auto hash : hashes_for(key)) {
    if (key == KeyKind::rsa) {
      out.push_back({SignatureKind::rsa_pss, hash});
      out.push_back({SignatureKind::rsa_pkcs1, hash});
    } else {
      out.push_back({SignatureKind::ecdsa, hash});
    }
  }
  return out;
}

// What has been read of the text so far: kinds wait for their hashes.
class Reader {
 public:
  // false: not a word that belongs here
  bool take(std::string_view word) {
    if (const auto hash = hash_of(word)) {
      if (kinds_.empty()) return false;
      hashes_.push_back(*hash);
      return true;
    }
    if (int bits = number(word); bits > 0) return take_bits(bits);
    if (word == "pss") {
      if (kinds_ != std::vector{SignatureKind::rsa_pss, SignatureKind::rsa_pkcs1}) return false;
      kinds_ = {SignatureKind::rsa_pss};
      return true;
    }
    auto kinds = kinds_of(word);
    if (kinds.empty()) return false;
    flush();
    kinds_ = std::move(kinds);
    named_ = named_ || word != "pubkey";
    return true;
  }

  SignaturePolicy finish() {
    flush();
    if (!named_ && !hashed_) out_.schemes.clear();  // "pubkey" alone: anything that is good
    return out_;
  }

 private:
  static std::optional<HashId> hash_of(std::string_view word) {
    if (word == "sha1") return HashId::sha1;
    if (word == "sha256" || word == "sha2_256") return HashId::sha2_256;
    if (word == "sha384" || word == "sha2_384") return HashId::sha2_384;
    if (word == "sha512" || word == "sha2_512") return HashId::sha2_512;
    if (word == "identity") return HashId::identity;
    return std::nullopt;
  }

  static std::vector<SignatureKind> kinds_of(std::string_view word) {
    using enum SignatureKind;
    if (word == "pubkey") return {rsa_pss, rsa_pkcs1, ecdsa, ed25519, ed448};
    if (word == "rsa") return {rsa_pss, rsa_pkcs1};
    if (word == "rsa/pss") return {rsa_pss};
    if (word == "ecdsa") return {ecdsa};
    if (word == "ed25519") return {ed25519};
    if (word == "ed448") return {ed448};
    return {};
  }

  static int number(std::string_view word) {
    int out = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
    return error == std::errc{} && end == word.data() + word.size() ? out : 0;
  }

  bool take_bits(int bits) {
    if (kinds_.empty()) return false;
    if (kinds_.front() == SignatureKind::rsa_pss && kinds_.size() <= 2) {
      out_.rsa_bits = bits;
    } else if (kinds_.front() == SignatureKind::ecdsa) {
      out_.ecdsa_bits = bits;
    } else {
      return false;
    }
    return true;
  }

  void flush() {
    hashed_ = hashed_ || !hashes_.empty();
    // strongSwan's "rsa-sha256" is PKCS#1 v1.5, and a peer that has it for us takes nothing else. A hash left open
    // leaves that open, too: then PSS goes first, the only one with SHA-2 that libreswan takes.
    if (!hashes_.empty() && kinds_ == std::vector{SignatureKind::rsa_pss, SignatureKind::rsa_pkcs1}) {
      std::ranges::reverse(kinds_);
    }
    auto hashes = hashes_;
    if (hashes.empty()) hashes = {HashId::sha2_256, HashId::sha2_384, HashId::sha2_512, HashId::identity};
    for (const auto hash : hashes) {
      for (const auto kind : kinds_) add(kind, hash);
    }
    kinds_.clear();
    hashes_.clear();
  }

  void add(SignatureKind kind, HashId hash) {
    const bool edwards = kind == SignatureKind::ed25519 || kind == SignatureKind::ed448;
    if (edwards != (hash == HashId::identity)) return;
    if (kind == SignatureKind::rsa_pss && hash == HashId::sha1) return;  // nobody needs it
    out_.schemes.push_back({kind, hash});
  }

  SignaturePolicy out_;
  std::vector<SignatureKind> kinds_;
  std::vector<HashId> hashes_;
  bool named_ = false, hashed_ = false;
};
}  // namespace

bool SignaturePolicy::admits(const Scheme& scheme) const {
  if (schemes.empty()) return scheme.hash != HashId::sha1;
  return std::ranges::find(schemes, scheme) != schemes.end();
}

bool SignaturePolicy::admits(const crypto::PublicKey& key) const {
  const int bits = key.bits();
  if (key.kind() == KeyKind::rsa) return bits >= rsa_bits;
  if (key.kind() == KeyKind::ed25519 || key.kind() == KeyKind::ed448) return true;
  return bits >= ecdsa_bits;
}

std::vector<Scheme> SignaturePolicy::choices(KeyKind key, std::span<const HashId> hashes) const {
  auto out = schemes.empty() ? defaults(key) : schemes;
  std::erase_if(out, [&](const Scheme& scheme) {
    return !scheme.fits(key) || std::ranges::find(hashes, scheme.hash) == hashes.end();
  });
  return out;
}

std::expected<SignaturePolicy, std::string> parse_signature_policy(std::string_view text) {
  Reader reader;
  std::string_view rest = text;
  if (rest.starts_with("ike:")) rest.remove_prefix(4);
  while (true) {
    const auto dash = rest.find('-');
    const auto word = rest.substr(0, dash);
    if (!reader.take(word)) {
      return std::unexpected("\"" + std::string(word) + "\" in \"" + std::string(text) +
                             "\" is no signature that is known, expected one like \"pubkey\", \"rsa-2048-sha256\", "
                             "\"rsa/pss-sha256\", \"ecdsa-sha384\" or \"ed25519\"");
    }
    if (dash == std::string_view::npos) break;
    rest.remove_prefix(dash + 1);
  }
  auto out = reader.finish();
  return out;
}

}  // namespace espgate::ike
