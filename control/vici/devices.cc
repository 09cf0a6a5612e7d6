// SPDX-License-Identifier: Apache-2.0
// espgate-offload: what is known of the devices; espgate-forgive: to find it out anew.
#include <fmt/format.h>

#include "base/error.h"
#include "control/vici/command_parts.h"

namespace espgate::control::vici {
namespace {

std::string plain_name(base::EspSuite suite) {
  suite.esn = false;
  return suite.name();
}

Message answer_message(const sad::DeviceEntry& entry) {
  const auto& row = entry.row;
  Message out;
  out.set("suite", plain_name(row.suite)).set("esn", row.suite.esn).set("mode", sad::to_string(row.mode));
  out.set("dir", base::to_string(row.direction)).set("sa-mode", base::to_string(row.sa_mode));
  out.set("family", row.family == base::Family::ipv4 ? "ipv4" : "ipv6").set("encap", row.encap);
  out.number("replay-window", row.replay_window).set("result", sad::to_string(entry.answer.result));
  if (entry.answer.result == sad::ProbeResult::refused) {
    out.number("errno", static_cast<std::uint64_t>(entry.answer.code)).set("words", entry.answer.words);
  }
  out.set("learned", entry.cached ? "cache" : sad::to_string(entry.learned));
  return out.number("at", static_cast<std::uint64_t>(entry.at));
}

void put_slots(Message& out, const DeviceReport& report) {
  out.number("used-in", report.held.in).number("used-out", report.held.out);
  if (report.record.slots_in) out.number("known-in", *report.record.slots_in);
  if (report.record.slots_out) out.number("known-out", *report.record.slots_out);
}

Message distrust_message(const std::string& device, const sad::Distrust& distrust) {
  Message out;
  out.set("suite", distrust.suite.name()).set("mode", sad::to_string(distrust.mode));
  if (distrust.direction) out.set("dir", base::to_string(*distrust.direction));
  out.set("seen", distrust.text).set("why", sad::sentence(device, distrust));
  return out.number("at", static_cast<std::uint64_t>(distrust.at));
}

void put_steering(Message& out, const sad::SlotView& slots) {
  if (slots.known) out.number("slots", *slots.known);
  out.number("reserve", slots.reserve).number("hardware", slots.hardware).number("software", slots.software);
  out.number("budget", slots.budget).number("promoted", slots.promoted).number("demoted", slots.demoted);
}

// A device may have more to say than fits one packet; its answers are cut then, and the last ones are those of
// installs.
constexpr std::size_t kMostAnswers = 512;

void forgive(Daemon& daemon, const Message& request, const std::shared_ptr<Reply>& reply) {
  const auto device = request.text("dev");
  if (device.empty()) return reply->fail("name a device: dev = nic0");
  const auto gone = daemon.forgive(device, request.text("suite"));
  if (!gone) return reply->fail(gone.error());
  reply->finish(Message().set("success", true).number("dropped", *gone));
}

}  // namespace

Message device_message(const DeviceReport& report) {
  const auto& identity = report.facts.identity;
  Message out;
  out.set("dev", report.facts.name).set("driver", identity.driver).set("driver-version", identity.driver_version);
  out.set("firmware", identity.firmware).set("kernel", identity.kernel).set("up", report.facts.up);
  if (report.facts.esp_hw_offload) out.set("esp-hw-offload", *report.facts.esp_hw_offload);
  out.set("state", sad::to_string(report.state)).set("state-text", report.state_text);
  out.list("carries", report.carries);
  if (!report.disagreement.empty()) out.set("disagreement", report.disagreement);
  put_slots(out.open("slots"), report);
  if (report.slots) put_steering(out.open("steering"), *report.slots);
  auto& answers = out.open("answers");
  for (std::size_t i = 0; i < report.record.entries.size() && i < kMostAnswers; ++i) {
    answers.section(std::to_string(i + 1), answer_message(report.record.entries[i]));
  }
  auto& distrusted = out.open("distrusted");
  for (std::size_t i = 0; i < report.record.distrusted.size(); ++i) {
    distrusted.section(std::to_string(i + 1), distrust_message(report.facts.name, report.record.distrusted[i]));
  }
  out.number("esp-floor", report.floor);
  auto& offers = out.open("offers");
  for (std::size_t i = 0; i < report.offers.size(); ++i) {
    const auto& offer = report.offers[i];
    auto& one = offers.open(std::to_string(i + 1));
    one.set("suite", offer.suite.name()).set("carrier", sad::to_string(offer.carrier)).set("why", offer.why);
  }
  return out;
}

void add_device_commands(Server& server, Daemon& daemon) {
  server.on("espgate-offload", [&daemon](const Message&, const std::shared_ptr<Reply>& reply) {
    Entries entries(reply, "espgate-device", "devices");
    for (const auto& report : daemon.devices()) entries.add(report.facts.name, device_message(report));
    entries.finish();
  });
  server.on("espgate-forgive", [&daemon](const Message& request, const std::shared_ptr<Reply>& reply) {
    forgive(daemon, request, reply);
  });
}

}  // namespace espgate::control::vici
