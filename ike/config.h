// SPDX-License-Identifier: Apache-2.0
// The part of the configuration that IKE needs, made by control/ from swanctl.conf. Immutable once loaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/esp.h"
#include "base/ids.h"
#include "base/secret.h"
#include "ike/crypto/certificate.h"
#include "ike/crypto/pkey.h"
#include "ike/crypto/trust.h"
#include "ike/identity.h"
#include "ike/proposal.h"
#include "ike/signature_policy.h"

namespace espgate::ike {

enum class AuthMethod : std::uint8_t { psk, pubkey };
enum class Fragmentation : std::uint8_t { yes, no, accept };  // accept: the peer may, we do not
// IKE SAs without a child (RFC 6023): allow: the peer may; prefer: ours begin so if the peer knows how, children follow
// with a key exchange of their own; force: no others, neither way; never: none.
enum class Childless : std::uint8_t { allow, prefer, force, never };
enum class SendCert : std::uint8_t { if_asked, always, never };
enum class StartAction : std::uint8_t { none, start, trap, trap_start };
// Several IKE SAs between the same identities: never: all stay, and INITIAL_CONTACT is not heeded; no: all stay, but
// INITIAL_CONTACT is heeded; replace: the new one takes the place of the old; keep: the new one is refused.
enum class Unique : std::uint8_t { no, never, replace, keep };

inline bool starts(StartAction action) { return action == StartAction::start || action == StartAction::trap_start; }
inline bool traps(StartAction action) { return action == StartAction::trap || action == StartAction::trap_start; }

// A selector as configured; `dynamic` stands for the tunnel end's own address (with protocol and ports of `ts`).
struct TsConfig {
  bool dynamic = false;
  base::TrafficSelector ts;
};

// Soft and hard limit of one kind, and how much may be taken off the soft one at random; 0: no limit.
struct Lifetime {
  std::uint64_t rekey = 0, life = 0, jitter = 0;
  bool operator==(const Lifetime&) const = default;
};

struct ChildConfig {
  std::string name;
  std::vector<Proposal> esp_proposals;  // and AH's, in order of preference
  std::vector<TsConfig> local_ts, remote_ts;
  base::SaMode mode = base::SaMode::tunnel;
  base::OffloadWanted offload = base::OffloadWanted::no;
  StartAction start_action = StartAction::none;
  StartAction close_action = StartAction::none;  // when the peer deleted the child
  StartAction dpd_action = StartAction::none;    // when the peer does not answer any more
  Lifetime time;                                 // seconds
  Lifetime bytes, packets;
};

// A certificate of ours with its key.
struct Credential {
  crypto::Certificate cert;
  std::shared_ptr<const crypto::PrivateKey> key;
  std::vector<crypto::Certificate> chain;  // its issuers as far as they are known, the nearest first
};

struct AuthConfig {
  AuthMethod method = AuthMethod::psk;
  Identity id;  // local: any -> the tunnel end's address; remote: a pattern the peer's ID must match
  // The rest is for pubkey.
  SignaturePolicy signatures;
  std::vector<Credential> credentials;              // local: what we can show, in order of preference
  std::vector<crypto::Certificate> certs;           // remote: the only ones that are taken, if there are any
  std::shared_ptr<const crypto::TrustStore> trust;  // remote: where chains must lead; it knows `certs`, too
  crypto::Revocation revocation = crypto::Revocation::relaxed;
};

struct ConnConfig {
  std::string name;
  std::vector<base::Prefix> local_addrs, remote_addrs;  // empty: %any
  std::uint16_t local_port = 500, remote_port = 500;
  std::vector<Proposal> proposals;
  AuthConfig local, remote;
  std::vector<ChildConfig> children;
  bool encap = false;              // force UDP encapsulation
  base::Duration dpd_delay{0};     // 0: no liveness checks of our own
  std::uint32_t keying_tries = 1;  // 0: for ever
  Fragmentation fragmentation = Fragmentation::yes;
  Childless childless = Childless::allow;
  SendCert send_cert = SendCert::if_asked;
  bool send_certreq = true;
  Lifetime time;             // seconds; `life`: the later one of rekey_time and reauth_time, and over_time
  std::uint64_t reauth = 0;  // seconds, less up to time.jitter; 0: never
  Unique unique = Unique::no;
  std::optional<Identity> ppk_id;  // RFC 8784: of the key we name as initiator; which ones we take as responder
  bool ppk_required = false;

  [[nodiscard]] bool uses_ppk() const { return ppk_id.has_value() || ppk_required; }
};

struct SharedSecret {
  std::string name;
  std::vector<Identity> owners;  // empty: anyone's
  base::Secret key;
};

// Retransmission n goes out timeout * base^n after the one before, at most `limit`; given up after `tries` of them.
struct Retransmission {
  base::Duration timeout = std::chrono::seconds(4);
  double base = 1.8;
  std::uint32_t tries = 5;
  base::Duration limit{0};  // 0: none
};

struct Config {
  std::vector<std::shared_ptr<const ConnConfig>> conns;
  std::vector<SharedSecret> secrets;
  std::vector<SharedSecret> ppks;  // post-quantum preshared keys (RFC 8784); `owners`: their PPK_IDs
  Retransmission retransmission;
  base::Duration half_open_timeout = std::chrono::seconds(30);
  base::Duration keep_alive = std::chrono::seconds(20);  // behind a NAT (RFC 3948 4); 0: none
  base::Duration install_timeout = std::chrono::seconds(2);
  std::uint32_t fragment_size = 1280;       // of IP packets with IKE messages in pieces (RFC 7383)
  std::uint32_t cookie_threshold = 30;      // half-open IKE SAs from which on cookies are asked for; 0: never
  std::uint32_t half_open_per_source = 10;  // half-open IKE SAs of one address; 0: no limit
};

}  // namespace espgate::ike
