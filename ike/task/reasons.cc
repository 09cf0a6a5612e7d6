// SPDX-License-Identifier: Apache-2.0
#include "ike/task/reasons.h"

#include <fmt/core.h>

namespace espgate::ike {

Reason reason_of(wire::NotifyType error) {
  switch (error) {
    case wire::NotifyType::authentication_failed:
      return Reason::auth_failed;
    case wire::NotifyType::no_proposal_chosen:
      return Reason::no_proposal;
    case wire::NotifyType::ts_unacceptable:
      return Reason::ts_unacceptable;
    case wire::NotifyType::invalid_ke_payload:
      return Reason::invalid_ke;
    case wire::NotifyType::invalid_syntax:
      return Reason::invalid_syntax;
    case wire::NotifyType::unsupported_critical_payload:
      return Reason::unsupported_critical;
    case wire::NotifyType::no_additional_sas:
      return Reason::no_additional_sas;
    case wire::NotifyType::invalid_major_version:
      return Reason::wrong_version;
    case wire::NotifyType::temporary_failure:
      return Reason::busy;
    case wire::NotifyType::child_sa_not_found:
    case wire::NotifyType::state_not_found:
      return Reason::not_found;
    default:
      return Reason::peer_refused;
  }
}

namespace {
std::string_view hint(wire::NotifyType error) {
  switch (error) {
    case wire::NotifyType::authentication_failed:
      return ": it has another shared secret for us, does not take our certificate, or has no connection for these "
             "identities";
    case wire::NotifyType::no_proposal_chosen:
      return ": no proposal in common, no connection for these addresses, or its kernel did not take the child";
    case wire::NotifyType::ts_unacceptable:
      return ": no traffic selectors in common";
    case wire::NotifyType::temporary_failure:
      return ": it is busy, try again later";
    case wire::NotifyType::no_additional_sas:
      return ": it takes no further child on this IKE SA";
    default:
      return "";
  }
}
}  // namespace

std::string refusal_text(wire::NotifyType error, std::string_view what) {
  return fmt::format("the peer refused {} with {}{}", what, wire::name_of(error), hint(error));
}

}  // namespace espgate::ike
