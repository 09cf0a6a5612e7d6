// SPDX-License-Identifier: Apache-2.0
// offload show, offload forgive: devices as the kernel shows them, the SAs they hold, and what the daemon knows of
// them.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "control/offload/device_file.h"
#include "control/report/json.h"
#include "control/report/views.h"
#include "maps/reader.h"
#include "tools/espgate/handlers.h"
#include "xfrm/device_features.h"

namespace espgate::tools {
namespace {

namespace report = control::report;
namespace vici = control::vici;

std::int64_t epoch_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void add_ledger(const maps::Reader& reader, std::map<std::string, report::DeviceRow>& rows) {
  for (const auto& row : reader.sas()) {
    if (row.sa.device.empty()) continue;
    report::DeviceRow& device = rows[row.sa.device];
    device.device = row.sa.device;
    if (row.sa.actual != base::OffloadActual::none) {
      (row.sa.direction == base::Direction::in ? device.held_in : device.held_out) += 1;
    } else if (row.sa.wanted != base::OffloadWanted::no) {
      device.wanted_in_software += 1;
    }
    const std::string& code = row.sa.reason_code;
    if (!code.empty() && std::find(device.reasons.begin(), device.reasons.end(), code) == device.reasons.end()) {
      device.reasons.push_back(code);
    }
  }
}

void add_features(const std::vector<xfrm::DeviceFeatures>& devices, std::map<std::string, report::DeviceRow>& rows) {
  for (const auto& device : devices) {
    if (!device.esp_hw_offload && !rows.contains(device.device)) continue;  // of no interest here
    report::DeviceRow& row = rows[device.device];
    row.device = device.device;
    row.driver = device.driver;
    row.driver_version = device.driver_version;
    row.firmware = device.firmware;
    row.up = device.up;
    row.esp_hw_offload = device.esp_hw_offload;
    row.fixed = device.fixed;
  }
}

// With the daemon down: its cache, of devices that are still there, with the driver they had.
std::vector<report::DeviceKnown> from_cache(const std::string& path, const std::vector<xfrm::DeviceFeatures>& devices) {
  std::vector<report::DeviceKnown> out;
  const auto cached = control::read_device_cache(path);
  if (!cached) {
    note(cached.error() + "; devices are shown without what they take");
    return out;
  }
  for (const auto& record : *cached) {
    const auto there = std::ranges::find_if(devices, [&](const xfrm::DeviceFeatures& device) {
      return device.device == record.name && device.driver == record.identity.driver &&
             device.driver_version == record.identity.driver_version && device.firmware == record.identity.firmware;
    });
    if (there != devices.end()) out.push_back(report::known_of(record));
  }
  return out;
}

// Asked of the daemon, or else of its cache, and that is said.
std::vector<report::DeviceKnown> known_devices(const Context& context,
                                               const std::vector<xfrm::DeviceFeatures>& devices) {
  auto client = vici::Client::connect(context.options.vici);
  if (client) {
    if (auto known = report::ask_devices(*client)) return std::move(*known);
  }
  note(
      fmt::format("espgated does not answer on {}: what devices take is shown from {}, offered as without a "
                  "configuration",
                  context.options.vici, context.options.devices));
  return from_cache(context.options.devices, devices);
}

}  // namespace

Outcome offload_show(const Context& context) {
  std::map<std::string, report::DeviceRow> rows;
  const auto reader = maps::Reader::open(context.options.bpffs);
  if (reader) {
    add_ledger(*reader, rows);
  } else {
    note(maps_failure(reader.error(), context.options.bpffs).text + "; devices are shown without their SAs");
  }
  const auto devices = xfrm::device_features();
  if (!devices) return std::unexpected(kernel_failure(devices.error()));
  for (auto& known : known_devices(context, *devices)) {
    const auto name = known.record.name;
    rows[name].device = name;
    rows[name].known = std::move(known);
  }
  add_features(*devices, rows);
  const auto only = context.invocation.get("dev");
  std::vector<report::DeviceRow> shown;
  for (auto& [name, row] : rows) {
    if (!only || name == *only) shown.push_back(std::move(row));
  }
  return context.options.json ? report::device_json(shown, context.options.pretty)
                              : report::device_text(shown, context.options.color, epoch_now());
}

Outcome offload_forgive(const Context& context) {
  auto client = vici::Client::connect(context.options.vici);
  if (!client) return std::unexpected(daemon_failure(client.error(), context.options.vici));
  const std::string device = context.invocation.get("dev").value_or("");
  vici::Message request;
  request.set("dev", device);
  if (const auto suite = context.invocation.get("suite")) request.set("suite", *suite);
  const auto answer = client->request("espgate-forgive", request);
  if (!answer) return std::unexpected(daemon_failure(answer.error(), context.options.vici));
  if (answer->get("success") != "yes")
    return std::unexpected(Failure{Exit::refused, "refused", answer->text("errmsg")});
  if (!context.options.json) return fmt::format("{}: {} answers dropped\n", device, answer->text("dropped"));
  return report::json_text({{"dev", device}, {"dropped", std::stoull("0" + answer->text("dropped"))}},
                           context.options.pretty);
}

}  // namespace espgate::tools
