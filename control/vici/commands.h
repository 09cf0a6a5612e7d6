// SPDX-License-Identifier: Apache-2.0
// The commands espgated answers over vici: strongSwan's, by its names and keys, and our own (docs/vici.md).
#pragma once

#include <optional>
#include <string>

#include "control/vici/daemon.h"
#include "control/vici/server.h"

namespace espgate::control::vici {

// Fills `server` with every command and event. `daemon` must outlive it.
void add_commands(Server& server, Daemon& daemon);

// The messages themselves, for events and tests.
Message sa_message(const ike::IkeView& ike, const Daemon& daemon);               // of a list-sa event
Message conn_message(const ike::ConnConfig& conn, const ConnOrigin& origin);     // of a list-conn event
Message updown_message(const ike::IkeView& ike, const Daemon& daemon, bool up);  // ike-updown, child-updown
struct NamedMessage {
  std::string name;
  Message message;
};
// What strongSwan's clients are told of it: ike-updown, child-updown, ike-rekey, child-rekey; nullopt: nothing. Its
// name alone is had for less.
std::optional<std::string_view> event_name(const ike::Event& event);
std::optional<NamedMessage> event_message(const ike::Event& event, const Daemon& daemon);
// A line of the daemon's log, as a `log` event has it.
struct LogEvent {
  std::string group;   // "IKE": of a connection; "DMN": of the daemon
  unsigned level = 1;  // 0 to 2
  std::string conn;
  base::IkeId ike;
  std::string text;
};
Message log_message(const LogEvent& line);
Message child_message(const ike::IkeView& ike, const ike::ChildView& child, const Daemon& daemon);  // espgate-child
Message device_message(const DeviceReport& report);                                                 // espgate-device
Message status_message(const ConnStatus& status);                                                   // espgate-conn

}  // namespace espgate::control::vici
