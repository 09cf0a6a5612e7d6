// SPDX-License-Identifier: Apache-2.0
// The joined SA table: one row per child SA, both directions, with what BPF counted, what the kernel says and what only
// the daemon knows. Every renderer (text, JSON, Prometheus) reads these values and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/esp.h"
#include "base/ids.h"

namespace espgate::control::report {

// Packets are ESP packets on the wire (a GSO batch counts its segments); bytes are octets after decapsulation.
struct Count {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Count&) const = default;
};

// What the packets say, whatever the device claims to hold.
enum class Effective : std::uint8_t { idle, hw, mixed, sw };
std::string_view to_string(Effective effective);  // "idle", "hw", "mixed", "sw"

struct Errors {
  std::uint64_t integrity = 0;
  std::uint64_t replay = 0;
  std::uint64_t other = 0;
};

// One direction of a child: D of the JSON schema.
struct Side {
  base::Spi spi;
  base::Address src, dst;
  base::OffloadWanted wanted = base::OffloadWanted::no;
  base::OffloadActual actual = base::OffloadActual::none;
  std::string device;       // that holds the SA; empty if none does
  std::string reason_code;  // closed; set whenever actual is less than wanted
  std::string reason;       // the sentence, with the driver's words
  Count hw, sw;             // since this SPI was installed
  bool exact = false;
  std::optional<Count> kernel;  // GETSA's verbatim; none if it was not asked or has no such SA
  bool in_kernel = true;        // false: the ledger has it, and the kernel, asked, does not
  Errors errors;
  std::uint32_t slot = 0, generation = 0;  // where BPF counts it
  std::uint64_t netns = 0;                 // SO_NETNS_COOKIE of its namespace; 0: not known

  [[nodiscard]] Effective effective() const;
  [[nodiscard]] bool less_than_wanted() const;
};

struct ChildRow {
  std::string conn, child;
  base::ChildUid uid;
  base::SaMode mode = base::SaMode::tunnel;
  std::string suite;  // strongSwan's words, without "-esn"
  bool esn = false;
  bool encap = false;
  std::optional<Side> in, out;  // none: not installed (yet, or any more)
  // What only the daemon knows; none while it is down.
  std::optional<std::uint64_t> unique_id;
  std::optional<std::string> state;                                  // "INSTALLED", ...
  std::optional<std::int64_t> established_at, rekey_at, expires_at;  // epoch seconds

  // Both SAs are in the ledger and, where the kernel was asked, in the kernel.
  [[nodiscard]] bool up() const;
};

struct SaTable {
  std::vector<ChildRow> rows;      // by conn, child, then age
  std::vector<std::string> notes;  // for stderr: what could not be read, and what that means
};

// Keep only rows of this connection ("conn" or "conn/child"), with this SPI, on this device.
struct SaFilter {
  std::optional<std::string> name = {};
  std::optional<base::Spi> spi = {};
  std::optional<std::string> device = {};
};
void keep(SaTable& table, const SaFilter& filter);

// Whether "conn" or "conn/child" names this child.
bool names(std::string_view name, std::string_view conn, std::string_view child);

}  // namespace espgate::control::report
