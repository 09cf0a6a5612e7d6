// SPDX-License-Identifier: Apache-2.0
// A child SA (a pair of ESP SAs) as its IKE SA sees it, and what is offered for one that is not there yet.
//
//   [*] -> installing -> installed -> deleting -> gone
//               \-> gone (refused, timed out)      \-> retired -> gone
//
// Retired: a newer generation took its place, and it still receives what was under way.
// A rekey makes a second generation that `replaces` the first; the first goes by DELETE, and if it does not, the second
// does. As the responder of the rekey we send on the second only when the peer has it for sure:
//
//   outbound: waiting -> switching -> active      (active from the start in all other cases)
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/esp.h"
#include "base/ids.h"
#include "base/rare.h"
#include "base/secret.h"
#include "ike/api.h"
#include "ike/config.h"
#include "ike/crypto/key_exchange.h"
#include "ike/crypto/suite.h"
#include "ike/ts_select.h"
#include "ike/wire/message.h"

namespace espgate::ike {

// Their numbers stand in records (ike/record.h): append only.
enum class ChildState : std::uint8_t { installing, installed, deleting, retired };
enum class Outbound : std::uint8_t { waiting, switching, active };

// How its two SAs are carried.
struct Carriage {
  OffloadState in, out;
};

struct Child {
  base::ChildId id;
  ChildState state = ChildState::installing;
  std::shared_ptr<const ChildConfig> config;
  base::SaMode mode{};
  base::EspSuite suite;
  bool encap = false;
  base::Endpoint remote;  // as installed; the IKE SA may have moved on
  base::Spi spi_in, spi_out;
  TsList local_ts, remote_ts;
  base::Rare<Carriage> carriage;  // none: in software, as it was meant to be
  base::Instant installed_at;

  bool first = false;                // made by IKE_AUTH
  bool initiator = false;            // of the exchange that made it
  RequestId install;                 // of InstallChild
  base::Instant install_deadline;    // while installing
  std::vector<RequestId> initiates;  // commands to answer once it is up, or is not
  std::uint16_t group = 0;           // of its PFS; 0 without
  crypto::AdditionalKes additional{};

  std::optional<base::ChildId> replaces;     // the generation before, as long as that is there
  std::optional<base::ChildId> replaced_by;  // set when we are to delete it for that one
  bool announced = false;                    // child_up or child_rekeyed was said: child_down is due when it goes
  Outbound outbound = Outbound::active;
  RequestId switching;                     // of SwitchOutbound
  base::Secret cipher_out, auth_out;       // kept while it is not active: a process after this one needs them
  std::optional<base::Instant> switch_at;  // waiting: at the latest; switching: our patience with the kernel ends
  Reason delete_reason{};                  // with `delete_at`
  // The peer has it for sure. As the responder we know by its next request; until then our DELETE or rekey of it may
  // find that it does not know the child yet.
  bool confirmed = false;
  std::optional<base::ChildId> sibling;    // installing: it is to wait beside that one (task/sibling.h)
  std::optional<base::Instant> delete_at;  // deleting: again, as the peer did not know it
  std::optional<base::Instant> rekey_at;   // the next attempt; none while one is under way
  std::optional<base::Instant> expires_at;
  std::optional<base::Instant> unsend_at;  // retired: its outbound SA goes
  std::optional<base::Instant> retire_at;

  [[nodiscard]] const Carriage& carried() const;
  void carry(Carriage how);
  void sends() {
    outbound = Outbound::active;
    cipher_out.clear();
    auth_out.clear();
  }
};

// As the initiator of CREATE_CHILD_SA: its additional key exchanges, one in each IKE_FOLLOWUP_KE (task/follow_up.h).
struct FurtherKes {
  wire::Payloads answer;                  // to CREATE_CHILD_SA
  std::vector<std::uint16_t> to_come;     // methods, of the one under way first
  std::optional<crypto::KeyExchange> ke;  // of the one under way
  base::Secret additional;                // SK(1) | ... | SK(n), as far as they are known
};

// What we offer for a child as the initiator of IKE_AUTH or CREATE_CHILD_SA.
struct ChildOffer {
  std::shared_ptr<const ChildConfig> config;
  base::Spi spi_in;
  TsList local_ts, remote_ts;
  base::Bytes nonce;                      // CREATE_CHILD_SA only
  std::optional<std::uint16_t> group;     // PFS: of `ke`, and what the peer asked for
  std::optional<crypto::KeyExchange> ke;  // PFS: until the answer
  std::optional<FurtherKes> further;      // once CREATE_CHILD_SA is answered
  std::uint32_t restarts = 0;             // sent again by INVALID_KE_PAYLOAD
  std::vector<RequestId> initiates;
  std::optional<Initiate::Packet> packet;  // that it is asked for by; first among the selectors
};

inline Protocol protocol_of(const base::EspSuite& suite) { return suite.ah() ? Protocol::ah : Protocol::esp; }
// Of a child that never came to be: as it was offered first.
Protocol protocol_of(const ChildOffer& offer);

// "aes128gcm16 tunnel 10.1.0.0/16 === 10.2.0.0/16, SPIs c0ffee01 in, c0ffee02 out"
std::string describe(const Child& child);

}  // namespace espgate::ike
