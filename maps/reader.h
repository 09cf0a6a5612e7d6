// SPDX-License-Identifier: Apache-2.0
// Reads the pinned maps, with or without the daemon. Writes nothing, but needs the right to (root): the kernel maps
// arrays into memory of those only. SAs and counters are read there, without a system call for each.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "maps/abi.h"
#include "maps/record.h"

namespace espgate::maps {

inline constexpr const char* default_bpffs = "/sys/fs/bpf";

// Counts of one SA, or of a child and direction. Packets on the wire, octets after decapsulation.
struct Counts {
  std::uint64_t hw_packets = 0, hw_bytes = 0, sw_packets = 0, sw_bytes = 0;
  std::array<std::uint64_t, ESPGATE_FB_COUNT> fallback{};  // packets by espgate_fallback; tells of sw_packets only
  Counts& operator+=(const Counts& other);
  bool operator==(const Counts&) const = default;
};

// Code of a fallback reason, as labels and JSON show it: "not-held", ...; "unknown" outside of the enumeration.
const char* fallback_code(unsigned fallback);
const char* class_name(unsigned class_);        // "ike", "natt-keepalive", ... as the interface names them
const char* shield_event_name(unsigned event);  // "cookie-sent", "cookie-good", ...
const char* verdict_name(unsigned verdict);     // "pass", "drop", "tx", "redirect"
const char* xdp_mode_name(unsigned xdp_mode);   // "none", "native", "generic", "dispatcher"

struct SaRow {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  SaRecord sa;
  Counts counts;
  bool exact = false;  // counted by the exact hooks
};

struct ChildTotal {
  base::ChildUid uid;
  std::string conn, child;
  std::string device;            // that its SAs were last wanted on; empty: on none yet
  std::array<Counts, 2> folded;  // by base::Direction: retired SAs only; add the live rows' counts
  std::array<std::uint64_t, 2> sas{};
  // The SA folded last: if it still is in sas(), its counts are in `folded` already. Generation 0: none.
  std::array<std::uint32_t, 2> last_slot{}, last_generation{};
  bool operator==(const ChildTotal&) const = default;
};

// An entry of child_total, whatever is in it.
ChildTotal from_abi(std::uint64_t uid, const espgate_child_total& total);

struct ClassRow {
  std::uint32_t ifindex = 0;
  std::string device;  // as it was called when attached; empty if not attached now
  unsigned class_ = 0, verdict = 0;
  std::uint64_t packets = 0, bytes = 0;
};

// What the shield did on a device: packets by espgate_shield_event.
struct ShieldRow {
  std::uint32_t ifindex = 0;
  std::string device;  // as it was called when attached; empty if not attached now
  std::array<std::uint64_t, ESPGATE_SHIELD_EVENT_COUNT> events{};
};

struct FlowRow {
  espgate_flow_key key{};
  espgate_flow_value value{};
  base::Address src, dst;
};

struct DeviceRow {
  std::uint32_t ifindex = 0;
  std::string name;
  espgate_device device{};
};

class Reader {
 public:
  // `bpffs`: where bpffs is mounted; the maps are in `<bpffs>/espgate`. ENOENT: nothing is pinned there (no daemon has
  // run); EPROTO: pinned by another version, the detail names both.
  static base::Result<Reader> open(const std::string& bpffs = default_bpffs);

  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;
  ~Reader();

  [[nodiscard]] const espgate_meta& meta() const;  // as it was when opened
  [[nodiscard]] std::vector<SaRow> sas() const;    // in use, by slot
  [[nodiscard]] std::size_t sas_in_use() const;
  [[nodiscard]] std::optional<SaRow> sa(std::uint32_t slot) const;
  [[nodiscard]] Counts counts(std::uint32_t slot, std::uint32_t generation) const;
  [[nodiscard]] std::map<std::uint32_t, PolicyRecord> policies() const;  // in use, by index
  [[nodiscard]] std::vector<ChildTotal> totals() const;
  [[nodiscard]] std::vector<ClassRow> classes() const;
  [[nodiscard]] std::vector<ShieldRow> shield() const;               // by device, those with counts
  [[nodiscard]] std::optional<espgate_shield> shield_rules() const;  // as they are now; nullopt if they cannot be read
  [[nodiscard]] std::vector<FlowRow> flows() const;
  [[nodiscard]] std::vector<DeviceRow> devices() const;

 private:
  struct Impl;
  explicit Reader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace espgate::maps
