// SPDX-License-Identifier: Apache-2.0
// Notify message types by their RFC names (RFC 7296 3.10.1 and IANA's registry).
#pragma once

#include <cstdint>
#include <string>

namespace espgate::ike::wire {

enum class NotifyType : std::uint16_t {
  // Errors.
  unsupported_critical_payload = 1,
  invalid_ike_spi = 4,
  invalid_major_version = 5,
  invalid_syntax = 7,
  invalid_message_id = 9,
  invalid_spi = 11,
  no_proposal_chosen = 14,
  invalid_ke_payload = 17,
  authentication_failed = 24,
  single_pair_required = 34,
  no_additional_sas = 35,
  internal_address_failure = 36,
  failed_cp_required = 37,
  ts_unacceptable = 38,
  invalid_selectors = 39,
  temporary_failure = 43,
  child_sa_not_found = 44,
  state_not_found = 47,
  // Status.
  initial_contact = 16384,
  set_window_size = 16385,
  additional_ts_possible = 16386,
  ipcomp_supported = 16387,
  nat_detection_source_ip = 16388,
  nat_detection_destination_ip = 16389,
  cookie = 16390,
  use_transport_mode = 16391,
  http_cert_lookup_supported = 16392,
  rekey_sa = 16393,
  esp_tfc_padding_not_supported = 16394,
  non_first_fragments_also = 16395,
  mobike_supported = 16396,
  additional_ip4_address = 16397,
  additional_ip6_address = 16398,
  no_additional_addresses = 16399,
  update_sa_addresses = 16400,
  cookie2 = 16401,
  no_nats_allowed = 16402,
  auth_lifetime = 16403,
  multiple_auth_supported = 16404,
  another_auth_follows = 16405,
  redirect_supported = 16406,
  eap_only_authentication = 16417,
  childless_ikev2_supported = 16418,
  ikev2_fragmentation_supported = 16430,
  signature_hash_algorithms = 16431,
  use_ppk = 16435,
  ppk_identity = 16436,
  no_ppk_auth = 16437,
  intermediate_exchange_supported = 16438,
  additional_key_exchange = 16441,
};

// 1 to 16383: the request failed (RFC 7296 3.10.1).
inline bool is_error(NotifyType type) { return static_cast<std::uint16_t>(type) < 16384; }

// "NO_PROPOSAL_CHOSEN"; "notify 40000" for one without a name here.
std::string name_of(NotifyType type);

}  // namespace espgate::ike::wire
