// SPDX-License-Identifier: Apache-2.0
// What is known of the devices that offload could go to: what each took and what it refused, learned from probes and
// from real installations, as long as it is the same device with the same driver, firmware and kernel.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sad/placement.h"
#include "sad/probe.h"

namespace espgate::sad {

// What an answer depends upon beside the row: another driver may say something else.
struct DeviceIdentity {
  std::string driver, driver_version, firmware;  // as ethtool says; may be empty
  std::string kernel;                            // its release, as uname says
  bool operator==(const DeviceIdentity&) const = default;
};

// A device as the kernel shows it now.
struct DeviceFacts {
  std::string name;
  std::uint32_t ifindex = 0;
  bool up = false;
  DeviceIdentity identity;
  std::optional<bool> esp_hw_offload;  // the feature flag, a hint; none: the device never has it
};

enum class Learned : std::uint8_t { probe, install };
std::string_view to_string(Learned learned);  // "probe", "install"

struct DeviceEntry {
  ProbeRow row;
  ProbeAnswer answer;
  Learned learned = Learned::probe;
  bool cached = false;  // by a former run
  std::int64_t at = 0;  // epoch seconds
  bool operator==(const DeviceEntry&) const = default;
};

// A suite that the device takes and then gets wrong, as packets showed (sad/watch.h).
struct Distrust {
  base::EspSuite suite;  // without ESN
  xfrm::OffloadKind mode = xfrm::OffloadKind::crypto;
  std::optional<base::Direction> direction;  // none: not known which of the two
  std::string text;                          // what was seen: one sentence, without the device's name
  std::int64_t at = 0;                       // epoch seconds
  bool operator==(const Distrust&) const = default;
};

struct DeviceRecord {
  std::string name;
  DeviceIdentity identity;
  std::vector<DeviceEntry> entries;
  // SAs that it held when it refused one more for want of room; none: that never happened.
  std::optional<std::uint32_t> slots_in, slots_out;
  std::vector<Distrust> distrusted{};

  [[nodiscard]] const DeviceEntry* find(const ProbeRow& row) const;
  // nullptr: the device may be trusted with this suite, with or without ESN.
  [[nodiscard]] const Distrust* distrust(base::EspSuite suite, xfrm::OffloadKind mode) const;
  bool operator==(const DeviceRecord&) const = default;
};

// SAs of ours that a device holds.
struct Held {
  std::uint32_t in = 0, out = 0;
};

// So many free places a direction are never touched by a probe.
inline constexpr std::uint32_t kProbeHeadroom = 2;

// "nic0 gets aes128gcm16 wrong in crypto mode (in): ...; in software until `espgate offload forgive ...`".
std::string sentence(const std::string& device, const Distrust& distrust);

// Whether the answer tells of the device: a full table, a missing right or a device that is gone do not.
bool tells(const ProbeAnswer& answer);
// Suites of which the device takes the usual shape in both directions, as the plan has them; without ESN.
std::vector<base::EspSuite> suites_taken(const DeviceRecord& record, xfrm::OffloadKind mode);

// `takes`: an SA of whatever suite was taken in packet mode; `refuses`: the usual one was not.
PacketMode packet_mode(const DeviceRecord& record);

class DeviceTable {
 public:
  // At start: what a former self knew. Nothing is believed before follow() has seen that device.
  void adopt(std::vector<DeviceRecord> cached);
  // The devices there are now. What is known of one that has become another is dropped; a sentence for each.
  std::vector<std::string> follow(std::vector<DeviceFacts> facts);

  // Takes the answer, if it tells of the device. False: nothing that was not known, or no such device.
  bool learn(const std::string& device, const ProbeRow& row, ProbeAnswer answer, Learned learned, std::int64_t at);
  // Packets showed that it gets a suite wrong. False: that is known, or there is no such device.
  bool distrust(const std::string& device, Distrust what);
  // The device refused one more SA of this direction for want of room.
  void met_limit(const std::string& device, base::Direction direction, const Held& held);
  // A device that holds more than it was thought to have room for has more room.
  void holds(const std::string& device, const Held& held);
  // Drops what is known of a suite (its name without "-esn"; empty: of all, and of its room), and trusts the device
  // with it again. nullopt: no such device; else how many answers went, and verdicts.
  std::optional<std::size_t> forgive(const std::string& device, std::string_view suite);

  // nullptr: nothing is known, or the device is not there.
  [[nodiscard]] const DeviceRecord* find(const std::string& device) const;
  [[nodiscard]] const std::map<std::string, DeviceFacts>& devices() const { return facts_; }
  // For the cache: also of devices that are not there now.
  [[nodiscard]] std::vector<DeviceRecord> records() const;
  // Whether records() changed since the last call.
  bool take_changed();

 private:
  DeviceRecord* record(const std::string& device);

  std::map<std::string, DeviceFacts> facts_;
  std::map<std::string, DeviceRecord> records_;
  bool changed_ = false;
};

}  // namespace espgate::sad
