// SPDX-License-Identifier: Apache-2.0
// What the tasks share: config, time, randomness, the table of IKE SAs and the actions that the current input causes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ike/api.h"
#include "ike/cookies.h"
#include "ike/crypto/rng.h"
#include "ike/ike_sa.h"

namespace espgate::ike {

struct EngineOptions {
  std::uint32_t index = 0;  // engine id: the low 6 bits of our IKE and ESP SPIs, and the high bits of our ids
  std::uint16_t natt_port = 4500;
  std::size_t half_open_limit = 1000;                       // responder's SAs that are not authenticated yet
  std::uint32_t noise_per_second = 20;                      // events about strangers' datagrams, and answers to them
  base::Duration linger = std::chrono::seconds(30);         // how long a closed SA repeats its last response
  base::Duration shutdown_grace = std::chrono::seconds(3);  // how long Shutdown waits for answers
  bool records = false;                                     // whether to make Records
  // Seconds since the epoch at an instant, for the validity of certificates; none: the instant's own count.
  std::function<std::int64_t(base::Instant)> wall_clock;
};

// So many per second, no more: against log floods and reflection.
class Bucket {
 public:
  explicit Bucket(std::uint32_t per_second) : per_second_(per_second) {}
  bool take(base::Instant now);

 private:
  std::uint32_t per_second_, used_ = 0;
  base::Instant since_;
  bool started_ = false;
};

class Context {
 public:
  Context(EngineOptions options, Rng& rng);

  EngineOptions options;
  Rng& rng;
  std::shared_ptr<const Config> config;
  base::Instant now;
  bool shutting_down = false;
  Bucket events, answers;
  Cookies cookies;
  Tally tally;

  [[nodiscard]] std::int64_t epoch_seconds() const;

  // ------------------------------------------------------------------ actions
  void emit(Action action) { out_.push_back(std::move(action)); }
  void send(const IkeSa& sa, base::Bytes message);
  void event(Event::Kind kind, const IkeSa& sa, std::optional<Failure> failure = {}, std::string detail = {});
  void event(Event::Kind kind, const IkeSa& sa, const Child& child, std::optional<Failure> failure = {},
             std::string detail = {});
  // About a datagram that belongs to no SA of ours, or should not be believed; rate-limited.
  void noise(Event::Kind kind, const base::Endpoint& local, const base::Endpoint& remote, Reason code, std::string step,
             std::string text);
  // What was refused or dropped, by reason, each time, whether a line is written of it or not.
  void count(Reason reason) { ++rejected_[reason]; }
  [[nodiscard]] const std::map<Reason, std::uint64_t>& rejected() const { return rejected_; }
  void done(RequestId id, std::optional<Failure> failure = {}, std::uint32_t matched = 0);
  void done(std::vector<RequestId>& ids, const std::optional<Failure>& failure = {});  // and clears it
  // `id` is said to be done `parts` times; the command is when the last one is, with the first failure.
  void in_parts(RequestId id, std::uint32_t parts) { parts_[id] = {parts, {}, 0}; }

  // ------------------------------------------------------------------ SAs
  using Table = std::map<base::IkeSpi, std::unique_ptr<IkeSa>>;
  base::IkeSpi new_ike_spi();  // with the engine's id in it
  // An IKE SA that a rekey of `from` made (RFC 7296 2.18): established, between the same ends, without keys and
  // children.
  IkeSa& create_rekeyed(const IkeSa& from, bool initiator, base::IkeSpi ours, base::IkeSpi peers);
  IkeSa& create(bool initiator, base::IkeSpi peer_spi, const base::Endpoint& local, const base::Endpoint& remote);
  // One that a process before this one had; nullptr: its SPI is taken.
  IkeSa* adopt(std::unique_ptr<IkeSa> sa);
  void numbers_given(std::uint64_t ikes, std::uint64_t children);  // by that process, at most
  IkeSa* find(base::IkeSpi ours);
  IkeSa* find(base::IkeId id);
  IkeSa* owner_of(base::ChildId id);
  // The responder's SA that this IKE_SA_INIT request already made: same sender, same octets (RFC 7296 2.1).
  IkeSa* find_initial(const base::Endpoint& remote, base::IkeSpi spi_i, base::ByteView message);
  Table& sas() { return sas_; }
  // Those with this peer, by who it says it is: all that are up or rekeyed, in the order of sas(), and maybe others.
  std::vector<IkeSa*> sas_with(const Identity& remote);
  [[nodiscard]] std::size_t half_open() const { return half_open_; }
  [[nodiscard]] std::size_t half_open(const base::Address& source) const;
  void left_half_open(const IkeSa& sa);
  // To be called for every SA that an input may have changed: its timer is set anew, or it is erased if dead.
  void touch(const IkeSa& sa) { touched_.insert(sa.our_spi()); }

  // ------------------------------------------------------------------ numbers
  base::Spi new_esp_spi();
  void claim(base::Spi spi) { esp_spis_.insert(spi.value); }  // chosen by a process before this one
  void release(base::Spi spi) { esp_spis_.erase(spi.value); }
  base::ChildId new_child_id() { return {high_bits() | ++last_child_}; }
  RequestId new_install(const IkeSa& sa, base::ChildId child);
  void forget_install(RequestId id) { installs_.erase(id); }
  void move_install(RequestId id, const IkeSa& to);  // its child lives on another IKE SA now
  std::optional<std::pair<base::IkeSpi, base::ChildId>> take_install(RequestId id);

  // ------------------------------------------------------------------ commands that wait for SAs to go
  struct Closing {
    std::set<base::IkeId> ikes;
    std::set<base::ChildId> children;
    std::uint32_t matched = 0;
  };
  void wait_for(RequestId id, Closing closing);
  void gone(base::IkeId id);
  void gone(base::ChildId id);
  void also(base::IkeId id, base::IkeId heir);  // who waits for `id` to go waits for `heir`, too

  // Children that wait beside another one before they send (task/sibling.h): the one that sends, the one that waits.
  std::multimap<base::ChildId, base::ChildId> besides;

  // ------------------------------------------------------------------ the engine's frame around each input
  void begin(base::Instant at) { now = at; }
  std::vector<Action> finish();
  [[nodiscard]] std::optional<base::Instant> next_timer() const;
  std::optional<base::IkeSpi> due();  // an SA whose time has come
  void settle(base::IkeSpi spi);      // sets its timer, or erases it

 private:
  [[nodiscard]] std::uint64_t high_bits() const { return static_cast<std::uint64_t>(options.index) << 40; }
  void complete_closings();
  void make_record(const std::set<base::IkeSpi>& changed);
  void index_peer(IkeSa& sa, std::uint64_t key);

  std::vector<Action> out_;
  Table sas_;
  std::multimap<std::pair<base::Endpoint, base::IkeSpi>, base::IkeSpi> initials_;
  std::set<std::pair<base::Instant, base::IkeSpi>> timers_;
  std::set<base::IkeSpi> touched_;
  // Identities by their hash, of what touched_ does not name: that may have changed since.
  std::set<std::pair<std::uint64_t, base::IkeSpi>> peers_;
  std::set<std::uint32_t> esp_spis_;
  std::map<RequestId, std::pair<base::IkeSpi, base::ChildId>> installs_;
  std::map<RequestId, Closing> closings_;
  struct Parts {
    std::uint32_t open = 0;
    std::optional<Failure> failure;
    std::uint32_t matched = 0;
  };
  std::map<RequestId, Parts> parts_;
  std::size_t half_open_ = 0;
  std::map<base::Address, std::size_t> half_open_sources_;
  std::map<Reason, std::uint64_t> rejected_;
  std::uint64_t last_ike_ = 0, last_child_ = 0, last_install_ = 0;
  std::set<base::IkeSpi> recorded_;
  std::uint64_t ikes_reserved_ = 0, children_reserved_ = 0;  // numbers that the record allows
};

}  // namespace espgate::ike
