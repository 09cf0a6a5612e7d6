// SPDX-License-Identifier: Apache-2.0
// offload probe, offload report: what a device takes, by trying.
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "control/report/probe.h"
#include "tools/espgate/handlers.h"
#include "tools/espgate/kmsg.h"
#include "xfrm/device_features.h"
#include "xfrm/links.h"
#include "xfrm/netlink.h"
#include "xfrm/route.h"

namespace espgate::tools {
namespace {

namespace report = control::report;
using Clock = std::chrono::steady_clock;

// The kernel's generator; it fails only before it is seeded, and then waits.
void fill_random(std::span<std::uint8_t> to) {
  while (!to.empty()) {
    const ssize_t got = getrandom(to.data(), to.size(), 0);
    if (got > 0) to = to.subspan(static_cast<std::size_t>(got));
  }
}

// Vendor and device of a PCI device. By its place on the bus: /sys/class/net may show another namespace.
std::string pci_id(const std::string& bus) {
  std::string parts[2];
  const char* names[2] = {"vendor", "device"};
  for (int i = 0; i < 2; ++i) {
    std::ifstream file(fmt::format("/sys/bus/pci/devices/{}/{}", bus, names[i]));
    if (bus.empty() || !(file >> parts[i]) || !parts[i].starts_with("0x")) return {};
  }
  return parts[0].substr(2) + ":" + parts[1].substr(2);
}

base::Result<report::ProbedDevice> described(const std::string& device) {
  const auto features = xfrm::device_features(device);
  if (!features) return std::unexpected(features.error());
  report::ProbedDevice out;
  out.device = device;
  out.driver = features->driver;
  out.driver_version = features->driver_version;
  out.firmware = features->firmware;
  out.bus = features->bus;
  out.pci_id = pci_id(features->bus);
  out.up = features->up;
  out.esp_hw_offload = features->esp_hw_offload;
  return out;
}

// The view of a plan: what would be tried, on which devices.
std::expected<report::ProbeView, Failure> planned(const std::string& asked) {
  const auto links = xfrm::links();
  if (!links) return std::unexpected(kernel_failure(links.error()));
  const auto link = std::ranges::find(*links, asked, &xfrm::Link::name);
  if (link == links->end()) {
    return std::unexpected(
        Failure{Exit::refused, "no-device",
                fmt::format("no network device {} in this network namespace; `ip link` names those there are", asked)});
  }
  report::ProbeView out;
  out.asked = asked;
  out.rows = sad::probe_plan();
  for (const auto& each : xfrm::beneath(*links, link->ifindex)) {
    auto device = described(each.name);
    if (!device) return std::unexpected(kernel_failure(device.error()));
    out.devices.push_back(std::move(*device));
  }
  return out;
}

Failure support_failure(xfrm::Support support) {
  static constexpr std::string_view kDaemons = ", or run with --kernel null";  // no advice for us
  if (const auto at = support.text.find(kDaemons); at != std::string::npos) support.text.erase(at, kDaemons.size());
  using Verdict = xfrm::Support::Verdict;
  switch (support.verdict) {
    case Verdict::no_permission:
      return {Exit::refused, "no-permission", support.text};
    case Verdict::no_xfrm:
      return {Exit::refused, "no-xfrm", support.text};
    case Verdict::no_esp:
      return {Exit::refused, "no-esp", support.text};
    case Verdict::usable:
    case Verdict::other:
      break;
  }
  return {Exit::refused, "kernel-error", support.text};
}

std::expected<xfrm::NetlinkKernel, Failure> usable_kernel() {
  auto kernel = xfrm::NetlinkKernel::make();
  if (!kernel) return std::unexpected(support_failure(xfrm::explain(kernel.error())));
  if (!kernel->support().usable()) return std::unexpected(support_failure(kernel->support()));
  return std::move(*kernel);
}

// Fills in the answers of one device. false: it is gone.
bool try_device(xfrm::NetlinkKernel& kernel, const std::vector<sad::ProbeRow>& rows, report::ProbedDevice& device) {
  const auto ifindex = xfrm::ifindex_of(device.device);
  if (!ifindex) return false;
  sad::ProbeMeans means;
  means.random = fill_random;
  auto log = KernelLog::open();
  const DeviceWords words{device.device, device.bus, device.driver};
  if (log) means.overheard = [&] { return log->lines(words); };
  auto outcome = sad::probe(kernel, *ifindex, rows, means);
  device.answers = std::move(outcome.answers);
  if (outcome.left_behind != 0) {
    note(fmt::format("{} SAs of the probe could not be deleted; the kernel deletes them within {} s",
                     outcome.left_behind, sad::kProbeLife.count()));
  }
  return true;
}

Failure gone(const std::string& device) {
  return {Exit::refused, "no-device", fmt::format("network device {} went away while it was tried", device)};
}

// Those that the report is about, without what stands upon others.
std::expected<std::vector<report::ProbedDevice>, Failure> reported(const Context& context) {
  if (const auto only = context.invocation.get("dev")) {
    auto view = planned(*only);
    if (!view) return std::unexpected(view.error());
    return std::move(view->devices);
  }
  const auto links = xfrm::links();
  if (!links) return std::unexpected(kernel_failure(links.error()));
  std::vector<report::ProbedDevice> out;
  for (const auto& link : *links) {
    const auto below = xfrm::beneath(*links, link.ifindex);
    if (below.size() != 1 || below.front().ifindex != link.ifindex) continue;
    auto device = described(link.name);
    if (!device) return std::unexpected(kernel_failure(device.error()));
    if (device->esp_hw_offload) out.push_back(std::move(*device));
  }
  return out;
}

report::SystemInfo system_info() {
  utsname name{};
  uname(&name);
  return {ESPGATE_VERSION, name.release, name.version, name.machine};
}

}  // namespace

Outcome offload_probe(const Context& context) {
  const auto& options = context.options;
  auto view = planned(context.invocation.get("dev").value_or(""));
  if (!view) return std::unexpected(view.error());
  if (context.invocation.has("--plan")) {
    return options.json ? report::probe_json(*view, options.pretty) : report::probe_plan_text(*view, options.color);
  }
  auto kernel = usable_kernel();
  if (!kernel) return std::unexpected(kernel.error());
  sad::ProbeMeans means;
  means.random = fill_random;
  sad::load_algorithms(*kernel, view->rows, means);
  const auto begun = Clock::now();
  for (auto& device : view->devices) {
    if (!try_device(*kernel, view->rows, device)) return std::unexpected(gone(device.device));
  }
  view->took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun);
  if (!options.json) return report::probe_text(*view, options.color);
  if (const auto disagreement = report::probe_disagreement_text(*view)) note(*disagreement);
  return report::probe_json(*view, options.pretty);
}

Outcome offload_report(const Context& context) {
  auto devices = reported(context);
  if (!devices) return std::unexpected(devices.error());
  auto kernel = usable_kernel();
  if (!kernel) return std::unexpected(kernel.error());
  const auto rows = sad::probe_plan();
  for (auto& device : *devices) {
    if (!try_device(*kernel, rows, device)) return std::unexpected(gone(device.device));
  }
  // JSON whatever was asked for, and indented: it is for sending, and for a glance before that.
  return report::probe_report_json(system_info(), *devices, rows, context.options.pretty || !context.options.json);
}

}  // namespace espgate::tools
