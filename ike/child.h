// SPDX-License-Identifier: Apache-2.0
// A child SA (a pair of ESP SAs) as its IKE SA sees it, and what is offered for one that is not there yet.
//
//   [*] -> installing -> installed -> deleting -> gone
//               \-> gone (refused, timed out)
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/esp.h"
#include "base/ids.h"
#include "ike/api.h"
#include "ike/config.h"
#include "ike/ts_select.h"

namespace espgate::ike {

enum class ChildState : std::uint8_t { installing, installed, deleting };

struct Child {
  base::ChildId id;
  ChildState state = ChildState::installing;
  std::shared_ptr<const ChildConfig> config;
  base::SaMode mode{};
  base::EspSuite suite;
  bool encap = false;
  base::Spi spi_in, spi_out;
  TsList local_ts, remote_ts;
  OffloadState in, out;
  base::Instant installed_at;

  bool first = false;                // made by IKE_AUTH
  bool initiator = false;            // of the exchange that made it
  RequestId install;                 // of InstallChild
  base::Instant install_deadline;    // while installing
  std::vector<RequestId> initiates;  // commands to answer once it is up, or is not
};

// What we offer for a child as the initiator of IKE_AUTH or CREATE_CHILD_SA.
struct ChildOffer {
  std::shared_ptr<const ChildConfig> config;
  base::Spi spi_in;
  TsList local_ts, remote_ts;
  base::Bytes nonce;  // CREATE_CHILD_SA only
  std::vector<RequestId> initiates;
};

// "aes128gcm16 tunnel 10.1.0.0/16 === 10.2.0.0/16, SPIs c0ffee01 in, c0ffee02 out"
std::string describe(const Child& child);

}  // namespace espgate::ike
