// SPDX-License-Identifier: Apache-2.0
// Why IKE said no, closed: labels and JSON codes come only from here.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace espgate::ike {

enum class Reason : std::uint8_t {
  auth_failed,           // the peer's AUTH payload is wrong, or it says ours is
  no_config,             // no connection for these addresses or identities
  no_secret,             // no shared secret or private key for these identities
  bad_certificate,       // the peer's certificate is missing, broken, not trusted, or not for its identity
  no_proposal,           // no common proposal
  ts_unacceptable,       // no common traffic selectors
  invalid_ke,            // key exchange failed or its group was refused twice
  invalid_syntax,        // a malformed message under a good checksum
  unsupported_critical,  // a critical payload we do not know
  install_refused,       // the kernel or the device did not take the child
  install_timeout,       // no answer from the kernel in time
  timeout,               // the peer did not answer
  peer_deleted,          // the peer closed it
  peer_refused,          // the peer answered with an error notify not named here
  no_additional_sas,     // we or the peer take no (more) CREATE_CHILD_SA of this kind
  not_found,             // a command or a peer named an SA that is not there
  closed_by_operator,
  config_removed,
  shutdown,
  malformed,        // a datagram that is no IKE message
  unknown_spi,      // an IKE SPI that is not ours
  wrong_version,    // IKEv1 or later major version
  bad_integrity,    // wrong integrity checksum
  out_of_window,    // unexpected message id
  half_open_limit,  // too many IKE SAs whose peers are not authenticated yet
  cookie_wanted,    // many are half open: the peer was asked to prove its address first
  bad_cookie,       // a cookie that is not ours, or too old
  unexpected,       // an exchange that makes no sense in this state
  busy,             // another exchange about the same SA is under way; it is tried again
  rekeyed,          // a newer generation took its place
  expired,          // its hard lifetime is over
  not_unique,       // another IKE SA of this peer is there (unique = keep), or took its place (unique = replace)
};

// "auth-failed", "no-proposal", ...
std::string_view code(Reason reason);
std::optional<Reason> reason_of_code(std::string_view text);

}  // namespace espgate::ike
