// SPDX-License-Identifier: Apache-2.0
// The two gates of a run, the path between them, the traffic through them, and the virtual clock.
#pragma once

#include <functional>
#include <map>
#include <random>

#include "tests/sim/soak/gate.h"
#include "tests/sim/soak/run.h"

namespace espgate::soak {

class World {
 public:
  explicit World(const RunOptions& options);

  Gate a, b;
  Instant now{};
  RunResult result;

  void run_until(Instant end);
  void at(Instant when, std::function<void()> what) { agenda_.emplace(when, std::move(what)); }
  void calm();      // no more faults
  void map_anew();  // the NAT's address changes; nothing without a NAT
  void lose(int percent) { weather_.loss = percent; }
  // Both ends hold the same one child, and nothing is under way.
  [[nodiscard]] bool settled();
  // Uniform, of this run.
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  bool chance(int percent) { return static_cast<int>(below(100)) < percent; }
  void trace(const std::string& line) const;

 private:
  struct Weather {
    int loss = 0, repeat = 0;
    std::uint64_t jitter_ms = 0;
  };
  // Between the two, if this run has one: a is seen from `outside`, where nothing else leads back to it.
  struct Nat {
    std::uint32_t mappings = 0;  // so far; each is another address
    base::Address outside;
    std::optional<Instant> lost_since;  // packets of b that went to a mapping that is gone
  };
  void carry(Gate& to, ike::Datagram datagram);
  bool through_nat(Gate& to, ike::Datagram& datagram);  // false: it is lost there
  void not_followed();
  void probe();  // a packet each way, and the generations counted
  void packet(Gate& from, Gate& to);
  void arrive(Gate& from, Gate& to, xfrm::SaId sa, std::size_t key, Instant sent);
  Duration travel();
  [[nodiscard]] Duration probe_every() const;

  RunOptions options_;
  std::mt19937_64 random_;
  Weather weather_;
  std::optional<Nat> nat_;
  std::multimap<Instant, std::function<void()>> agenda_;
  bool calm_ = false;
  std::optional<Instant> two_since_;
  Instant ended_at_ =
      Instant{} - std::chrono::hours(1);  // when a packet last found that no child was meant to carry it
};

}  // namespace espgate::soak
