// SPDX-License-Identifier: Apache-2.0
// One IKE SA: plain state, changed by the tasks in ike/task/. Its states:
//
//   initiator  [Initiate]  -> init_sent -> auth_sent -+
//                                                     +-> established -> deleting -> closed -> gone
//   responder  [IKE_SA_INIT request] -> init_replied -+               \-> rekeyed -/
//   either     [CREATE_CHILD_SA on the SA before] ----+
//
// init_sent     IKE_SA_INIT is on its way; COOKIE and INVALID_KE_PAYLOAD answers start it over in place
// init_replied  keys are derived, nobody is authenticated; ends after half_open_timeout
// auth_sent     IKE_AUTH, or an IKE_INTERMEDIATE before it, is on its way
// established   the peer is authenticated; a reply may be held until a child is installed (`held`)
// deleting      our DELETE is queued or on its way
// rekeyed       its children live on a newer IKE SA; who made that one deletes this one
// closed        over; stays a while to repeat its last response to a peer that did not get it (RFC 7296 2.1)
// Any state but closed ends at once when a request is not answered, or on a fatal error.
#pragma once

#include <array>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/rare.h"
#include "ike/api.h"
#include "ike/child.h"
#include "ike/config.h"
#include "ike/crypto/key_exchange.h"
#include "ike/crypto/keys.h"
#include "ike/crypto/signature.h"
#include "ike/crypto/sk_cipher.h"
#include "ike/crypto/suite.h"
#include "ike/proposal.h"
#include "ike/reassembly.h"
#include "ike/task/retransmit.h"
#include "ike/wire/message.h"

namespace espgate::ike {

// Their numbers stand in records (ike/record.h): append only.
enum class State : std::uint8_t { init_sent, init_replied, auth_sent, established, deleting, rekeyed, closed };

// How the peer wants us to sign.
struct PeerSignatures {
  std::optional<std::vector<crypto::HashId>> hashes;  // none: it does not know RFC 7427
  bool cert_asked = false;                            // a CERTREQ came
  std::vector<crypto::KeyHash> authorities;           // of the CAs it asked for
};

// What IKE_SA_INIT leaves for IKE_AUTH; gone once the SA is established.
struct Setup {
  base::Bytes request, response;  // the two messages as sent, for AUTH
  base::Bytes nonce_i, nonce_r;
  base::Bytes cookie;                     // initiator: to be sent back
  std::uint32_t restarts = 0;             // initiator: IKE_SA_INIT started over by COOKIE or INVALID_KE_PAYLOAD
  std::optional<std::uint16_t> group;     // initiator: the group the peer asked for
  std::optional<crypto::KeyExchange> ke;  // initiator: until the answer
  Proposal chosen;                        // the IKE proposal, one transform of a type
  PeerSignatures signatures;              // what the peer said of certificates and hashes
  std::vector<std::uint16_t> to_come;     // additional key exchanges in IKE_INTERMEDIATE (RFC 9370): methods
  std::uint32_t intermediates = 0;        // how many of them are over
  base::Secret int_auth_i, int_auth_r;    // IntAuth_iN, IntAuth_rN of these (RFC 9242 3.3.2)
  bool childless = false;                 // both sides know IKE SAs without a child (RFC 6023)
  bool ppk = false;                       // both sides said USE_PPK (RFC 8784)
  std::optional<crypto::PpkKeys> plain;   // initiator: SK_d, SK_pi and SK_pr without the PPK, until the peer has chosen
};

// Exchanges of ours: waiting in IkeSa::queue, or under way in Outgoing.
struct DoInit {};
struct DoIntermediate {
  crypto::KeyExchange ke;
};
struct DoAuth {
  std::optional<ChildOffer> offer;    // none: children come later (RFC 6023)
  std::optional<Identity> asked_for;  // IDr, if we sent one
};
struct DoCreateChild {
  ChildOffer offer;  // filled in but for SPI, selectors and nonce when queued
};
// The peer's rekey of the same SA, which came while ours was under way (RFC 7296 2.8.1, 2.8.2).
struct Met {
  base::Bytes lowest;  // the lower one of its two nonces
};
struct DoRekeyChild {
  base::ChildId old;
  ChildOffer offer;  // as in DoCreateChild
  std::optional<Met> met;
  bool unsure = false;  // when it was sent, the peer may not have known the child yet
};
struct DoRekeyIke {
  base::IkeSpi spi;  // ours of the new SA
  base::Bytes nonce;
  std::optional<std::uint16_t> group;
  std::optional<crypto::KeyExchange> ke;
  std::optional<FurtherKes> further;  // once CREATE_CHILD_SA is answered
  std::uint32_t restarts = 0;
  std::vector<RequestId> waiting;  // Rekey commands
  std::optional<Met> met;
  base::IkeSpi met_spi;  // ours of the SA that the peer's rekey made
};
struct DoDeleteChild {
  base::Spi spi_in;
  std::optional<base::ChildId> child;  // none: it never came to be on our side
  Reason reason{};
  bool unsure = false;  // as in DoRekeyChild
  Protocol protocol = Protocol::esp;
};
struct DoDeleteIke {
  Failure why;
};
struct DoLiveness {};
struct DoTellAuthFailed {  // RFC 7296 2.21.2: the responder's AUTH was wrong
  Failure why;
};
using Operation = std::variant<DoInit, DoIntermediate, DoAuth, DoCreateChild, DoRekeyChild, DoRekeyIke, DoDeleteChild,
                               DoDeleteIke, DoLiveness, DoTellAuthFailed>;

// Our request that the peer has not answered; the window is 1 (RFC 7296 2.3).
struct Outgoing {
  wire::ExchangeType exchange{};
  std::uint32_t message_id = 0;
  base::Bytes message;
  std::vector<base::Bytes> fragments;  // after `message`, which is then the first of them
  base::Instant first_sent;
  Retransmit timer;
  bool denied = false;  // INVALID_IKE_SPI came back: a hint that nothing proves
  Operation what;
};

// A reply that waits for the answer to InstallChild, AddInbound, or SwitchOutbound.
struct HeldReply {
  wire::ExchangeType exchange{};
  wire::Payloads before, accepted;  // what is sent in any case, and what follows if the child was installed
  base::ChildId child;
  bool switching = false;  // for SwitchOutbound: whatever comes of it, the reply is the same
};

struct FollowUp;  // task/follow_up.h

struct IkeSa {
  base::IkeId id;
  bool initiator = false;
  State state{};
  base::IkeSpi spi_i, spi_r;
  base::Endpoint local, remote;
  bool natt = false;  // on port 4500
  bool nat_local = false, nat_remote = false;

  std::shared_ptr<const ConnConfig> conn;  // responder: not known before IKE_AUTH
  Identity local_id, remote_id;
  std::unique_ptr<Setup> setup;
  crypto::IkeSuite suite;
  crypto::IkeKeys keys;
  std::optional<crypto::SkCipher> cipher_in, cipher_out;

  // Made by a rekey that met the peer's: nobody knows yet which of the two stays. Nobody hears of it.
  bool spare = false;

  std::uint64_t iv_reserved = 0;  // AEAD: the record allows all IVs before this one

  std::uint32_t next_id = 0, expected_id = 0;  // of our next request, of the peer's
  base::Rare<Outgoing> outgoing;
  std::list<Operation> queue;               // mostly empty, for which a deque takes half a KiB
  base::Bytes last_request;                 // SHA-256 of the peer's request expected_id - 1, or of the one that is held
  base::Bytes last_response;                // to the former
  std::vector<base::Bytes> last_fragments;  // of the response, after the first
  bool fragments = false;                   // both sides know RFC 7383
  bool fragmenting = false;                 // and our config wants us to
  Reassembly request_parts, response_parts;
  // Responder: SHA-256 of the IKE_SA_INIT request, and who sent it, to know it again.
  std::array<std::uint8_t, 32> initial_request{};
  base::Endpoint initial_remote;
  base::Rare<HeldReply> held;
  std::shared_ptr<FollowUp> follow_up;  // the peer's CREATE_CHILD_SA that waits for its additional key exchanges
  std::optional<base::Instant> follow_up_until;

  std::map<base::ChildId, Child> children;

  base::Instant created_at, established_at, last_heard;
  base::Instant expires_at;                       // init_replied, closed, rekeyed
  std::optional<base::Instant> authenticated_at;  // a rekey hands it on
  bool peer_began = false;                        // that authentication; a rekey hands it on
  bool ppk = false;                               // a PPK is in its keys; a rekey hands it on
  std::optional<base::Instant> rekey_at;          // established: the next attempt; none while one is under way
  std::optional<base::Instant> reauth_at;         // established: the next attempt; none while one is under way
  bool reauthenticating = false;                  // a new one is under way: no rekey of ours beside it
  std::optional<base::IkeId> takes_place_of;      // of a new one: the IKE SA that goes when the children are here
  std::optional<base::Instant> over_at;           // established: the hard limit
  base::Rare<Failure> over_why;                   // if it is not the lifetime
  std::optional<base::Instant> keepalive_at;      // behind a NAT: the next one
  std::optional<base::Instant> close_deadline;    // deleting: when we stop waiting
  bool dead = false;                              // to be erased when the current input is done
  std::optional<base::Instant> scheduled;         // the entry in Context's timer index
  std::uint64_t peer_key = 0;                     // that in its index of peers; 0: none

  [[nodiscard]] base::IkeSpi our_spi() const { return initiator ? spi_i : spi_r; }
  [[nodiscard]] bool up() const { return state == State::established || state == State::deleting; }
  [[nodiscard]] bool encap() const { return natt && (nat_local || nat_remote || (conn && conn->encap)); }
  [[nodiscard]] std::string conn_name() const { return conn ? conn->name : std::string(); }
  [[nodiscard]] bool usable() const { return state == State::established && !spare; }
  template <class T>
  T* doing() {  // our request that is under way, if it is of this kind
    return outgoing ? std::get_if<T>(&outgoing->what) : nullptr;
  }
  void remember_request(base::ByteView message);
  [[nodiscard]] bool is_last_request(base::ByteView message) const;
  Child* child_named(const std::string& name);
  Child* successor_of(base::ChildId old);  // the generation that replaces it, installed or about to be
  [[nodiscard]] const Child* successor_of(base::ChildId old) const;
  Child* child_by_spi_out(base::Spi spi);

  // When something is to be done next without any input.
  [[nodiscard]] std::optional<base::Instant> next_due() const;
  [[nodiscard]] std::optional<base::Instant> liveness_due() const;
};

IkeView view(const IkeSa& sa);
ChildView view(const IkeSa& sa, const Child& child);
std::string endpoints(const IkeSa& sa);  // "192.0.2.1:500 - 192.0.2.2:500"

}  // namespace espgate::ike
