// SPDX-License-Identifier: Apache-2.0
// One gateway as it is, but for sockets, netlink and clock: an engine, sad/, and a model kernel behind it, which takes
// its time. What the daemon's main thread does between them is done here alike.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "ike/crypto/rng.h"
#include "ike/engine.h"
#include "sad/pump.h"
#include "xfrm/model_kernel.h"

namespace espgate::soak {

using base::Duration;
using base::Instant;

inline constexpr std::uint32_t kNic = 3;  // ifindex of the model's device

class Gate {
 public:
  struct Setting {
    std::string name;
    std::uint32_t engine = 0;
    std::uint64_t seed = 0;
    base::Address address;
    std::shared_ptr<const ike::Config> config;
    sad::Plan plan;
    bool keeps_keys = true;
    std::uint32_t slots = sad::Options{}.slots;
  };
  explicit Gate(Setting setting);

  // ------------------------------------------------------------------ what happens to it
  void datagram(Instant now, ike::Datagram datagram) { take(now, engine_.on_datagram(now, std::move(datagram))); }
  void command(Instant now, ike::Command command) { take(now, engine_.on_command(now, std::move(command))); }
  // Another configuration, as the daemon takes one: the floor first.
  void load(Instant now, std::shared_ptr<const ike::Config> config, const sad::Plan& plan);
  // The gateway's look at SAs whose outbound half waits found that a packet came by `sa`.
  void used(Instant now, const xfrm::SaId& sa);
  // Good ESP of `sa` came from there (XFRM_MSG_MAPPING).
  void mapped(Instant now, const xfrm::SaId& sa, const base::Endpoint& from);
  [[nodiscard]] bool waits(const xfrm::SaId& sa) const;
  // Timers, and what the kernel has had its time for.
  void due(Instant now);
  [[nodiscard]] std::optional<Instant> next_due() const;

  std::function<void(Instant, ike::Datagram)> send;
  std::function<Duration()> kernel_delay;       // for each order to the kernel
  std::function<void(const ike::Event&)> told;  // if set: every event

  // ------------------------------------------------------------------ what can be seen of it
  xfrm::ModelKernel kernel;
  std::vector<ike::IkeView> list(Instant now);
  ike::RequestId next_id() { return {++last_id_}; }
  [[nodiscard]] const base::Address& address() const { return setting_.address; }
  // A child is up that nobody has asked to be closed.
  [[nodiscard]] bool meant_to_carry(Instant now);
  // By its events: whether the child carries traffic, and when that last changed.
  [[nodiscard]] bool up() const { return up_ > 0; }
  [[nodiscard]] Instant changed_at() const { return changed_at_; }
  [[nodiscard]] std::uint64_t events(ike::Event::Kind kind) const;
  // Pairs of SAs with both directions in the kernel.
  [[nodiscard]] std::size_t live_generations() const;
  // SAs of the kernel that no child of the engine accounts for, ledger entries without an SA, and the other way round.
  [[nodiscard]] std::set<xfrm::SaId> odd_sas(Instant now);
  [[nodiscard]] std::size_t orphans(Instant now) { return odd_sas(now).size(); }
  [[nodiscard]] bool idle() const { return orders_.empty() && sad_.idle(); }
  // What is wrong inside, in words; empty: nothing.
  [[nodiscard]] const std::string& fault() const { return fault_; }

 private:
  struct Order {
    Instant at;
    ike::Action what;
  };
  void take(Instant now, std::vector<ike::Action> actions);
  void take_event(Instant now, const ike::Event& event);
  void carry_out(Instant now, ike::Action&& what);
  void pump(Instant now, sad::Outputs outputs);
  void write(sad::Output&& output);

  Setting setting_;
  ike::crypto::SeededRng rng_;
  ike::Engine engine_;
  sad::Sad sad_;
  std::map<std::uint32_t, maps::SaRecord> ledger_;
  std::deque<Order> orders_;  // in order; the kernel's queue
  std::vector<ike::ChildAnswer> answers_;
  std::vector<ike::IkeView> listed_;
  std::map<ike::Event::Kind, std::uint64_t> events_;
  std::uint64_t last_id_ = 0;
  int up_ = 0;
  Instant changed_at_;
  std::string fault_;
};

}  // namespace espgate::soak
