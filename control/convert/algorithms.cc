// SPDX-License-Identifier: Apache-2.0
#include "control/convert/algorithms.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>
#include <vector>

namespace espgate::control::convert {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

constexpr std::array kGroups{Pair{"dh2", "modp1024"},  Pair{"dh5", "modp1536"},  Pair{"dh14", "modp2048"},
                             Pair{"dh15", "modp3072"}, Pair{"dh16", "modp4096"}, Pair{"dh17", "modp6144"},
                             Pair{"dh18", "modp8192"}, Pair{"dh19", "ecp256"},   Pair{"dh20", "ecp384"},
                             Pair{"dh21", "ecp521"},   Pair{"dh31", "x25519"},   Pair{"curve25519", "x25519"},
                             Pair{"dh32", "x448"}};
constexpr std::array kHashes{Pair{"sha1", "sha1"},       Pair{"sha", "sha1"},        Pair{"sha2", "sha256"},
                             Pair{"sha2_256", "sha256"}, Pair{"sha256", "sha256"},   Pair{"sha2_384", "sha384"},
                             Pair{"sha384", "sha384"},   Pair{"sha2_512", "sha512"}, Pair{"sha512", "sha512"}};

template <std::size_t N>
std::string_view look_up(const std::array<Pair, N>& table, std::string_view word) {
  for (const auto& [from, to] : table) {
    if (from == word) return to;
  }
  return {};
}

std::string without(std::string text, std::string_view what) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what)) text.erase(at, what.size());
  return text;
}

bool is_aead(std::string_view cipher) {
  return cipher.contains("gcm") || cipher.contains("ccm") || cipher.starts_with("chacha");
}

// A cipher in swanctl's words; empty: it is none.
std::string cipher_of(std::string_view word) {
  if (word == "chacha20_poly1305" || word == "chacha20poly1305") return "chacha20poly1305";
  // aes_gcm, aes_gcm_c, aes_gcm256, aes_gcm_16_128, aes_gcm_c_256: the size is what stands last, 256 if none does.
  if (word.starts_with("aes_gcm")) {
    std::string rest(word.substr(7));
    if (rest.starts_with("_a")) return "";  // 64 bits of ICV
    if (rest.starts_with("_b")) return "";
    if (rest.starts_with("_c")) rest.erase(0, 2);
    if (rest.starts_with("_16")) rest.erase(0, 3);
    rest = without(rest, "_");
    rest = without(rest, "-");
    if (rest.empty()) rest = "256";
    if (rest == "128" || rest == "192" || rest == "256") return fmt::format("aes{}gcm16", rest);
    return "";
  }
  if (word.starts_with("aes") && !word.starts_with("aesx")) {
    std::string rest(word.substr(3));
    if (rest.starts_with("_cbc")) rest.erase(0, 4);
    rest = without(rest, "_");
    if (rest.empty()) return "aes256";
    if (std::ranges::all_of(rest, [](unsigned char c) { return std::isdigit(c) != 0; })) return "aes" + rest;
    // strongSwan's own: aes128gcm16, aes256ctr, ...
    if (std::isdigit(static_cast<unsigned char>(rest.front())) != 0) return std::string(word);
  }
  return "";
}

// strongSwan's other words, which swanctl has as well.
bool known_as_it_is(std::string_view word) {
  return word.starts_with("prf") || word.starts_with("modp") || word.starts_with("ecp") || word.starts_with("x25519") ||
         word.starts_with("x448") || word == "esn" || word == "noesn" || word.starts_with("aesxcbc") ||
         word.starts_with("aescmac");
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == '-' || c == ';' || c == '+') {
      out.emplace_back();
    } else if (std::isspace(static_cast<unsigned char>(c)) == 0) {
      out.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

std::expected<std::string, std::string> proposal(std::string_view text, Kind kind) {
  std::vector<std::string> out;
  bool aead = false;
  for (const auto& word : words_of(text)) {
    if (word.empty() || word == "null" || word == "none") continue;  // libreswan: aes_gcm-null
    if (auto cipher = cipher_of(word); !cipher.empty()) {
      aead = aead || is_aead(cipher);
      out.push_back(std::move(cipher));
    } else if (const auto hash = look_up(kHashes, word); !hash.empty()) {
      // With an AEAD a hash is the PRF in IKE, and nothing in ESP.
      if (aead && kind == Kind::esp) continue;
      out.push_back(aead ? fmt::format("prf{}", hash) : std::string(hash));
    } else if (const auto group = look_up(kGroups, word); !group.empty()) {
      out.emplace_back(group);
    } else if (known_as_it_is(word)) {
      out.push_back(word);
    } else {
      return std::unexpected(word);
    }
  }
  if (out.empty()) return std::unexpected(std::string(text));
  return fmt::format("{}", fmt::join(out, "-"));
}

}  // namespace

std::expected<std::string, std::string> proposals(std::string_view text, Kind kind) {
  while (!text.empty() && (text.back() == '!' || text.back() == ' '))
    text.remove_suffix(1);  // strongSwan: nothing else
  std::vector<std::string> all;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    auto one = proposal(text.substr(0, comma), kind);
    if (!one) return std::unexpected(one.error());
    all.push_back(std::move(*one));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return fmt::format("{}", fmt::join(all, ", "));
}

}  // namespace espgate::control::convert
