// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/notify_types.h"

#include <algorithm>
#include <array>
#include <utility>

namespace espgate::ike::wire {

namespace {
using enum NotifyType;
constexpr auto kNames = std::to_array<std::pair<NotifyType, const char*>>({
    {unsupported_critical_payload, "UNSUPPORTED_CRITICAL_PAYLOAD"},
    {invalid_ike_spi, "INVALID_IKE_SPI"},
    {invalid_major_version, "INVALID_MAJOR_VERSION"},
    {invalid_syntax, "INVALID_SYNTAX"},
    {invalid_message_id, "INVALID_MESSAGE_ID"},
    {invalid_spi, "INVALID_SPI"},
    {no_proposal_chosen, "NO_PROPOSAL_CHOSEN"},
    {invalid_ke_payload, "INVALID_KE_PAYLOAD"},
    {authentication_failed, "AUTHENTICATION_FAILED"},
    {single_pair_required, "SINGLE_PAIR_REQUIRED"},
    {no_additional_sas, "NO_ADDITIONAL_SAS"},
    {internal_address_failure, "INTERNAL_ADDRESS_FAILURE"},
    {failed_cp_required, "FAILED_CP_REQUIRED"},
    {ts_unacceptable, "TS_UNACCEPTABLE"},
    {invalid_selectors, "INVALID_SELECTORS"},
    {temporary_failure, "TEMPORARY_FAILURE"},
    {child_sa_not_found, "CHILD_SA_NOT_FOUND"},
    {state_not_found, "STATE_NOT_FOUND"},
    {initial_contact, "INITIAL_CONTACT"},
    {set_window_size, "SET_WINDOW_SIZE"},
    {additional_ts_possible, "ADDITIONAL_TS_POSSIBLE"},
    {ipcomp_supported, "IPCOMP_SUPPORTED"},
    {nat_detection_source_ip, "NAT_DETECTION_SOURCE_IP"},
    {nat_detection_destination_ip, "NAT_DETECTION_DESTINATION_IP"},
    {cookie, "COOKIE"},
    {use_transport_mode, "USE_TRANSPORT_MODE"},
    {http_cert_lookup_supported, "HTTP_CERT_LOOKUP_SUPPORTED"},
    {rekey_sa, "REKEY_SA"},
    {esp_tfc_padding_not_supported, "ESP_TFC_PADDING_NOT_SUPPORTED"},
    {non_first_fragments_also, "NON_FIRST_FRAGMENTS_ALSO"},
    {mobike_supported, "MOBIKE_SUPPORTED"},
    {additional_ip4_address, "ADDITIONAL_IP4_ADDRESS"},
    {additional_ip6_address, "ADDITIONAL_IP6_ADDRESS"},
    {no_additional_addresses, "NO_ADDITIONAL_ADDRESSES"},
    {update_sa_addresses, "UPDATE_SA_ADDRESSES"},
    {cookie2, "COOKIE2"},
    {no_nats_allowed, "NO_NATS_ALLOWED"},
    {auth_lifetime, "AUTH_LIFETIME"},
    {multiple_auth_supported, "MULTIPLE_AUTH_SUPPORTED"},
    {another_auth_follows, "ANOTHER_AUTH_FOLLOWS"},
    {redirect_supported, "REDIRECT_SUPPORTED"},
    {eap_only_authentication, "EAP_ONLY_AUTHENTICATION"},
    {childless_ikev2_supported, "CHILDLESS_IKEV2_SUPPORTED"},
    {ikev2_fragmentation_supported, "IKEV2_FRAGMENTATION_SUPPORTED"},
    {signature_hash_algorithms, "SIGNATURE_HASH_ALGORITHMS"},
    {use_ppk, "USE_PPK"},
    {ppk_identity, "PPK_IDENTITY"},
    {no_ppk_auth, "NO_PPK_AUTH"},
    {intermediate_exchange_supported, "INTERMEDIATE_EXCHANGE_SUPPORTED"},
    {additional_key_exchange, "ADDITIONAL_KEY_EXCHANGE"},
});
}  // namespace

std::string name_of(NotifyType type) {
  const auto* found = std::ranges::find(kNames, type, &std::pair<NotifyType, const char*>::first);
  if (found != kNames.end()) return found->second;
  return "notify " + std::to_string(static_cast<unsigned>(type));
}

}  // namespace espgate::ike::wire
