// SPDX-License-Identifier: Apache-2.0
// A network on a virtual clock: hosts with an IKE engine and a model of sad/ each, links that lose, repeat, delay and
// reorder datagrams as a seed says, and an optional NAT. Nothing here sleeps or opens a socket.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/address.h"
#include "ike/api.h"
#include "ike/crypto/rng.h"
#include "ike/engine.h"
#include "ike/kept.h"

namespace espgate::sim {

using base::Instant;
using std::chrono::milliseconds;
using std::chrono::seconds;

// How the model of sad/ answers InstallChild.
enum class Install { accept, refuse, late, never };

// What a network does to a datagram, in percent.
struct Weather {
  int loss = 0, duplicate = 0, garble = 0;
  milliseconds delay{10}, jitter{0};
};

class Net;

// One machine: engine, model of sad/, and everything that came out.
class Host {
 public:
  Host(Net& net, std::string name, std::string address, std::uint64_t seed, ike::Engine::Options options = {});

  void load(ike::Config config);
  void load_later(ike::Config config) {  // when it is born again
    config_ = std::make_shared<const ike::Config>(std::move(config));
  }
  ike::RequestId initiate(const std::string& conn, const std::string& child, const Host& peer);
  ike::RequestId initiate(const std::string& conn, const std::string& child, const base::Endpoint& peer);
  ike::RequestId terminate(ike::Terminate what);
  ike::RequestId rekey(ike::Rekey what);
  ike::RequestId shutdown();
  std::vector<ike::IkeView> list();
  const ike::ListResult& listed();  // everything that List tells
  void command(ike::Command command);
  void datagram(ike::Datagram datagram);  // as if it had arrived just now

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const base::Address& address() const { return address_; }
  ike::Engine& engine() { return engine_; }

  // The result of a command: nullptr while it is under way.
  [[nodiscard]] const ike::CommandDone* result(ike::RequestId id) const;
  [[nodiscard]] bool succeeded(ike::RequestId id) const { return result(id) != nullptr && !result(id)->failure; }
  [[nodiscard]] ike::Reason failed(ike::RequestId id) const;  // precondition: it failed
  [[nodiscard]] std::size_t count(ike::Event::Kind kind) const;
  [[nodiscard]] const ike::Event* last(ike::Event::Kind kind) const;

  // Dies as by kill -9, and comes back after `away` with its records and what its kernel holds. `after`: not before so
  // many more actions are carried out, in the middle of what an input caused.
  void kill(milliseconds away, int after = 0);
  milliseconds reborn_after{50};  // of a death in the middle
  std::size_t lives = 1;
  std::size_t ivs_reused = 0;                     // different octets under one IV of one key
  std::map<std::uint64_t, base::Secret> records;  // by our IKE SPI
  std::size_t longest_record = 0;

  Install install = Install::accept;
  bool refuse_switch = false;
  milliseconds install_delay{5};
  std::map<base::ChildId, ike::ChildSpec> sad;  // installed, and not removed since
  std::vector<ike::Event> events;
  std::vector<std::pair<Instant, ike::Datagram>> sent;
  std::vector<std::pair<Instant, ike::Keepalive>> keepalives;
  std::size_t installs = 0;
  std::vector<base::ChildId> removed;
  std::size_t inbounds = 0, switches = 0;       // AddInbound, SwitchOutbound
  std::set<base::ChildId> outbound, receiving;  // of `sad`: which can send, which can receive

 private:
  friend class Net;
  void act(std::vector<ike::Action> actions);
  void take(ike::Action&& action);
  void die(milliseconds away);
  void be_reborn();
  ike::Kept kept(const ike::KeptChild& child);
  void watch_ivs(const ike::Datagram& datagram);
  void on_install(ike::RequestId id, ike::ChildSpec child, bool outbound);
  void on_switch(const ike::SwitchOutbound& order);
  void on_retire(const ike::RetireSa& order);

  Net& net_;
  std::string name_;
  base::Address address_;
  ike::crypto::SeededRng rng_;
  ike::Engine::Options options_;
  ike::Engine engine_;
  std::shared_ptr<const ike::Config> config_;
  bool dead_ = false;
  int die_after_ = 0;  // actions; 0: not
  using Keys = std::tuple<base::IkeSpi, base::IkeSpi, std::uint32_t>;
  std::map<Keys, std::map<std::uint64_t, base::Bytes>> ivs_;
  std::uint64_t last_request_ = 0;
  std::map<ike::RequestId, ike::CommandDone> done_;
  std::optional<ike::ListResult> listed_;
};

class Net {
 public:
  explicit Net(std::uint64_t seed = 1) : random_(seed) {}

  Instant now{};
  Weather weather;
  // Called for every datagram before it is on its way: may change it; false swallows it.
  std::function<bool(ike::Datagram&)> filter;
  // All datagrams from `inside` leave from `outside` with another port, and answers find back. Said again:
  // the NAT gets another address.
  void put_behind_nat(const Host& inside, const std::string& outside);

  // A host that goes away.
  void forget(const Host& host) { std::erase(hosts_, &host); }

  // Runs until nothing is left to happen or this much time has passed.
  void run(base::Duration duration);
  // Runs until `done`; false if it is not after `limit`.
  bool run_until(const std::function<bool()>& done, base::Duration limit = seconds(400));

 private:
  friend class Host;
  struct Nat {
    base::Address inside, outside;
    std::map<std::uint16_t, std::uint16_t> ports;  // outside -> inside
  };
  void attach(Host* host) { hosts_.push_back(host); }
  void send(ike::Datagram datagram);
  void deliver(ike::Datagram datagram);
  void at(Instant when, std::function<void()> what) { agenda_.emplace(when, std::move(what)); }
  bool step(Instant limit);
  bool chance(int percent) { return percent > 0 && static_cast<int>(random_() % 100) < percent; }
  milliseconds travel();

  std::mt19937_64 random_;
  std::vector<Host*> hosts_;
  std::vector<Nat> nats_;
  std::multimap<Instant, std::function<void()>> agenda_;
};

}  // namespace espgate::sim
