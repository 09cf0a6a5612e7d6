// SPDX-License-Identifier: Apache-2.0
#include "control/report/daemon.h"
#include "control/report/device_known.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

namespace espgate::control::report {
namespace {

using vici::Message;

template <class T>
std::optional<T> number(const Message& message, std::string_view key) {
  const auto text = message.get(key);
  T value{};
  if (!text) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end != text->data() + text->size()) return std::nullopt;
  return value;
}

bool yes(const Message& message, std::string_view key) { return message.get(key) == "yes"; }

std::uint64_t count(const Message& message, std::string_view key) {
  return number<std::uint64_t>(message, key).value_or(0);
}

template <class F>
void each_section(const Message& message, F&& use) {
  for (const auto& entry : message.entries()) {
    if (entry.kind == Message::Kind::section) use(entry.name, entry.section());
  }
}

base::OffloadWanted wanted_of(std::string_view text) {
  for (const auto each : {base::OffloadWanted::automatic, base::OffloadWanted::crypto, base::OffloadWanted::packet}) {
    if (text == base::to_string(each)) return each;
  }
  return base::OffloadWanted::no;
}

base::OffloadActual actual_of(std::string_view text) {
  for (const auto each : {base::OffloadActual::crypto, base::OffloadActual::packet}) {
    if (text == base::to_string(each)) return each;
  }
  return base::OffloadActual::none;
}

Side side_of(const Message& child, base::Direction direction) {
  const bool in = direction == base::Direction::in;
  Side side;
  side.spi = base::Spi::parse(child.text(in ? "spi-in" : "spi-out")).value_or(base::Spi{});
  side.src = base::Address::parse(child.text(in ? "remote" : "local")).value_or(base::Address{});
  side.dst = base::Address::parse(child.text(in ? "local" : "remote")).value_or(base::Address{});
  side.wanted = wanted_of(child.text("wanted"));
  const Message* facts = child.find(base::to_string(direction));
  if (facts == nullptr) return side;
  side.actual = actual_of(facts->text("actual"));
  side.device = facts->text("device");
  side.reason_code = facts->text("reason-code");
  side.reason = facts->text("reason");
  side.hw = {count(*facts, "hw-packets"), count(*facts, "hw-bytes")};
  side.sw = {count(*facts, "sw-packets"), count(*facts, "sw-bytes")};
  side.exact = yes(*facts, "exact");
  return side;
}

DaemonChild child_of(const Message& message) {
  DaemonChild child;
  ChildRow& row = child.row;
  row.conn = message.text("conn");
  row.child = message.text("child");
  row.uid = base::ChildUid::of(row.conn, row.child);
  row.mode =
      message.get("mode") == base::to_string(base::SaMode::transport) ? base::SaMode::transport : base::SaMode::tunnel;
  row.suite = message.text("suite");
  if (row.suite.ends_with("-esn")) row.suite.resize(row.suite.size() - 4);
  row.esn = yes(message, "esn");
  row.encap = yes(message, "encap");
  row.in = side_of(message, base::Direction::in);
  row.out = side_of(message, base::Direction::out);
  row.unique_id = number<std::uint64_t>(message, "unique-id");
  row.state = message.text("state");
  row.established_at = number<std::int64_t>(message, "established-at");
  row.rekey_at = number<std::int64_t>(message, "rekey-at");
  row.expires_at = number<std::int64_t>(message, "expires-at");
  child.spi_in = base::Spi::parse(message.text("spi-in"));
  child.spi_out = base::Spi::parse(message.text("spi-out"));
  return child;
}

std::optional<LastError> error_of(const Message& conn) {
  const Message* error = conn.find("last-error");
  if (error == nullptr) return std::nullopt;
  return LastError{number<std::int64_t>(*error, "at").value_or(0), error->text("step"), error->text("code"),
                   error->text("text"), error->text("peer-notify")};
}

std::string endpoint(const Message& ike, const std::string& end) {
  const auto address = base::Address::parse(ike.text(end + "-host"));
  const auto port = number<std::uint16_t>(ike, end + "-port");
  if (!address) return ike.text(end + "-host");
  return base::Endpoint{*address, port.value_or(0)}.text();
}

// "AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519/KE1_ML_KEM_768": what there is of it, as strongSwan prints it.
std::string suite_of(const Message& ike) {
  std::string suite = ike.text("encr-alg");
  if (const auto bits = ike.get("encr-keysize")) suite += fmt::format("-{}", *bits);
  for (const auto* key : {"integ-alg", "prf-alg", "dh-group"}) {
    if (const auto text = ike.get(key)) suite += fmt::format("/{}", *text);
  }
  for (int place = 1; place <= 7; ++place) {
    if (const auto text = ike.get(fmt::format("ake{}", place))) suite += fmt::format("/KE{}_{}", place, *text);
  }
  return suite;
}

std::uint64_t sections_in(const Message* message) {
  std::uint64_t sections = 0;
  if (message != nullptr) each_section(*message, [&](const std::string&, const Message&) { ++sections; });
  return sections;
}

}  // namespace

std::vector<IkeRow> ike_rows(const Message& list_sa_event, std::int64_t now) {
  std::vector<IkeRow> rows;
  each_section(list_sa_event, [&](const std::string& name, const Message& ike) {
    IkeRow row;
    row.conn = name;
    row.unique_id = count(ike, "uniqueid");
    row.state = ike.text("state");
    row.role = yes(ike, "initiator") ? "initiator" : "responder";
    row.local = endpoint(ike, "local");
    row.remote = endpoint(ike, "remote");
    row.local_id = ike.text("local-id");
    row.remote_id = ike.text("remote-id");
    row.spi_i = ike.text("initiator-spi");
    row.spi_r = ike.text("responder-spi");
    row.suite = suite_of(ike);
    row.nat_local = yes(ike, "nat-local");
    row.nat_remote = yes(ike, "nat-remote");
    // vici gives ages; a moment does not change from one call to the next.
    if (const auto age = number<std::int64_t>(ike, "established")) row.established_at = now - *age;
    if (const auto left = number<std::int64_t>(ike, "rekey-time")) row.rekey_at = now + *left;
    row.children = sections_in(ike.find("child-sas"));
    rows.push_back(std::move(row));
  });
  return rows;
}

std::map<std::string, std::uint64_t> rejected_of(const Message& stats) {
  std::map<std::string, std::uint64_t> out;
  if (const Message* rejected = stats.find("rejected")) {
    for (const auto& entry : rejected->entries()) out[entry.name] = count(*rejected, entry.name);
  }
  return out;
}

std::map<std::string, DaemonView::Moves> moves_of(const Message& stats) {
  std::map<std::string, DaemonView::Moves> out;
  if (const Message* moves = stats.find("moves")) {
    each_section(*moves, [&](const std::string& device, const Message& one) {
      out[device] = {count(one, "promote"), count(one, "demote")};
    });
  }
  return out;
}

std::vector<DaemonView::Exchange> exchanges_of(const Message& stats) {
  std::vector<DaemonView::Exchange> out;
  const Message* exchanges = stats.find("exchanges");
  if (exchanges == nullptr) return out;
  each_section(*exchanges, [&](const std::string& exchange, const Message& roles) {
    each_section(roles, [&](const std::string& role, const Message& endings) {
      for (const auto& entry : endings.entries())
        out.push_back({exchange, role, entry.name, count(endings, entry.name)});
    });
  });
  return out;
}

std::vector<ConnRow> conn_rows(const Message& espgate_conns) {
  std::vector<ConnRow> rows;
  const Message* conns = espgate_conns.find("conns");
  if (conns == nullptr) return rows;
  each_section(*conns, [&](const std::string&, const Message& conn) {
    rows.push_back({conn.text("conn"), conn.text("child"), conn.text("state"), conn.text("origin"), error_of(conn),
                    number<std::int64_t>(conn, "next-try-at"), count(conn, "attempts"),
                    number<std::int64_t>(conn, "changed-at"), number<std::int64_t>(conn, "cert-expires-at")});
  });
  return rows;
}

std::vector<DaemonChild> daemon_children(const Message& espgate_children) {
  std::vector<DaemonChild> children;
  const Message* list = espgate_children.find("children");
  if (list == nullptr) return children;
  each_section(*list, [&](const std::string&, const Message& child) { children.push_back(child_of(child)); });
  return children;
}

namespace {

// Rows from each event, and from the response itself if the daemon put them there.
template <class Row, class F>
std::expected<std::vector<Row>, vici::ClientError> ask(vici::Client& client, std::string_view command,
                                                       std::string_view event, F&& rows_of) {
  std::vector<Row> rows;
  const auto take = [&](const Message& message) {
    for (auto& row : rows_of(message)) rows.push_back(std::move(row));
  };
  const auto done = client.stream(command, {}, event, [&](std::string_view, const Message& each) { take(each); });
  if (!done) return std::unexpected(done.error());
  take(*done);
  return rows;
}

}  // namespace

std::expected<std::vector<IkeRow>, vici::ClientError> ask_ikes(vici::Client& client) {
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  return ask<IkeRow>(client, "list-sas", "list-sa",
                     [&](const Message& message) { return ike_rows(message, now.count()); });
}

std::expected<std::vector<ConnRow>, vici::ClientError> ask_conns(vici::Client& client) {
  return ask<ConnRow>(client, "espgate-conns", "espgate-conn", conn_rows);
}

std::expected<std::vector<DaemonChild>, vici::ClientError> ask_children(vici::Client& client) {
  return ask<DaemonChild>(client, "espgate-children", "espgate-child", daemon_children);
}

std::expected<DaemonView, vici::ClientError> ask_daemon(const std::string& uri) {
  auto client = vici::Client::connect(uri);
  if (!client) return std::unexpected(client.error());
  const auto version = client->request("version", {});
  if (!version) return std::unexpected(version.error());
  auto ikes = ask_ikes(*client);
  if (!ikes) return std::unexpected(ikes.error());
  auto children = ask_children(*client);
  if (!children) return std::unexpected(children.error());
  auto conns = ask_conns(*client);
  if (!conns) return std::unexpected(conns.error());
  const auto stats = client->request("stats", {});
  if (!stats) return std::unexpected(stats.error());
  DaemonView view{version->text("version"), std::move(*children), std::move(*ikes),    std::move(*conns),
                  rejected_of(*stats),      moves_of(*stats),     exchanges_of(*stats)};
  view.retransmits = count(*stats, "retransmits");
  if (const Message* config = stats->find("config")) view.config_taken = yes(*config, "taken");
  auto devices = ask_devices(*client);
  if (!devices) return std::unexpected(devices.error());
  for (const auto& device : *devices) {
    if (const auto room = room_of(device)) view.rooms[device.record.name] = *room;
  }
  return view;
}

}  // namespace espgate::control::report
