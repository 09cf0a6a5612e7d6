// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/types.h"

namespace espgate::ike::wire {

namespace {
const char* short_name(PayloadType type) {
  switch (type) {
    case PayloadType::none:
      return "none";
    case PayloadType::sa:
      return "SA";
    case PayloadType::ke:
      return "KE";
    case PayloadType::id_i:
      return "IDi";
    case PayloadType::id_r:
      return "IDr";
    case PayloadType::cert:
      return "CERT";
    case PayloadType::cert_req:
      return "CERTREQ";
    case PayloadType::auth:
      return "AUTH";
    case PayloadType::nonce:
      return "Nonce";
    case PayloadType::notify:
      return "Notify";
    case PayloadType::del:
      return "Delete";
    case PayloadType::vendor_id:
      return "Vendor ID";
    case PayloadType::ts_i:
      return "TSi";
    case PayloadType::ts_r:
      return "TSr";
    case PayloadType::sk:
      return "SK";
    case PayloadType::cp:
      return "CP";
    case PayloadType::eap:
      return "EAP";
    case PayloadType::skf:
      return "SKF";
  }
  return nullptr;
}
}  // namespace

std::string name_of(PayloadType type) {
  if (const char* name = short_name(type)) return name;
  return "payload " + std::to_string(static_cast<unsigned>(type));
}

std::string name_of(ExchangeType exchange) {
  switch (exchange) {
    case ExchangeType::ike_sa_init:
      return "IKE_SA_INIT";
    case ExchangeType::ike_auth:
      return "IKE_AUTH";
    case ExchangeType::create_child_sa:
      return "CREATE_CHILD_SA";
    case ExchangeType::informational:
      return "INFORMATIONAL";
    case ExchangeType::ike_intermediate:
      return "IKE_INTERMEDIATE";
    case ExchangeType::ike_followup_ke:
      return "IKE_FOLLOWUP_KE";
  }
  return "exchange " + std::to_string(static_cast<unsigned>(exchange));
}

bool known(PayloadType type) { return type != PayloadType::none && short_name(type) != nullptr; }

}  // namespace espgate::ike::wire
