// SPDX-License-Identifier: Apache-2.0
#include "gateway/event_text.h"

#include "gateway/log.h"

namespace espgate::gateway {

namespace {
// "site-a/net", "site-a", or the peer's address while nobody knows whose it is.
std::string subject(const ike::Event& event) {
  if (event.conn.empty()) return event.remote.text();
  return event.child.empty() ? event.conn : event.conn + "/" + event.child;
}

std::string because(const ike::Event& event) {
  if (!event.failure) return event.detail.empty() ? "" : ": " + event.detail;
  std::string out = ": ";
  if (!event.failure->step.empty()) out += event.failure->step + ": ";
  out += event.failure->text;
  if (!event.failure->peer_notify.empty()) out += " (the peer says " + event.failure->peer_notify + ")";
  return out + " [" + std::string(ike::code(event.failure->code)) + "]";
}

std::string detail(const ike::Event& event) { return event.detail.empty() ? "" : ": " + event.detail; }
}  // namespace

EventLine describe(const ike::Event& event) {
  using Kind = ike::Event::Kind;
  EventLine out;
  std::string text;
  switch (event.kind) {
    case Kind::ike_connecting:
      text = "connecting to " + event.remote.text() + detail(event);
      break;
    case Kind::ike_up:
      text = "IKE SA established with " + event.remote.text() + " from " + event.local.text() + detail(event);
      break;
    case Kind::ike_down:
      text = "IKE SA with " + event.remote.text() + " closed" + because(event);
      break;
    case Kind::ike_failed:
      out.severity = Severity::warning;
      out.limited = true;
      text = "IKE SA with " + event.remote.text() + " failed" + because(event);
      break;
    case Kind::child_up:
      text = "child SA up" + detail(event);
      break;
    case Kind::ike_resumed:
      text = "IKE SA with " + event.remote.text() + " goes on where a former espgated left it" + detail(event);
      break;
    case Kind::ike_rekeyed:
      text = "IKE SA with " + event.remote.text() + " rekeyed" + detail(event);
      break;
    case Kind::child_rekeyed:
      text = "child SA rekeyed" + detail(event);
      break;
    case Kind::rekey_failed:
      // That both sides were busy with the same SA is everyday life.
      out.severity = event.failure && event.failure->code == ike::Reason::busy ? Severity::debug : Severity::warning;
      text =
          std::string(event.child.empty() ? "IKE SA" : "child SA") + " not rekeyed, it is tried again" + because(event);
      break;
    case Kind::child_down:
      text = "child SA closed" + because(event);
      break;
    case Kind::child_failed:
      out.severity = Severity::warning;
      text = "child SA failed" + because(event);
      break;
    case Kind::peer_moved:
      text = "the peer's NAT has a new mapping" + detail(event) + "; its children are rekeyed";
      break;
    case Kind::peer_refused:
      out.severity = Severity::warning;
      out.limited = true;
      text = "request of " + event.remote.text() + " refused" + because(event);
      break;
    case Kind::dropped:
      out.severity = Severity::info;
      out.limited = true;
      text = "datagram ignored" + because(event);
      break;
  }
  out.text = printable(subject(event) + ": " + text, 1024);
  if (out.limited) out.key = event.failure ? std::string(ike::code(event.failure->code)) : "event";
  return out;
}

}  // namespace espgate::gateway
