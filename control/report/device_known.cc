// SPDX-License-Identifier: Apache-2.0
#include "control/report/device_known.h"

#include <charconv>
#include <tuple>

#include "control/offload/device_cache.h"
#include "sad/suite_order.h"

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

template <class F>
void each_section(const Message* message, F&& use) {
  if (message == nullptr) return;
  for (const auto& entry : message->entries()) {
    if (entry.kind == Message::Kind::section) use(entry.section());
  }
}

sad::ProbeResult result_of(std::string_view text) {
  for (const auto each : {sad::ProbeResult::taken, sad::ProbeResult::silent_software}) {
    if (text == sad::to_string(each)) return each;
  }
  return sad::ProbeResult::refused;
}

sad::DeviceEntry entry_of(const Message& message) {
  sad::DeviceEntry out;
  auto& row = out.row;
  row.suite = suite_called(message.text("suite")).value_or(base::EspSuite{});
  row.suite.esn = yes(message, "esn");
  row.mode = message.get("mode") == "packet" ? xfrm::OffloadKind::packet : xfrm::OffloadKind::crypto;
  row.direction = message.get("dir") == "out" ? base::Direction::out : base::Direction::in;
  row.sa_mode = message.get("sa-mode") == "transport" ? base::SaMode::transport : base::SaMode::tunnel;
  row.family = message.get("family") == "ipv6" ? base::Family::ipv6 : base::Family::ipv4;
  row.encap = yes(message, "encap");
  row.replay_window = number<std::uint32_t>(message, "replay-window").value_or(0);
  out.answer.result = result_of(message.text("result"));
  out.answer.code = number<int>(message, "errno").value_or(0);
  out.answer.words = message.text("words");
  out.cached = message.get("learned") == "cache";
  out.learned = message.get("learned") == "install" ? sad::Learned::install : sad::Learned::probe;
  out.at = number<std::int64_t>(message, "at").value_or(0);
  return out;
}

sad::Distrust distrust_of(const Message& message) {
  sad::Distrust out;
  out.suite = suite_called(message.text("suite")).value_or(base::EspSuite{});
  out.mode = message.get("mode") == "packet" ? xfrm::OffloadKind::packet : xfrm::OffloadKind::crypto;
  if (message.get("dir")) out.direction = message.get("dir") == "in" ? base::Direction::in : base::Direction::out;
  out.text = message.text("seen");
  out.at = number<std::int64_t>(message, "at").value_or(0);
  return out;
}

sad::SlotView steering_of(const Message& message) {
  sad::SlotView out;
  const auto small = [&](std::string_view key) { return number<std::uint32_t>(message, key).value_or(0); };
  out.known = number<std::uint32_t>(message, "slots");
  out.reserve = small("reserve");
  out.hardware = small("hardware");
  out.software = small("software");
  out.budget = small("budget");
  out.promoted = number<std::uint64_t>(message, "promoted").value_or(0);
  out.demoted = number<std::uint64_t>(message, "demoted").value_or(0);
  return out;
}

DeviceKnown known_of_message(const Message& message) {
  DeviceKnown out;
  auto& record = out.record;
  record.name = message.text("dev");
  record.identity = {message.text("driver"), message.text("driver-version"), message.text("firmware"),
                     message.text("kernel")};
  if (message.get("esp-hw-offload")) out.esp_hw_offload = yes(message, "esp-hw-offload");
  out.up = yes(message, "up");
  out.state = message.text("state");
  out.state_text = message.text("state-text");
  if (const auto* carries = message.items("carries")) out.carries = *carries;
  out.disagreement = message.text("disagreement");
  if (const auto* slots = message.find("slots")) {
    record.slots_in = number<std::uint32_t>(*slots, "known-in");
    record.slots_out = number<std::uint32_t>(*slots, "known-out");
  }
  if (const auto* steering = message.find("steering")) out.steering = steering_of(*steering);
  each_section(message.find("answers"), [&](const Message& each) { record.entries.push_back(entry_of(each)); });
  each_section(message.find("distrusted"),
               [&](const Message& each) { record.distrusted.push_back(distrust_of(each)); });
  out.floor = number<std::uint32_t>(message, "esp-floor").value_or(0);
  each_section(message.find("offers"), [&](const Message& each) {
    out.offers.push_back({each.text("suite"), each.text("carrier"), each.text("why")});
  });
  return out;
}

}  // namespace

std::vector<DeviceKnown> devices_known(const Message& espgate_offload) {
  std::vector<DeviceKnown> out;
  each_section(espgate_offload.find("devices"), [&](const Message& each) { out.push_back(known_of_message(each)); });
  return out;
}

std::expected<std::vector<DeviceKnown>, vici::ClientError> ask_devices(vici::Client& client) {
  std::vector<DeviceKnown> out;
  const auto take = [&](const Message& message) {
    for (auto& each : devices_known(message)) out.push_back(std::move(each));
  };
  const auto done =
      client.stream("espgate-offload", {}, "espgate-device", [&](std::string_view, const Message& one) { take(one); });
  if (!done) return std::unexpected(done.error());
  take(*done);
  return out;
}

std::optional<std::uint64_t> room_of(const DeviceKnown& device) {
  if (device.steering && device.steering->known) return std::uint64_t{2} * *device.steering->known;
  const auto& [in, out] = std::tie(device.record.slots_in, device.record.slots_out);
  if (in && out) return std::uint64_t{*in} + *out;
  return std::nullopt;
}

DeviceKnown known_of(const sad::DeviceRecord& cached) {
  DeviceKnown out;
  out.record = cached;
  for (auto& entry : out.record.entries) entry.cached = true;
  out.floor = sad::kLeastFloor;
  const sad::DeviceRecord* one[] = {&cached};
  for (const auto& offer : sad::order_suites(one, {}, out.floor)) {
    out.offers.push_back({offer.suite.name(), std::string(sad::to_string(offer.carrier)), offer.why});
  }
  return out;
}

}  // namespace espgate::control::report
