// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/suite.h"

#include <algorithm>
#include <array>

namespace espgate::ike::crypto {

namespace {
constexpr auto kCiphers = std::to_array<CipherInfo>({
    {kEncrAesCbc, "AES_CBC", false, 0, 0, 16, 16, 0},
    {kEncrAesGcm16, "AES_GCM_16", true, 0, 4, 8, 1, 16},
    {kEncrChaCha20Poly1305, "CHACHA20_POLY1305", true, 256, 4, 8, 1, 16},  // RFC 7634
});

// The key is as long as the hash (RFC 4868 2.1.1).
constexpr auto kIntegs = std::to_array<IntegInfo>({
    {kIntegSha256, "HMAC_SHA2_256_128", "SHA256", 32, 16},
    {kIntegSha384, "HMAC_SHA2_384_192", "SHA384", 48, 24},
    {kIntegSha512, "HMAC_SHA2_512_256", "SHA512", 64, 32},
});

// SHA-1 stands here for the published test vectors; no proposal word leads to it.
constexpr auto kPrfs = std::to_array<PrfInfo>({
    {kPrfHmacSha1, "PRF_HMAC_SHA1", "SHA1", 20},
    {kPrfHmacSha256, "PRF_HMAC_SHA2_256", "SHA256", 32},
    {kPrfHmacSha384, "PRF_HMAC_SHA2_384", "SHA384", 48},
    {kPrfHmacSha512, "PRF_HMAC_SHA2_512", "SHA512", 64},
});

using enum GroupInfo::Kind;
constexpr auto kGroups = std::to_array<GroupInfo>({
    {kGroupModp2048, "MODP_2048", modp, "modp_2048", 256, 256, 256},
    {kGroupModp3072, "MODP_3072", modp, "modp_3072", 384, 384, 384},
    {kGroupModp4096, "MODP_4096", modp, "modp_4096", 512, 512, 512},
    {kGroupEcp256, "ECP_256", ecp, "P-256", 64, 64, 32},
    {kGroupEcp384, "ECP_384", ecp, "P-384", 96, 96, 48},
    {kGroupEcp521, "ECP_521", ecp, "P-521", 132, 132, 66},
    {kGroupX25519, "CURVE_25519", montgomery, "X25519", 32, 32, 32},
    {kGroupX448, "CURVE_448", montgomery, "X448", 56, 56, 56},
    {kGroupMlKem512, "ML_KEM_512", kem, "ML-KEM-512", 800, 768, 32},  // FIPS 203, 8
    {kGroupMlKem768, "ML_KEM_768", kem, "ML-KEM-768", 1184, 1088, 32},
    {kGroupMlKem1024, "ML_KEM_1024", kem, "ML-KEM-1024", 1568, 1568, 32},
});

template <class Table>
auto find_in(const Table& table, std::uint16_t id) -> const typename Table::value_type* {
  for (const auto& entry : table) {
    if (entry.id == id) return &entry;
  }
  return nullptr;
}

template <class Info>
std::string name_or(const Info* info, std::uint16_t id) {
  return info != nullptr ? info->name : std::to_string(id);
}
}  // namespace

const CipherInfo* find_cipher(std::uint16_t id) { return find_in(kCiphers, id); }
const IntegInfo* find_integ(std::uint16_t id) { return find_in(kIntegs, id); }
const PrfInfo* find_prf(std::uint16_t id) { return find_in(kPrfs, id); }
const GroupInfo* find_group(std::uint16_t id) { return find_in(kGroups, id); }

std::vector<std::pair<std::string, std::string>> names(const AdditionalKes& kes) {
  std::vector<std::pair<std::string, std::string>> out;
  for (std::size_t i = 0; i < kes.size(); ++i) {
    if (kes[i] != kGroupNone) out.emplace_back("ake" + std::to_string(i + 1), name_or(find_group(kes[i]), kes[i]));
  }
  return out;
}

bool IkeSuite::known() const {
  const auto* cipher = find_cipher(encr);
  if (cipher == nullptr || find_prf(prf) == nullptr || find_group(group) == nullptr) return false;
  if (!std::ranges::all_of(additional, [](auto id) { return id == kGroupNone || find_group(id) != nullptr; })) {
    return false;
  }
  if (key_bits != 128 && key_bits != 192 && key_bits != 256) return false;
  if (cipher->fixed_key_bits != 0 && key_bits != cipher->fixed_key_bits) return false;
  return cipher->aead ? integ == kIntegNone : find_integ(integ) != nullptr;
}

std::size_t IkeSuite::encr_key_octets() const {
  const auto* cipher = find_cipher(encr);
  return key_bits / 8U + (cipher != nullptr ? cipher->salt_octets : 0);
}

std::size_t IkeSuite::integ_key_octets() const {
  const auto* info = find_integ(integ);
  return info != nullptr ? info->key_octets : 0;
}

std::size_t IkeSuite::prf_octets() const {
  const auto* info = find_prf(prf);
  return info != nullptr ? info->octets : 0;
}

std::string IkeSuite::encr_name() const { return name_or(find_cipher(encr), encr); }
std::string IkeSuite::integ_name() const { return integ == kIntegNone ? "" : name_or(find_integ(integ), integ); }
std::string IkeSuite::prf_name() const { return name_or(find_prf(prf), prf); }
std::string IkeSuite::group_name() const { return name_or(find_group(group), group); }

std::string IkeSuite::name() const {
  const auto* cipher = find_cipher(encr);
  std::string out = encr_name();
  if (cipher == nullptr || cipher->fixed_key_bits == 0) out += "-" + std::to_string(key_bits);
  if (integ != kIntegNone) out += "/" + integ_name();
  out += "/" + prf_name() + "/" + group_name();
  for (const auto& [ke, name] : names(additional)) out += "/KE" + ke.substr(3) + "_" + name;
  return out;
}

}  // namespace espgate::ike::crypto
