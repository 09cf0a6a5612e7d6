// SPDX-License-Identifier: Apache-2.0
// What goes into an IKE engine and what comes out of it: plain values, so that they can cross a queue between threads.
// The engine is sans-IO: datagrams, answers from sad/ and commands in; actions out. Keys travel only in ChildKeys.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/esp.h"
#include "base/ids.h"
#include "base/secret.h"
#include "ike/config.h"
#include "ike/cookies.h"
#include "ike/reason.h"
#include "ike/tally.h"

namespace espgate::ike {

// Pairs a command or an InstallChild with its answer; chosen by who asks, unique per engine and asker.
struct RequestId {
  std::uint64_t value = 0;
  auto operator<=>(const RequestId&) const = default;
};

// One UDP payload. `natt` says that it went or goes over a port-4500 socket: gateway/ strips and adds the four-octet
// non-ESP marker (RFC 3948 2.2), the engine never sees it.
struct Datagram {
  base::Endpoint local, remote;
  bool natt = false;
  base::Bytes data;
};

// ---------------------------------------------------------------------------------------------- into the engine

struct Initiate {
  RequestId id;
  std::string conn, child;       // child empty: the IKE SA with its first configured child
  base::Endpoint local, remote;  // chosen by gateway/ from the config and the route
  // The packet that asks for it, as seen from here: goes first in TSi and TSr (RFC 7296 2.9).
  struct Packet {
    base::TrafficSelector local, remote;
  };
  std::optional<Packet> packet{};
};
// Closes what matches; empty fields match everything, but at least one must be set.
struct Terminate {
  RequestId id;
  std::string conn, child;  // names; child set: only children of that name
  std::optional<base::IkeId> ike;
  std::optional<base::ChildId> child_id;
  bool force = false;  // do not wait for the peer's answer
};
struct Load {
  std::shared_ptr<const Config> config;  // replaces the former one; IKE SAs of connections that are gone are closed
};
struct List {
  RequestId id;
};
struct Shutdown {
  RequestId id;  // deletes every IKE SA; CommandDone when all are gone or given up
};
// Rekeys what matches, make-before-break: children if `child` or `child_id` is set, else IKE SAs. Done when the new SAs
// are installed; `matched` counts what was rekeyed.
struct Rekey {
  RequestId id;
  std::string conn, child;
  std::optional<base::IkeId> ike;
  std::optional<base::ChildId> child_id;
};
// The kernel says that a child's SA has used up a limit, or its sequence numbers. Soft: rekey; hard: it is gone.
struct Expired {
  base::ChildId child;
  bool hard = false;
};
// The peer uses the inbound SA of a child whose outbound SA still waits: it may be switched to.
struct InboundUsed {
  base::ChildId child;
};
// ESP of this child came from another address or port, and was good: the NAT between us has a new mapping.
struct PeerMoved {
  base::ChildId child;
  base::Endpoint remote;
};
// The way to peers is open again (a link came up): what waits for an answer goes out at once, not when it is due.
struct PathUp {};
// What cookies are made with from now on; before the first of these an engine has secrets of its own. To be said again
// every CookieSecrets::kRotation.
struct SetCookieSecrets {
  CookieSecrets secrets;
};
// How a direction of a child is carried, as read back from the kernel.
struct OffloadState {
  base::OffloadActual actual = base::OffloadActual::none;
  std::string device;       // empty unless actual is more than none
  std::string reason_code;  // empty unless actual is less than wanted; a code of sad::Reason
  std::string reason;       // the sentence for it, with the driver's words
};
struct ChildInstalled {
  OffloadState in, out;
};
struct ChildRefused {
  std::string reason_code, reason;  // a code of sad::Reason, and the sentence
};
// What a process after this one needs to go on with our IKE SAs (EngineOptions::records): an entry for each that
// changed. To be kept all or none, and before anything that comes after it is carried out: then whatever was sent, or
// asked of the kernel, is in the records, and what is not was never begun.
struct Record {
  struct Entry {
    std::uint64_t key = 0;  // our IKE SPI, 2^32 or more; 0: of the engine itself
    base::Secret octets;    // see ike/record.h; empty: forgotten
  };
  std::vector<Entry> entries;
};

// What became of the SAs of a child that a process before this one had installed (KeptChild).
struct Kept {
  enum class State : std::uint8_t {
    lost,     // not whole, and no SA of it is there any more
    up,       // as wanted
    waiting,  // its inbound SA is there, and the outbound one has never been
  };
  State state = State::lost;
  OffloadState in, out;
};
// Goes on with what a process before this one recorded (Record). To be said once, after Load and before anything else;
// `records` as Record gave them, `kept` for each child that children_of() in ike/resume.h names.
struct Resume {
  std::vector<Record::Entry> records;
  std::map<base::ChildId, Kept> kept;
};
using Command = std::variant<Initiate, Terminate, Load, List, Shutdown, Rekey, Expired, InboundUsed, PeerMoved, PathUp,
                             SetCookieSecrets, Resume>;

// The one answer to an InstallChild, an AddInbound or a SwitchOutbound.
struct ChildAnswer {
  RequestId id;
  std::variant<ChildInstalled, ChildRefused> result;
};

// ------------------------------------------------------------------------------------------ out of the engine

// KEYMAT of RFC 7296 2.17, cut: cipher keys have the salt at their end (RFC 4106), auth keys are empty for AEAD.
struct ChildKeys {
  base::Secret cipher_in, auth_in, cipher_out, auth_out;
};

// Of one SA, for the kernel's EXPIRE; 0: none. Soft ones come with the jitter taken off.
struct ChildLimits {
  std::uint64_t soft_bytes = 0, hard_bytes = 0, soft_packets = 0, hard_packets = 0;
};

struct ChildSpec {
  base::IkeId ike;
  base::ChildId id;
  std::string conn, child;
  base::Endpoint local, remote;  // tunnel ends; ports matter if `encap`
  bool encap = false;            // ESP in UDP (RFC 3948)
  base::SaMode mode = base::SaMode::tunnel;
  base::EspSuite suite;
  base::Spi spi_in, spi_out;  // spi_in: we chose it; spi_out: the peer did
  std::vector<base::TrafficSelector> local_ts, remote_ts;
  base::OffloadWanted offload = base::OffloadWanted::no;
  bool initiator = false;                   // of the exchange that made the child
  std::optional<base::ChildId> replaces{};  // rekey: the generation that goes when this one is in place
  ChildLimits limits;
  ChildKeys keys;
};

struct Send {
  Datagram datagram;
};
// One octet 0xff over a port-4500 socket, without the non-ESP marker (RFC 3948 2.3): the NAT keeps its mapping.
struct Keepalive {
  base::Endpoint local, remote;
};
// Install both SAs and their policies; answered by ChildAnswer exactly once. Until then the engine holds its reply.
struct InstallChild {
  RequestId id;
  ChildSpec child;
};
// Responder of a rekey: install the inbound SA and try whether the outbound one would be taken; answered by ChildAnswer
// exactly once. The outbound SA waits for SwitchOutbound, as the peer has its inbound SA only after our reply.
struct AddInbound {
  RequestId id;
  ChildSpec child;
};
// Install the outbound SA of a child that AddInbound brought; answered by ChildAnswer exactly once. Refused: the child
// stays inbound only.
struct SwitchOutbound {
  RequestId id;
  base::ChildId child;
};
// A generation that another one has replaced goes in two steps: first what sends, some seconds later, when no packet
// can be under way any more, what receives. Not answered.
struct RetireSa {
  base::ChildId id;
  enum class Part : std::uint8_t { outbound, all } part = Part::all;
};
// Remove SAs and policies of a child that was (or is being) installed; not answered.
struct RemoveChild {
  base::ChildId id;
  Reason reason;
};

// Why something failed, for the log, `conn show`'s last_error and vici.
struct Failure {
  Reason code{};
  std::string step;         // "IKE_SA_INIT", "IKE_AUTH", "CREATE_CHILD_SA", "install", ...
  std::string text;         // one sentence for the operator, no secrets
  std::string peer_notify;  // the notify the peer sent, by its RFC name; empty if none
};

struct CommandDone {
  RequestId id;
  std::optional<Failure> failure;  // none: done
  std::uint32_t matched = 0;       // for Terminate and Rekey: how many SAs were closed or rekeyed
};

struct ChildView {
  base::ChildId id;
  std::string name, state;  // "INSTALLING", "INSTALLED", "REKEYING", "REKEYED", "DELETING", "DELETED"
  base::SaMode mode{};
  base::EspSuite suite;
  bool encap = false;
  base::Spi spi_in, spi_out;
  std::vector<base::TrafficSelector> local_ts, remote_ts;
  base::OffloadWanted offload{};
  OffloadState in, out;
  base::Instant installed_at;
  std::optional<base::Instant> rekey_at, expires_at;
  std::string group;                                            // of its PFS; empty without
  std::vector<std::pair<std::string, std::string>> additional;  // key exchanges, by vici's keys: {"ake1", "ML_KEM_768"}
};
struct IkeView {
  base::IkeId id;
  std::string conn, state;  // strongSwan's words: "CONNECTING", "ESTABLISHED", "DELETING"
  bool initiator = false;
  base::IkeSpi spi_i, spi_r;
  base::Endpoint local, remote;
  std::string local_id, remote_id;
  std::string suite;  // "AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519" pieces below, ready for vici
  std::string encr_alg, encr_keysize, integ_alg, prf_alg, dh_group;
  std::vector<std::pair<std::string, std::string>> additional;  // as in ChildView
  bool nat_local = false, nat_remote = false;
  bool ppk = false;  // a post-quantum preshared key is in its keys (RFC 8784)
  base::Instant established_at;
  std::optional<base::Instant> rekey_at, expires_at;
  std::vector<ChildView> children;
};
struct Event {
  enum class Kind : std::uint8_t {
    ike_connecting,
    ike_up,
    ike_down,
    ike_failed,
    ike_resumed,  // a process before this one had it; with all its children in `view`
    ike_rekeyed,  // `ike` is the new SA, `former_ike` the one it replaces; no ike_up and ike_down go with it
    child_up,
    child_down,
    child_rekeyed,  // `child_id` is the new generation, `former_child` the one it replaces; no child_up, no child_down
    child_failed,
    rekey_failed,  // of `child_id`, or of the IKE SA: it stays as it is, and is tried again
    peer_moved,    // its NAT has a new mapping; `detail`: from where to where
    peer_refused,  // a peer's request was answered with an error notify; nothing came up
    dropped,       // a datagram was ignored for a reason worth a (rate-limited) line
  };
  Kind kind{};
  base::IkeId ike;
  base::ChildId child_id;
  std::string conn, child;  // empty if not known yet
  base::Endpoint local, remote;
  std::optional<Failure> failure;
  std::string detail;  // e.g. suite and selectors of a child that came up
  base::IkeId former_ike{};
  base::ChildId former_child{};
  // up, down and rekeyed: the SA as it was just then, with the children concerned.
  std::shared_ptr<const IkeView> view{};
};

struct ListResult {
  RequestId id;
  std::vector<IkeView> ikes;
  std::map<Reason, std::uint64_t> rejected;  // since the engine began: strangers' datagrams, refusals
  std::size_t half_open = 0;
  Tally tally{};  // since the engine began
};

using Action = std::variant<Record, Send, Keepalive, InstallChild, AddInbound, SwitchOutbound, RetireSa, RemoveChild,
                            Event, CommandDone, ListResult>;

}  // namespace espgate::ike
