// SPDX-License-Identifier: Apache-2.0
// Everything a renderer may show, as read at one moment. Each part says where it comes from; a part that could not be
// read is empty, and `SaTable::notes` says why.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/report/table.h"

namespace espgate::control::report {

// From the maps: what a configured child carried since counting began, all SAs it ever had. Never falls.
struct ChildTotal {
  std::string conn, child;
  base::ChildUid uid;
  std::array<Count, 2> hw, sw;  // by base::Direction
};

// From the maps: packets of an offloaded SA that software carried, by the reason's closed code.
struct FallbackCount {
  std::string device, reason;
  std::uint64_t packets = 0;
};

// From the maps: what the classifier saw on a device.
struct ClassCount {
  std::string device, packet_class, verdict;
  Count count;
};

// From the maps: what the shield did on a device.
struct ShieldCount {
  std::string device;
  std::string event;  // closed: "cookie-sent", "cookie-good", ...
  std::uint64_t packets = 0;
};

// Over vici: what is wrong with a connection, as the engine said it.
struct LastError {
  std::int64_t at = 0;  // epoch seconds
  std::string step;     // "IKE_AUTH", "install", ...
  std::string code;     // closed
  std::string text;
  std::string peer_notify;  // RFC name; empty if the peer sent none
};

// Over vici: a configured child and what became of it.
struct ConnRow {
  std::string conn, child;
  std::string state;   // "up", "down", "connecting", ...
  std::string origin;  // "FILE:LINE" or "vici"
  std::optional<LastError> last_error;
  std::optional<std::int64_t> next_try_at;  // epoch seconds
  std::uint64_t attempts = 0;
  std::optional<std::int64_t> changed_at{};       // epoch seconds; none: not since the daemon started
  std::optional<std::int64_t> cert_expires_at{};  // epoch seconds: the first of our certificates for it
};

// Over vici: an IKE SA.
struct IkeRow {
  std::uint64_t unique_id = 0;
  std::string conn, state, role;  // role: "initiator", "responder"
  std::string local, remote;      // "192.0.2.1:500"
  std::string local_id, remote_id;
  std::string spi_i, spi_r;  // 16 hex digits each
  std::string suite;         // "AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519"
  bool nat_local = false, nat_remote = false;
  std::optional<std::int64_t> established_at, rekey_at;  // epoch seconds
  std::uint64_t children = 0;
};

// Over vici: a child SA as the daemon knows it. Joined to the maps' rows by the inbound SPI and our address, which no
// two SAs of one kernel share.
struct DaemonChild {
  ChildRow row;  // counts in it are zero
  std::optional<base::Spi> spi_in, spi_out;
};

// All that the daemon told.
struct DaemonView {
  std::string version;
  std::vector<DaemonChild> children;
  std::vector<IkeRow> ikes;
  std::vector<ConnRow> conns;
  std::map<std::string, std::uint64_t> rejected;  // by reason: datagrams and requests that came to nothing
  struct Moves {
    std::uint64_t promoted = 0, demoted = 0;
  };
  std::map<std::string, Moves> moves;  // by device: children moved to hardware, to software
  struct Exchange {
    std::string exchange, role, result;  // closed words, see ike/tally.h
    std::uint64_t count = 0;
  };
  std::vector<Exchange> exchanges{};
  std::uint64_t retransmits = 0;
  std::optional<bool> config_taken{};            // the last time the configuration was read
  std::map<std::string, std::uint64_t> rooms{};  // by device: SAs that it is known to have room for, both directions
};

struct Report {
  SaTable sas;
  std::vector<ChildTotal> totals;
  std::vector<FallbackCount> fallbacks;
  std::vector<ClassCount> classes;
  std::vector<ShieldCount> shield;
  std::optional<DaemonView> daemon;  // none: it does not answer
};

}  // namespace espgate::control::report
