// SPDX-License-Identifier: Apache-2.0
// Configured connections as messages.
#include <fmt/format.h>

#include "control/vici/command_parts.h"

namespace espgate::control::vici {
namespace {

std::vector<std::string> or_any(const std::vector<std::string>& addresses) {
  return addresses.empty() ? std::vector<std::string>{"%any"} : addresses;
}

std::vector<std::string> configured_texts(const std::vector<ike::TsConfig>& selectors) {
  std::vector<std::string> out;
  for (const auto& [dynamic, ts] : selectors) {
    const auto text = selector_text(ts);
    const auto bracket = text.find('[');
    out.push_back(!dynamic ? text : "dynamic" + (bracket == std::string::npos ? "" : text.substr(bracket)));
  }
  return out;
}

std::vector<std::string> proposal_texts(const std::vector<ike::Proposal>& proposals) {
  std::vector<std::string> out;
  for (const auto& proposal : proposals) out.push_back(proposal.text());
  return out;
}

std::string_view text_of(ike::Unique unique) {
  switch (unique) {
    case ike::Unique::never:
      return "UNIQUE_NEVER";
    case ike::Unique::replace:
      return "UNIQUE_REPLACE";
    case ike::Unique::keep:
      return "UNIQUE_KEEP";
    case ike::Unique::no:
      break;
  }
  return "UNIQUE_NO";
}

std::string_view text_of(ike::StartAction action) {
  switch (action) {
    case ike::StartAction::start:
      return "start";
    case ike::StartAction::trap_start:
      return "trap | start";
    case ike::StartAction::trap:
      return "trap";
    case ike::StartAction::none:
      break;
  }
  return "none";
}

// strongSwan's keys in its order, then ours.
Message child_config(const ike::ChildConfig& child, std::string_view mode) {
  Message out;
  out.set("mode", mode);
  out.number("rekey_time", child.time.rekey).number("rekey_bytes", child.bytes.rekey);
  out.number("rekey_packets", child.packets.rekey);
  out.set("dpd_action", text_of(child.dpd_action)).set("close_action", text_of(child.close_action));
  out.list("local-ts", configured_texts(child.local_ts)).list("remote-ts", configured_texts(child.remote_ts));
  out.list("esp_proposals", proposal_texts(child.esp_proposals));
  return out.set("start_action", text_of(child.start_action)).set("hw_offload", base::to_string(child.offload));
}

// strongSwan lists what it makes of them.
std::string_view text_of(ike::crypto::Revocation revocation) {
  return revocation == ike::crypto::Revocation::strict ? "GOOD" : "SKIPPED";
}

Message round(const ike::AuthConfig& auth, const ConnOrigin::Side& side) {
  Message out;
  const auto& first_cert = side.certs.empty() ? std::string() : side.certs.front();
  const auto id = auth.id.type != ike::IdType::any ? auth.id.text() : side.id.empty() ? first_cert : side.id;
  if (!id.empty()) out.set("id", id);
  if (side.auth) out.set("class", auth.method == ike::AuthMethod::psk ? "pre-shared key" : "public key");
  if (auth.revocation != ike::crypto::Revocation::relaxed) out.set("revocation", text_of(auth.revocation));
  return out.list("groups", {}).list("cert_policy", {}).list("certs", side.certs).list("cacerts", side.cas);
}

void put_children(Message& out, const ike::ConnConfig& conn, const ConnOrigin& origin) {
  auto protect = conn.children.begin();
  auto shunt = origin.shunts.begin();
  for (std::size_t i = 0; i < conn.children.size() + origin.shunts.size(); ++i) {
    if (shunt != origin.shunts.end() && shunt->position == i) {
      out.section(shunt->child.name,
                  child_config(shunt->child, shunt->treatment == sad::Treatment::pass ? "PASS" : "DROP"));
      ++shunt;
    } else if (protect != conn.children.end()) {
      const auto* mode = protect->mode == base::SaMode::tunnel ? "TUNNEL" : "TRANSPORT";
      out.section(protect->name, child_config(*protect, mode));
      ++protect;
    }
  }
}

}  // namespace

Message conn_message(const ike::ConnConfig& conn, const ConnOrigin& origin) {
  Message body;
  body.list("local_addrs", or_any(origin.local_addrs)).list("remote_addrs", or_any(origin.remote_addrs));
  body.set("version", "IKEv2").number("reauth_time", conn.reauth).number("rekey_time", conn.time.rekey);
  body.set("unique", text_of(conn.unique));
  const auto dpd = std::chrono::duration_cast<std::chrono::seconds>(conn.dpd_delay).count();
  if (dpd > 0) body.number("dpd_delay", static_cast<std::uint64_t>(dpd));
  if (conn.ppk_id) body.set("ppk_id", conn.ppk_id->text());
  if (conn.ppk_required) body.set("ppk_required", "yes");
  body.section("local-1", round(conn.local, origin.local)).section("remote-1", round(conn.remote, origin.remote));
  put_children(body.open("children"), conn, origin);
  body.number("local_port", conn.local_port).number("remote_port", conn.remote_port);
  body.list("proposals", proposal_texts(conn.proposals));
  return Message().section(conn.name, std::move(body));
}

Message status_message(const ConnStatus& status) {
  Message out;
  out.set("conn", status.conn);
  if (!status.child.empty()) out.set("child", status.child);
  out.set("state", status.state).set("origin", status.origin.text());
  out.number("attempts", status.attempts);
  if (status.next_try_at) out.set("next-try-at", std::to_string(*status.next_try_at));
  if (status.changed_at) out.set("changed-at", std::to_string(*status.changed_at));
  if (status.cert_expires_at) out.set("cert-expires-at", std::to_string(*status.cert_expires_at));
  if (status.last_error) {
    const auto& [at, failure] = *status.last_error;
    auto& error = out.open("last-error");
    error.set("at", std::to_string(at)).set("step", failure.step).set("code", ike::code(failure.code));
    error.set("text", failure.text);
    if (!failure.peer_notify.empty()) error.set("peer-notify", failure.peer_notify);
  }
  return out;
}

}  // namespace espgate::control::vici
