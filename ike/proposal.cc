// SPDX-License-Identifier: Apache-2.0
#include "ike/proposal.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "ike/additional.h"
#include "ike/crypto/key_exchange.h"
#include "ike/crypto/suite.h"

namespace espgate::ike {

namespace {
using namespace crypto;  // the names of transform ids
using enum TransformType;

struct Word {
  std::string_view text;
  Transform transform;
};
// The first word of a transform is the one that text() writes.
constexpr auto kWords = std::to_array<Word>({
    {"aes128gcm16", {encr, kEncrAesGcm16, 128}},
    {"aes192gcm16", {encr, kEncrAesGcm16, 192}},
    {"aes256gcm16", {encr, kEncrAesGcm16, 256}},
    {"aes128gcm128", {encr, kEncrAesGcm16, 128}},
    {"aes192gcm128", {encr, kEncrAesGcm16, 192}},
    {"aes256gcm128", {encr, kEncrAesGcm16, 256}},
    {"aes128gcm", {encr, kEncrAesGcm16, 128}},
    {"aes192gcm", {encr, kEncrAesGcm16, 192}},
    {"aes256gcm", {encr, kEncrAesGcm16, 256}},
    {"chacha20poly1305", {encr, kEncrChaCha20Poly1305, 0}},
    {"aes128", {encr, kEncrAesCbc, 128}},
    {"aes192", {encr, kEncrAesCbc, 192}},
    {"aes256", {encr, kEncrAesCbc, 256}},
    {"aes", {encr, kEncrAesCbc, 128}},
    {"sha256", {integ, kIntegSha256, 0}},
    {"sha384", {integ, kIntegSha384, 0}},
    {"sha512", {integ, kIntegSha512, 0}},
    {"sha2_256", {integ, kIntegSha256, 0}},
    {"sha2_384", {integ, kIntegSha384, 0}},
    {"sha2_512", {integ, kIntegSha512, 0}},
    {"prfsha256", {prf, kPrfHmacSha256, 0}},
    {"prfsha384", {prf, kPrfHmacSha384, 0}},
    {"prfsha512", {prf, kPrfHmacSha512, 0}},
    {"x25519", {group, kGroupX25519, 0}},
    {"curve25519", {group, kGroupX25519, 0}},
    {"x448", {group, kGroupX448, 0}},
    {"curve448", {group, kGroupX448, 0}},
    {"ecp256", {group, kGroupEcp256, 0}},
    {"ecp384", {group, kGroupEcp384, 0}},
    {"ecp521", {group, kGroupEcp521, 0}},
    {"modp2048", {group, kGroupModp2048, 0}},
    {"modp3072", {group, kGroupModp3072, 0}},
    {"modp4096", {group, kGroupModp4096, 0}},
    {"mlkem512", {group, kGroupMlKem512, 0}},
    {"mlkem768", {group, kGroupMlKem768, 0}},
    {"mlkem1024", {group, kGroupMlKem1024, 0}},
    {"esn", {esn, kEsnYes, 0}},
    {"noesn", {esn, kEsnNo, 0}},
});

constexpr std::array<std::string_view, 2> kIkeDefaults{
    "aes128gcm16-aes256gcm16-chacha20poly1305-prfsha256-prfsha384-prfsha512-x25519-ecp256-ecp384-ecp521-x448-modp2048-"
    "modp3072-modp4096",
    "aes128-aes256-sha256-sha384-sha512-x25519-ecp256-ecp384-ecp521-x448-modp2048-modp3072-modp4096",
};
constexpr std::array<std::string_view, 2> kEspDefaults{"aes128gcm16-aes256gcm16-chacha20poly1305-esn-noesn",
                                                       "aes128-aes256-sha256-esn-noesn"};

constexpr std::array<std::string_view, 1> kAhDefaults{"sha256-sha384-sha512"};

bool allowed(Protocol protocol, TransformType type) {
  if (protocol == Protocol::ah && type == encr) return false;
  return protocol == Protocol::ike ? type != esn : type != prf;
}

std::string_view name_of(Protocol protocol) {
  return protocol == Protocol::ike ? "IKE" : protocol == Protocol::ah ? "AH" : "ESP";
}

// How many letters must be changed, added or left out (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string quoted(std::string_view word) { return "\"" + std::string(word) + "\""; }

std::string unknown_word(Protocol protocol, std::string_view word) {
  constexpr std::size_t kLongest = 64;  // not worth comparing beyond
  const Word* nearest = nullptr;
  std::size_t least = 0;
  for (const auto& known : kWords) {
    if (word.size() > kLongest || !allowed(protocol, known.transform.type)) continue;
    const std::size_t away = distance(word, known.text);
    if (nearest == nullptr || away < least) {
      nearest = &known;
      least = away;
    }
  }
  std::string out = "unknown algorithm " + quoted(word.substr(0, kLongest));
  if (nearest != nullptr) out += ", the nearest known is " + quoted(nearest->text);
  return out;
}

// "ke1_x25519": the type and the word of the method; nullopt for a word that is no additional key exchange.
std::optional<std::pair<TransformType, std::string_view>> split_additional(std::string_view word) {
  constexpr std::size_t kPrefix = 4;
  if (word.size() <= kPrefix || !word.starts_with("ke") || word[3] != '_') return std::nullopt;
  const auto at = static_cast<std::size_t>(word[2] - '1');
  if (at >= kAdditional.size()) return std::nullopt;
  return std::pair(kAdditional.at(at), word.substr(kPrefix));
}

// What ML-KEM needs is found out when we run, not when we are built.
std::expected<Transform, std::string> if_available(const Transform& transform, std::string_view word) {
  const bool key_exchange = (transform.type == group || additional(transform.type)) && transform.id != kGroupNone;
  if (!key_exchange || available(transform.id)) return transform;
  return std::unexpected(quoted(word) + " needs OpenSSL 3.5 or later, and this is " + library());
}

std::expected<Transform, std::string> parse_additional(TransformType type, std::string_view method,
                                                       std::string_view word) {
  if (method == "none") return Transform{type, kGroupNone, 0};
  const auto* known = std::ranges::find(kWords, method, &Word::text);
  if (known == kWords.end() || known->transform.type != group) {
    return std::unexpected("unknown key exchange in " + quoted(word.substr(0, 64)) +
                           ", expected one like \"ke1_mlkem768\" or \"ke1_x25519\", or \"ke1_none\"");
  }
  return if_available({type, known->transform.id, 0}, word);
}

std::expected<Transform, std::string> parse_word(Protocol protocol, std::string_view word) {
  if (const auto more = split_additional(word)) return parse_additional(more->first, more->second, word);
  const auto* known = std::ranges::find(kWords, word, &Word::text);
  if (known == kWords.end()) return std::unexpected(unknown_word(protocol, word));
  if (!allowed(protocol, known->transform.type)) {
    return std::unexpected(quoted(word) + " has no place in an " + std::string(name_of(protocol)) + " proposal");
  }
  return if_available(known->transform, word);
}

bool aead(const Transform& transform) {
  const auto* info = transform.type == encr ? find_cipher(transform.id) : nullptr;
  return info != nullptr && info->aead;
}

bool has(const Proposal& proposal, TransformType type) {
  return std::ranges::find(proposal.transforms, type, &Transform::type) != proposal.transforms.end();
}

void add(Proposal& proposal, const Transform& transform) {
  if (std::ranges::find(proposal.transforms, transform) == proposal.transforms.end()) {
    proposal.transforms.push_back(transform);
  }
}

// The prfs that stand for the integrity algorithms, as strongSwan has it.
std::vector<Transform> implied_prfs(const Proposal& proposal) {
  std::vector<Transform> out;
  for (const auto& transform : proposal.transforms) {
    if (transform.type != integ) continue;
    out.push_back({prf, static_cast<std::uint16_t>(transform.id - kIntegSha256 + kPrfHmacSha256), 0});
  }
  return out;
}

// What is wrong with the additional key exchanges of a proposal.
std::optional<std::string> wrong_additional(const Proposal& proposal) {
  std::vector<std::vector<Transform>> lists;
  for (const auto type : kAdditional) {
    std::vector<Transform> of_type;
    std::ranges::copy_if(proposal.transforms, std::back_inserter(of_type),
                         [type](const auto& one) { return one.type == type; });
    if (!of_type.empty()) lists.push_back(std::move(of_type));
  }
  if (!lists.empty() && !has(proposal, group)) return "an additional key exchange without one that it is added to";
  if (!distinct(lists)) return "the same additional key exchange twice, which RFC 9370 forbids";
  return std::nullopt;
}

// Adds what is implied and refuses what does not go together; the text says what is missing.
std::optional<std::string> complete(Proposal& proposal) {
  const auto is_encr = [](const Transform& transform) { return transform.type == encr; };
  const auto ciphers = std::ranges::count_if(proposal.transforms, is_encr);
  const auto aeads = std::ranges::count_if(proposal.transforms, aead);
  if (ciphers == 0 && proposal.protocol != Protocol::ah)
    return "no encryption algorithm, expected one like \"aes128gcm16\" or \"aes256\"";
  if (aeads != 0 && aeads != ciphers) {
    return "AEAD and other ciphers in one proposal, expected two proposals with a comma between";
  }
  if (aeads == 0 && !has(proposal, integ)) return "no integrity algorithm, expected one like \"sha256\"";
  if (proposal.protocol == Protocol::ike) {
    if (!has(proposal, prf)) {
      for (const auto& implied : implied_prfs(proposal)) add(proposal, implied);
    }
    if (!has(proposal, prf)) return "no pseudo-random function, expected one like \"prfsha256\"";
    if (!has(proposal, group)) return "no key exchange group, expected one like \"x25519\"";
  } else if (!has(proposal, esn)) {
    add(proposal, {esn, kEsnNo, 0});
  }
  if (auto wrong = wrong_additional(proposal)) return wrong;
  if (aeads != 0)
    std::erase_if(proposal.transforms, [](const Transform& transform) { return transform.type == integ; });
  group_by_type(proposal.transforms);
  return std::nullopt;
}

std::expected<Proposal, std::string> parse_one(Protocol protocol, std::string_view text) {
  Proposal out{.protocol = protocol, .transforms = {}};
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('-', at), text.size());
    const auto transform = parse_word(protocol, text.substr(at, end - at));
    if (!transform) return std::unexpected(transform.error());
    add(out, *transform);
    at = end + 1;
  }
  if (auto missing = complete(out)) return std::unexpected("in " + quoted(text) + ": " + *missing);
  return out;
}

std::string word_of(const Transform& transform) {
  if (additional(transform.type)) {
    const auto place = static_cast<unsigned>(transform.type) - static_cast<unsigned>(ke1) + 1;
    const bool none = transform.id == kGroupNone;
    return "ke" + std::to_string(place) + "_" + (none ? "none" : word_of({group, transform.id, 0}));
  }
  const auto* known = std::ranges::find(kWords, transform, &Word::transform);
  if (known != kWords.end()) return std::string(known->text);
  return "type" + std::to_string(static_cast<unsigned>(transform.type)) + "id" + std::to_string(transform.id);
}
}  // namespace

void group_by_type(std::vector<Transform>& transforms) {
  std::vector<Transform> out;
  out.reserve(transforms.size());
  for (const auto type : {encr, prf, integ, group, esn, ke1, ke2, ke3, ke4, ke5, ke6, ke7}) {
    std::ranges::copy_if(transforms, std::back_inserter(out), [type](const auto& one) { return one.type == type; });
  }
  transforms = std::move(out);
}

std::expected<std::vector<Proposal>, std::string> parse_proposals(Protocol protocol, std::string_view text) {
  if (protocol == Protocol::none) return std::unexpected("only IKE, ESP and AH are supported");
  std::vector<std::string_view> texts{text};
  if (text == "default") {
    const auto take = [&](const auto& defaults) { texts.assign(defaults.begin(), defaults.end()); };
    protocol == Protocol::ike ? take(kIkeDefaults) : protocol == Protocol::ah ? take(kAhDefaults) : take(kEspDefaults);
  }
  std::vector<Proposal> out;
  for (const auto one : texts) {
    auto parsed = parse_one(protocol, one);
    if (!parsed) return std::unexpected(parsed.error());
    out.push_back(std::move(*parsed));
  }
  return out;
}

std::string Proposal::text() const {
  std::vector<Transform> prfs;
  std::ranges::copy_if(transforms, std::back_inserter(prfs), [](const auto& one) { return one.type == prf; });
  const bool prf_implied = prfs == implied_prfs(*this);
  const bool esn_implied = std::ranges::count(transforms, esn, &Transform::type) == 1;
  std::string out;
  for (const auto type : {encr, integ, prf, group, ke1, ke2, ke3, ke4, ke5, ke6, ke7, esn}) {
    for (const auto& transform : transforms) {
      if (transform.type != type || (type == prf && prf_implied)) continue;
      if (type == integ && transform.id == kIntegNone) continue;
      if (type == group && transform.id == kGroupNone) continue;
      if (type == esn && transform.id == kEsnNo && esn_implied) continue;
      if (!out.empty()) out += "-";
      out += word_of(transform);
    }
  }
  return out;
}

}  // namespace espgate::ike
