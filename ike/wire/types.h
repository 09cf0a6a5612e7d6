// SPDX-License-Identifier: Apache-2.0
// Numbers of the IKEv2 header and payloads (RFC 7296 3.1 to 3.2, IANA "IKEv2 Parameters").
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace espgate::ike::wire {

enum class PayloadType : std::uint8_t {
  none = 0,
  sa = 33,
  ke = 34,
  id_i = 35,
  id_r = 36,
  cert = 37,
  cert_req = 38,
  auth = 39,
  nonce = 40,
  notify = 41,
  del = 42,
  vendor_id = 43,
  ts_i = 44,
  ts_r = 45,
  sk = 46,
  cp = 47,
  eap = 48,
  skf = 53,  // RFC 7383
};

enum class ExchangeType : std::uint8_t {
  ike_sa_init = 34,
  ike_auth = 35,
  create_child_sa = 36,
  informational = 37,
  ike_intermediate = 43,  // RFC 9242
  ike_followup_ke = 44,   // RFC 9370
};

inline constexpr std::size_t kHeaderOctets = 28;
inline constexpr std::size_t kGenericHeaderOctets = 4;
inline constexpr std::size_t kMaxPayloads = 100;   // in one chain: far more than any peer sends, far less than hurts
inline constexpr std::size_t kMaxProposals = 64;   // in one SA payload
inline constexpr std::size_t kMaxSelectors = 128;  // in one TS payload; its count field would allow 255
inline constexpr std::size_t kMaxMessageOctets = 65507;  // the largest UDP payload over IPv4

// "SA", "IDi", "SK"; "payload 200" for one we do not know.
std::string name_of(PayloadType type);
// "IKE_SA_INIT", ...; "exchange 50" for one we do not know.
std::string name_of(ExchangeType exchange);

// Whether RFC 7296 defines this type: such a payload is never refused for its critical bit (2.5).
bool known(PayloadType type);

}  // namespace espgate::ike::wire
