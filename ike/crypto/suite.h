// SPDX-License-Identifier: Apache-2.0
// The tables of algorithms: everything that is known of a transform by its IANA number, and the suite of an IKE SA.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace espgate::ike::crypto {

// Transform ids by IANA's names (RFC 7296 3.3.2 and "IKEv2 Parameters").
inline constexpr std::uint16_t kEncrAesCbc = 12, kEncrAesGcm16 = 20, kEncrChaCha20Poly1305 = 28;
inline constexpr std::uint16_t kPrfHmacSha1 = 2, kPrfHmacSha256 = 5, kPrfHmacSha384 = 6, kPrfHmacSha512 = 7;
inline constexpr std::uint16_t kIntegNone = 0, kIntegSha256 = 12, kIntegSha384 = 13, kIntegSha512 = 14;
inline constexpr std::uint16_t kGroupNone = 0, kGroupModp2048 = 14, kGroupModp3072 = 15, kGroupModp4096 = 16,
                               kGroupEcp256 = 19, kGroupEcp384 = 20, kGroupEcp521 = 21, kGroupX25519 = 31,
                               kGroupX448 = 32, kGroupMlKem512 = 35, kGroupMlKem768 = 36, kGroupMlKem1024 = 37;
inline constexpr std::uint16_t kEsnNo = 0, kEsnYes = 1;

struct CipherInfo {
  std::uint16_t id;
  const char* name;  // "AES_GCM_16"
  bool aead;
  std::uint16_t fixed_key_bits;  // 0: 128, 192 or 256 by the key length attribute; else there is none
  std::size_t salt_octets, iv_octets, block_octets, icv_octets;  // icv_octets 0: needs integrity
};
struct IntegInfo {
  std::uint16_t id;
  const char* name;    // "HMAC_SHA2_256_128"
  const char* digest;  // OpenSSL's name
  std::size_t key_octets, icv_octets;
};
struct PrfInfo {
  std::uint16_t id;
  const char* name;  // "PRF_HMAC_SHA2_256"
  const char* digest;
  std::size_t octets;
};
struct GroupInfo {
  std::uint16_t id;
  const char* name;  // "CURVE_25519", "ECP_256", "MODP_2048", "ML_KEM_768"
  enum class Kind : std::uint8_t { montgomery, ecp, modp, kem } kind;
  const char* openssl;        // OpenSSL's name of the key type or group
  std::size_t public_octets;  // of the KE payload's data, the initiator's
  std::size_t answer_octets;  // the responder's: of a KEM the ciphertext
  std::size_t shared_octets;  // of g^ir, or of what is encapsulated
};

// nullptr: not in the table.
const CipherInfo* find_cipher(std::uint16_t id);
const IntegInfo* find_integ(std::uint16_t id);
const PrfInfo* find_prf(std::uint16_t id);
const GroupInfo* find_group(std::uint16_t id);

// The ids of additional key exchanges (RFC 9370), by their transform types from ADDKE1 on; 0: none.
using AdditionalKes = std::array<std::uint16_t, 7>;
// In strongSwan's words for list-sas: {"ake1", "ML_KEM_768"}, ...
std::vector<std::pair<std::string, std::string>> names(const AdditionalKes& kes);

// What protects an IKE SA. AEAD ciphers have integ = kIntegNone.
struct IkeSuite {
  std::uint16_t encr = kEncrAesGcm16;
  std::uint16_t key_bits = 128;  // without the salt; 256 for ChaCha20, too
  std::uint16_t integ = kIntegNone;
  std::uint16_t prf = kPrfHmacSha256;
  std::uint16_t group = kGroupX25519;
  AdditionalKes additional{};

  [[nodiscard]] bool known() const;                   // every number is in the tables and they fit together
  [[nodiscard]] std::size_t encr_key_octets() const;  // key, then salt (RFC 5282 7.1)
  [[nodiscard]] std::size_t integ_key_octets() const;
  [[nodiscard]] std::size_t prf_octets() const;
  // strongSwan's words for list-sas: "AES_GCM_16", "128", "" or "HMAC_SHA2_256_128", "PRF_HMAC_SHA2_256",
  // "CURVE_25519".
  [[nodiscard]] std::string encr_name() const;
  [[nodiscard]] std::string integ_name() const;
  [[nodiscard]] std::string prf_name() const;
  [[nodiscard]] std::string group_name() const;
  // "AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519", and what is additional: "/KE1_ML_KEM_768"
  [[nodiscard]] std::string name() const;
  bool operator==(const IkeSuite&) const = default;
};

}  // namespace espgate::ike::crypto
