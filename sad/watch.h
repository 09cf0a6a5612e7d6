// SPDX-License-Identifier: Apache-2.0
// The watch: a device that takes an SA and then gets it wrong, or a peer's that does, while IKE is alive. Counts and
// time in, orders and lines for the log out; pure.
//
//                                  may try                     software
//   watching <----> suspicious ---TrySoftware---> leaving ------------------> trying
//      ^  an answer    | strict: said                | not promptly: CallOff     | changed: Convict ----> convicted
//      |               v                             v                           | perhaps: BackToHardware -> returning
//      +--- an hour -- backing_off <-----------------+                           | unchanged: BackToHardware
//                         ^                                                      v
//                         +------ it is well, or a minute passes -- looking <--- returning --- an hour -->
//                                                                      | fails again: Convict -> convicted
//   convicted --forgiven(): Again--> watching
//
// Evidence. Integrity failures of inbound packets: these do not happen by loss; with decryption in hardware our device
// is tried, with decryption in software nothing here can mend it, and it is said. Packets that go out in hardware while
// nothing comes in, for longer than was ever seen to end of itself: that may be a peer with nothing to say, so a child
// is tried once an hour at most, one child at a time of a device and suite, then fewer and fewer of them, and of a
// peer's children one. What is lost now and then is no evidence.
// A change that might be a coincidence (the rekey was slow, answers come late or few, some packets were good all along)
// is not believed before hardware was seen to fail a second time. A host that comes back in the very second in which
// its child reaches software is taken for a proof all the same.
//
// What it cannot see: packets that leave wrong while the peer sends of its own accord, and a share of them lost on the
// way out. The peer counts these; its watch says so, if it has one.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/rare.h"
#include "ike/api.h"
#include "sad/device_table.h"
#include "sad/placement.h"
#include "sad/watch_evidence.h"

namespace espgate::sad {

struct WatchConfig {
  base::Duration silence = std::chrono::seconds(3);  // without an answer, at least
  std::uint64_t unanswered = 8;                      // packets, too, of a child that was answered before
  std::uint64_t unanswered_ever = 5;                 // of one that never was
  unsigned patience = 5;                             // times that, if others like it are answered
  base::Duration trial = std::chrono::seconds(10);
  base::Duration longest = std::chrono::seconds(60);  // of trials that need more packets, and of second looks
  base::Duration prompt = std::chrono::seconds(2);    // a rekey that takes longer tells of the way to the peer
  base::Duration backoff = std::chrono::hours(1);
  base::Duration retry = std::chrono::minutes(1);  // after a trial that did not begin; of others of device and suite
};

// Of the SAs of one generation since they were installed, packets.
struct Reading {
  std::uint64_t out_hardware = 0, out_software = 0, in = 0;
  std::uint64_t failed = 0;  // inbound, by the integrity check
};

// Hold the child in software (Slots::hold), and rekey it.
struct TrySoftware {
  base::ChildId child;
  Placement why;
};
// Let it go (Slots::let_go), and rekey it.
struct BackToHardware {
  base::ChildId child;
};
// Let it go; a rekey is under way already.
struct CallOff {
  base::ChildId child;
};
// The device is wrong: to be remembered. The child, let go and rekeyed, then finds its place.
struct Convict {
  base::ChildId child;
  std::string device;
  Distrust what;  // without its time
};
// Rekey: what is known of the device has changed.
struct Again {
  base::ChildId child;
};
// A line for the log.
struct WatchSays {
  bool warning = true;
  std::string text;
};
using WatchOrder = std::variant<TrySoftware, BackToHardware, CallOff, Convict, Again, WatchSays>;
using WatchOrders = std::vector<WatchOrder>;

enum class WatchState : std::uint8_t {
  watching,
  suspicious,   // there is evidence; no trial yet
  leaving,      // for software, by a rekey
  trying,       // in software
  returning,    // to hardware
  looking,      // at hardware, a second time
  convicted,    // the device; the child goes where that leaves it
  backing_off,  // no trial for an hour
};

class Watch {
 public:
  explicit Watch(const WatchConfig& config = {}) : config_(config) {}

  // A generation is about to be installed towards this device (empty: none).
  void begins(const ike::ChildSpec& child, const std::string& device);
  void carried(base::Instant now, const Carried& what);
  void gone(const Gone& what);
  // A rekey that was ordered came to nothing.
  void failed(base::Instant now, base::ChildId child);

  // A trial is under way: rounds should come more often, four times a second.
  [[nodiscard]] bool busy() const;
  // Generations whose counts it wants: those in hardware, and those on trial.
  [[nodiscard]] std::vector<base::ChildId> wanted() const;
  // Generations in software, whose integrity failures alone are of interest.
  [[nodiscard]] std::vector<base::ChildId> in_software() const;
  void count(base::ChildId child, const Reading& reading);
  // After the counts, about once a second.
  WatchOrders round(base::Instant now);

  // The device is trusted again with this suite (its name without "-esn"; empty: with all).
  void forgiven(const std::string& device, std::string_view suite);

  [[nodiscard]] std::optional<WatchState> state(base::ChildId child) const;  // of its line; nullopt: not watched

 private:
  // Device, suite, mode: what a verdict is about.
  using Subject = std::tuple<std::string, std::string, xfrm::OffloadKind>;
  struct Generation {
    Reading last;
    bool up = false, hardware = false;
  };
  // What is known of a line that is, or was, in hardware.
  struct Hardware {
    std::optional<Subject> accused;  // of the trial, and since a conviction
    base::EspSuite accused_suite;
    Gaps gaps;
    Failures failing;
    Evidence evidence;
    Observed trial, again;
  };
  struct Line {
    base::Name conn, name, device, suite, shape;
    std::string peer;
    base::EspSuite esp;
    xfrm::OffloadKind mode = xfrm::OffloadKind::crypto;
    bool strict = false, automatic = false;
    std::map<base::ChildId, Generation> generations;
    std::optional<base::ChildId> newest;  // that is up
    bool hardware = false;                // where that one is
    Reason reason = Reason::none;         // why not in hardware
    WatchState state = WatchState::watching;
    base::Instant since{};
    base::Instant not_before{};            // the next trial
    std::optional<base::Instant> ordered;  // the last rekey, if it is not done
    bool second_look = false;              // of `returning`
    unsigned called_off = 0;               // trials in a row that did not begin
    Traffic held, soft;                    // since the last round; out of `held`: in hardware
    base::Rare<Hardware> hard;             // since the first of its generations that was in hardware
    base::Rare<Failures> failing_soft;     // since the first of them in software
    std::optional<base::Instant> complained_at;
    [[nodiscard]] std::string full_name() const { return conn.str() + "/" + name.str(); }
  };
  struct Spacing {
    base::Instant next{};
    base::Duration step{};
    const Line* busy = nullptr;
  };

  Line* line_of(base::ChildId child);
  static Subject subject(const Line& line) { return {line.device, line.suite, line.mode}; }
  static void enter(base::Instant now, Line& line, WatchState state);
  void step(base::Instant now, Line& line);
  void give_up(base::Instant now, Line& line);
  void watch(base::Instant now, Line& line);
  void wait_for_software(base::Instant now, Line& line);
  void judge_trial(base::Instant now, Line& line);
  void look_again(base::Instant now, Line& line);
  void await_hardware(base::Instant now, Line& line);
  void call_off(base::Instant now, Line& line, const std::string& why);
  void come_back(base::Instant now, Line& line, bool second_look);
  void end_trial(base::Instant now, Line& line);
  void free_subject(const Line& line);
  void convict(base::Instant now, Line& line);
  void complain(base::Instant now, Line& line);
  [[nodiscard]] std::optional<Evidence> weigh(base::Instant now, const Line& line) const;
  [[nodiscard]] bool alibi(base::Instant now, const Line& line) const;
  bool may_try(base::Instant now, const Line& line);
  void begin_trials(base::Instant now);
  void try_software(base::Instant now, Line& line);
  void say(bool warning, std::string text) { orders_.emplace_back(WatchSays{warning, std::move(text)}); }

  WatchConfig config_;
  std::map<base::ChildId, std::shared_ptr<Line>> by_id_;
  std::map<Subject, Spacing> spacing_;
  // A peer's children fall silent together: the next trial of one of them for that kind of evidence.
  std::map<std::tuple<std::string, Subject, Evidence::Kind>, base::Instant> peers_;
  // By shape of SA: when a child in hardware was last answered.
  std::map<std::string, base::Instant> answered_;
  std::vector<base::ChildId> again_;  // children to be rekeyed, some a round
  WatchOrders orders_;                // of this round
};

}  // namespace espgate::sad
