// SPDX-License-Identifier: Apache-2.0
// What happens to SAs, as strongSwan's clients are told of it.
#include <algorithm>
#include <utility>

#include "control/vici/commands.h"

namespace espgate::control::vici {
namespace {

// The section that sa_message() makes, alone.
Message body_of(const ike::IkeView& view, const Daemon& daemon) {
  auto message = sa_message(view, daemon);
  return message.entries().front().section();
}

// Only the child that it is about.
ike::IkeView with_child(ike::IkeView view, base::ChildId id) {
  std::erase_if(view.children, [&](const auto& child) { return child.id != id; });
  return view;
}

// Without its children, not even an empty list of them.
Message ike_updown(const ike::IkeView& view, const Daemon& daemon, bool up) {
  Message out, body;
  if (up) out.set("up", "yes");
  const auto whole = body_of(view, daemon);
  for (const auto& entry : whole.entries()) {
    if (entry.kind == Message::Kind::value) body.set(entry.name, entry.text);
  }
  return out.section(view.conn, std::move(body));
}

Message ike_rekey(const ike::Event& event, const Daemon& daemon) {
  Message out, both;
  auto old = *event.view;
  old.id = event.former_ike;
  old.children.clear();
  both.section("old", body_of(old, daemon));
  both.section("new", body_of(*event.view, daemon));
  out.section(event.conn, std::move(both));
  return out;
}

// The IKE SA with one entry among its child-sas, of the child's name, with `old` and `new` in it.
Message child_rekey(const ike::Event& event, const Daemon& daemon) {
  const auto child_of = [&](base::ChildId id) {
    const auto body = body_of(with_child(*event.view, id), daemon);
    const auto* children = body.find("child-sas");
    return children != nullptr && !children->entries().empty() ? children->entries().front().section() : Message();
  };
  auto view = *event.view;
  view.children.clear();
  const auto without = body_of(view, daemon);
  Message body;
  for (const auto& entry : without.entries()) {
    if (entry.kind != Message::Kind::section) body.set(entry.name, without.text(entry.name));
  }
  auto& pair = body.open("child-sas").open(event.child);
  pair.section("old", child_of(event.former_child));
  pair.section("new", child_of(event.child_id));
  Message out;
  out.section(event.conn, std::move(body));
  return out;
}

}  // namespace

Message log_message(const LogEvent& line) {
  Message out;
  out.set("group", line.group).number("level", line.level).number("thread", 0);
  if (!line.conn.empty()) out.set("ikesa-name", line.conn);
  if (line.ike.value != 0) out.number("ikesa-uniqueid", line.ike.value);
  return out.set("msg", line.text);
}

std::optional<std::string_view> event_name(const ike::Event& event) {
  using Kind = ike::Event::Kind;
  if (!event.view) return std::nullopt;
  switch (event.kind) {
    case Kind::ike_up:
    case Kind::ike_down:
      return "ike-updown";
    case Kind::child_up:
    case Kind::child_down:
      return "child-updown";
    case Kind::ike_rekeyed:
      return "ike-rekey";
    case Kind::child_rekeyed:
      return "child-rekey";
    default:
      return std::nullopt;
  }
}

std::optional<NamedMessage> event_message(const ike::Event& event, const Daemon& daemon) {
  using Kind = ike::Event::Kind;
  const auto name = event_name(event);
  if (!name) return std::nullopt;
  NamedMessage out{std::string(*name), {}};
  switch (event.kind) {
    case Kind::ike_up:
    case Kind::ike_down:
      out.message = ike_updown(*event.view, daemon, event.kind == Kind::ike_up);
      break;
    case Kind::ike_rekeyed:
      out.message = ike_rekey(event, daemon);
      break;
    case Kind::child_rekeyed:
      out.message = child_rekey(event, daemon);
      break;
    default:
      out.message = updown_message(with_child(*event.view, event.child_id), daemon, event.kind == Kind::child_up);
      break;
  }
  return out;
}

}  // namespace espgate::control::vici
