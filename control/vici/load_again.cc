// SPDX-License-Identifier: Apache-2.0
#include "control/vici/load_again.h"

#include <algorithm>
#include <utility>

#include "control/vici/codec.h"
#include "control/vici/tree_of.h"

namespace espgate::control::vici {
namespace {

using Outcome = std::expected<std::string, std::string>;  // the id of a key, or why not

constexpr std::size_t kLength = 4;  // of a frame, in front of it

Outcome outcome(const Report& report) {
  if (!report.ok()) return std::unexpected(report.errors.front().what);
  return {};
}
Outcome outcome(const Refusal& refusal) {
  if (refusal) return std::unexpected(*refusal);
  return {};
}

base::ByteView data_of(const Message& request) { return base::as_bytes(request.get("data").value_or("")); }

const Message::Entry* only_section(const Message& request) {
  const auto found = std::ranges::find(request.entries(), Message::Kind::section, &Message::Entry::kind);
  return found == request.entries().end() ? nullptr : &*found;
}

Outcome load_section(Store& store, Report (Store::*how)(const Section&), const Message& request) {
  const auto* section = only_section(request);
  if (section == nullptr) return std::unexpected("there is no section in it");
  return outcome((store.*how)(*tree_of(section->name, section->section())));
}

Outcome load(Store& store, std::string_view command, const Message& request) {
  if (command == "load-conn") return load_section(store, &Store::load_conn, request);
  if (command == "load-authority") return load_section(store, &Store::load_authority, request);
  if (command == "load-pool") return load_section(store, &Store::load_pool, request);
  return load_credential(store, command, request);
}

}  // namespace

std::expected<std::string, std::string> load_credential(Store& store, std::string_view command,
                                                        const Message& request) {
  if (command == "load-cert") {
    return outcome(store.load_cert(request.text("type"), request.text("flag"), data_of(request)));
  }
  if (command == "load-key") return store.load_key(data_of(request));
  if (command == "load-shared") {
    const auto* owners = request.items("owners");
    return outcome(store.load_shared(request.text("id"), request.text("type"), data_of(request),
                                     owners != nullptr ? *owners : std::vector<std::string>{}));
  }
  return std::unexpected("nothing is loaded by " + std::string(command));
}

std::string name_of(std::string_view command, const Message& request, std::string_view id) {
  if (command == "load-key") return std::string(id);
  if (command == "load-shared") return request.text("id");
  if (command == "load-cert") return request.text("type") + ' ' + request.text("flag") + ' ' + request.text("data");
  const auto* section = only_section(request);
  return section == nullptr ? std::string() : section->name;
}

base::Secret kept_octets(std::string_view command, const Message& request) {
  Packet packet{PacketType::request, std::string(command), request};
  auto frame = encode_frame(packet);
  packet.message.wipe();
  if (!frame) return {};
  auto out = base::Secret::copy_of(base::ByteView(*frame).subspan(kLength));
  base::wipe(frame->data(), frame->size());
  return out;
}

std::expected<LoadedBy, std::string> load_again(Store& store, base::ByteView octets) {
  auto packet = decode_packet(octets);
  if (!packet || packet->type != PacketType::request) return std::unexpected("it is no request");
  const auto id = load(store, packet->name, packet->message);
  LoadedBy out{packet->name, id ? name_of(packet->name, packet->message, *id) : std::string()};
  packet->message.wipe();
  if (!id) return std::unexpected(out.command + ": " + id.error());
  return out;
}

}  // namespace espgate::control::vici
