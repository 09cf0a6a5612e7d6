// SPDX-License-Identifier: Apache-2.0
// The daemon's probing: which SA is tried next, and when. It takes its time, gives way to children that are being
// established or healed, leaves free places alone, and asks for nothing that is known already. Pure: it says what to
// try, somebody else tries it.
//
//   UNSUITED   no feature esp-hw-offload: not tried
//   WAITING -> TRYING -> DONE        every row of the plan is known
//                    |-> PRUNED      the usual SA is silently software: a device without ESP offload
//                    |-> FULL        rows are left that need a free place; looked at again now and then
//                    +-> FAILED      an error that tells nothing of the device; tried again now and then
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "sad/device_table.h"
#include "sad/sad.h"

namespace espgate::sad {

enum class ProbeState : std::uint8_t { unsuited, waiting, trying, done, pruned, full, failed };
std::string_view to_string(ProbeState state);  // "unsuited", ...

// By device name; one that is not there holds none.
using HeldByDevice = std::map<std::string, Held>;

class DeviceProbe {
 public:
  struct Pace {
    base::Duration start = std::chrono::seconds(5);           // after begin()
    base::Duration between = std::chrono::milliseconds(100);  // two SAs
    base::Duration quiet = std::chrono::seconds(1);           // after the last disturbed()
    base::Duration again = std::chrono::seconds(30);          // a full table or an error is looked at again
  };
  struct Step {
    std::string device;
    std::uint32_t ifindex = 0;
    ProbeRow row;
  };

  explicit DeviceProbe(DeviceTable& table) : DeviceProbe(table, Pace{}) {}
  DeviceProbe(DeviceTable& table, Pace pace) : table_(table), pace_(pace) {}

  void begin(base::Instant now);
  // The table's devices changed, or answers were dropped.
  void follow(base::Instant now);
  // Whether anything may be tried at all; it may unless said otherwise.
  void allow(bool on) { allowed_ = on; }
  // A child is being established, rekeyed or healed.
  void disturbed(base::Instant now);

  // When next() may have something; nullopt: never, until one of the calls above.
  [[nodiscard]] std::optional<base::Instant> due() const { return due_; }
  // What to try now, if anything; answered() must follow. The caller deletes the SA.
  std::optional<Step> next(base::Instant now, const HeldByDevice& held);
  void answered(base::Instant now, const Step& step, ProbeAnswer answer, const Held& held, std::int64_t wall_clock);

  // A device is half tried: its order of suites is not settled.
  [[nodiscard]] bool in_between() const;
  [[nodiscard]] ProbeState state(const std::string& device) const;
  // One sentence, for `offload show`.
  [[nodiscard]] std::string text(const std::string& device) const;
  std::vector<Notice> take_notices();

 private:
  struct Progress {
    ProbeState state = ProbeState::waiting;
    std::size_t tried = 0;  // in this run
    std::optional<base::Instant> not_before;
    std::string why;                   // of full and failed
    bool begun = false, told = false;  // said: that it begins; that it is full, or fails
  };
  std::optional<Step> step_for(base::Instant now, const DeviceFacts& device, Progress& progress, const Held& held);
  [[nodiscard]] bool short_of(const DeviceRecord* known, base::Direction direction, const Held& held) const;
  void settle(const DeviceFacts& device, Progress& progress, ProbeState state);
  void hold(base::Instant now, const std::string& device, Progress& progress, ProbeState state, std::string why);
  void say(Notice::Level level, std::string text);
  void arm(base::Instant at);

  DeviceTable& table_;
  Pace pace_;
  std::vector<ProbeRow> plan_ = probe_plan();
  std::map<std::string, Progress> progress_;
  std::optional<base::Instant> due_;
  std::optional<base::Instant> not_before_;  // none: begin() was not called
  bool allowed_ = true;
  std::vector<Notice> notices_;
};

}  // namespace espgate::sad
