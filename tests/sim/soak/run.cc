// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/soak/run.h"

#include <fmt/core.h>
#include <malloc.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "tests/sim/soak/world.h"

namespace espgate::soak {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Octets that malloc has given out.
std::size_t heap_in_use() { return mallinfo2().uordblks + mallinfo2().hblkhd; }

std::size_t open_files() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

class Run {
 public:
  explicit Run(const RunOptions& options) : world_(options), options_(options) {}

  // Every rekey on time: with the default lifetimes a child has 54 to 60 minutes, an IKE SA 3.6 to 4 hours.
  RunResult play_hours() {
    keep_up();
    world_.calm();
    world_.lose(options_.loss);
    world_.run_until(world_.now + seconds(10));
    const auto end = world_.now + std::chrono::hours(options_.hours);
    world_.run_until(std::min(end, world_.now + std::chrono::hours(2)));
    auto& result = world_.result;
    result.heap_early = heap_in_use();
    result.files_early = open_files();
    world_.run_until(end);
    result.heap_late = heap_in_use();
    result.files_late = open_files();
    if (result.heap_late > result.heap_early + result.heap_early / 100) result.why = "the heap grew by more than 1 %";
    if (result.files_late != result.files_early) result.why = "files were left open";
    world_.calm();
    settle(end);
    judge();
    auto& a = world_.a;
    const auto hours = static_cast<std::uint64_t>(options_.hours);
    const auto children = a.events(ike::Event::Kind::child_rekeyed), ikes = a.events(ike::Event::Kind::ike_rekeyed);
    if (children < hours || ikes < hours / 4 || a.events(ike::Event::Kind::child_down) != 0) {
      world_.result.why = fmt::format("{} rekeys of the child, {} of the IKE SA in {} hours; down {} times", children,
                                      ikes, hours, a.events(ike::Event::Kind::child_down));
      world_.result.converged = false;
    }
    return world_.result;
  }

  RunResult play() {
    keep_up();
    world_.run_until(world_.now + seconds(5));
    // Faults and commands for a while, most of them close together: that is where they meet.
    const auto end = world_.now + seconds(40 + world_.below(80));
    auto next = world_.now;
    while (next < end) {
      next += world_.chance(50) ? milliseconds(world_.below(400)) : milliseconds(world_.below(20000));
      if (next < end) world_.at(next, [this] { command(); });
    }
    world_.run_until(end);
    world_.calm();
    settle(end);
    judge();
    return world_.result;
  }

 private:
  // What start_action = start does: the child is asked for as long as it is down. Once a second, with a's patience.
  void keep_up() {
    auto& a = world_.a;
    if (!a.up() && world_.now >= retry_at_) {
      retry_at_ = world_.now + seconds(5);
      a.command(world_.now, ike::Initiate{a.next_id(), "site", "net", {a.address(), 500}, {world_.b.address(), 500}});
    }
    world_.at(world_.now + seconds(1), [this] { keep_up(); });
  }

  void command() {
    const bool at_a = world_.chance(50);
    auto& gate = at_a ? world_.a : world_.b;
    const auto id = gate.next_id();
    const auto what = world_.below(100);
    if (world_.chance(15)) world_.map_anew();
    const char* name = what < 45 ? "rekey child" : what < 80 ? "rekey ike" : what < 92 ? "delete child" : "delete ike";
    world_.trace(fmt::format("{} {}", at_a ? "a" : "b", name));
    if (what < 45) return gate.command(world_.now, ike::Rekey{id, "site", "net", {}, {}});
    if (what < 80) return gate.command(world_.now, ike::Rekey{id, "site", {}, {}, {}});
    gate.command(world_.now, ike::Terminate{id, "site", what < 92 ? "net" : "", {}, {}, false});
  }

  // Looks each second when both ends came to agree for good; some seconds more show whether it lasts.
  void settle(Instant end) {
    std::optional<Instant> since;
    while (world_.now < end + seconds(330)) {
      world_.run_until(world_.now + seconds(1));
      if (!world_.settled()) {
        since.reset();
      } else if (!since) {
        since = world_.now;
      }
      if (since && world_.now >= *since + seconds(40)) break;
    }
    world_.result.converged = since && *since <= end + seconds(300);
    world_.result.virtual_s = std::chrono::duration<double>((since ? *since : world_.now) - end).count();
  }

  void judge() {
    auto& result = world_.result;
    for (auto* gate : {&world_.a, &world_.b}) {
      result.orphan_sas += gate->orphans(world_.now);
      result.rekeys += gate->events(ike::Event::Kind::child_rekeyed) + gate->events(ike::Event::Kind::ike_rekeyed);
      if (gate->kernel.outbound_keys_reused() != 0) result.why = "an outbound key was installed twice";
    }
    if (result.lost != 0 && result.why.empty()) result.why = "packets were lost by a rekey";
    if (result.two_generations_s > 60 && result.why.empty()) result.why = "two generations lived too long";
    if (result.lost != 0 || !result.why.empty()) result.converged = false;
  }

  World world_;
  RunOptions options_;
  Instant retry_at_{};
};

}  // namespace

RunResult run(const RunOptions& options) {
  return options.hours != 0 ? Run(options).play_hours() : Run(options).play();
}

}  // namespace espgate::soak
