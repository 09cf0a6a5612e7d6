// SPDX-License-Identifier: Apache-2.0
#include "ike/reason.h"

namespace espgate::ike {

std::string_view code(Reason reason) {
  switch (reason) {
    case Reason::auth_failed:
      return "auth-failed";
    case Reason::no_config:
      return "no-config";
    case Reason::no_secret:
      return "no-secret";
    case Reason::bad_certificate:
      return "bad-certificate";
    case Reason::no_proposal:
      return "no-proposal";
    case Reason::ts_unacceptable:
      return "ts-unacceptable";
    case Reason::invalid_ke:
      return "invalid-ke";
    case Reason::invalid_syntax:
      return "invalid-syntax";
    case Reason::unsupported_critical:
      return "unsupported-critical";
    case Reason::install_refused:
      return "install-refused";
    case Reason::install_timeout:
      return "install-timeout";
    case Reason::timeout:
      return "timeout";
    case Reason::peer_deleted:
      return "peer-deleted";
    case Reason::peer_refused:
      return "peer-refused";
    case Reason::no_additional_sas:
      return "no-additional-sas";
    case Reason::not_found:
      return "not-found";
    case Reason::closed_by_operator:
      return "closed-by-operator";
    case Reason::config_removed:
      return "config-removed";
    case Reason::shutdown:
      return "shutdown";
    case Reason::malformed:
      return "malformed";
    case Reason::unknown_spi:
      return "unknown-spi";
    case Reason::wrong_version:
      return "wrong-version";
    case Reason::bad_integrity:
      return "bad-integrity";
    case Reason::out_of_window:
      return "out-of-window";
    case Reason::half_open_limit:
      return "half-open-limit";
    case Reason::cookie_wanted:
      return "cookie-wanted";
    case Reason::bad_cookie:
      return "bad-cookie";
    case Reason::unexpected:
      return "unexpected";
    case Reason::busy:
      return "busy";
    case Reason::rekeyed:
      return "rekeyed";
    case Reason::expired:
      return "expired";
    case Reason::not_unique:
      return "not-unique";
  }
  return "unknown";
}

std::optional<Reason> reason_of_code(std::string_view text) {
  for (std::uint8_t number = 0; number <= static_cast<std::uint8_t>(Reason::not_unique); ++number) {
    if (code(static_cast<Reason>(number)) == text) return static_cast<Reason>(number);
  }
  return std::nullopt;
}

}  // namespace espgate::ike
