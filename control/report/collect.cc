// SPDX-License-Identifier: Apache-2.0
#include "control/report/collect.h"

#include <fmt/format.h>

#include <cerrno>

#include "control/report/daemon.h"
#include "xfrm/netlink.h"

namespace espgate::control::report {
namespace {

std::string maps_note(const base::Error& error, const std::string& bpffs) {
  if (error.code == ENOENT) {
    return fmt::format(
        "nothing is pinned under {}/espgate: packets are not counted (has espgated run? is bpffs mounted "
        "there? --bpffs DIR names another)",
        bpffs);
  }
  return fmt::format("packets are not shown: {}", error.text());
}

}  // namespace

MapsView read_maps(const maps::Reader& reader, Extent extent) {
  MapsView view;
  view.meta = reader.meta();
  view.whole = extent == Extent::whole;
  if (!view.whole) {
    view.sas = reader.sas();
    return view;
  }
  view.classes = reader.classes();
  view.shield = reader.shield();
  // A fold between the two readings would count an SA twice or not at all: read again until none came between.
  view.totals = reader.totals();
  for (int tries = 0; tries < 8; ++tries) {
    view.sas = reader.sas();
    auto again = reader.totals();
    const bool quiet = again == view.totals;
    view.totals = std::move(again);
    if (quiet) break;
  }
  return view;
}

Collected collect(const Where& where, Extent extent) {
  Collected result;
  std::optional<MapsView> maps;
  if (auto reader = maps::Reader::open(where.bpffs)) {
    maps = read_maps(*reader, extent);
  } else {
    result.maps_error = reader.error();
  }
  std::optional<KernelView> kernel;
  if (auto opened = xfrm::NetlinkKernel::make_for_reading()) {
    if (auto sas = opened->dump_sas()) {
      kernel = KernelView{maps::netns_cookie(), std::move(*sas)};
    } else {
      result.kernel_error = sas.error();
    }
  } else {
    result.kernel_error = opened.error();
  }
  std::optional<DaemonView> daemon;
  if (auto answer = ask_daemon(where.vici_uri)) {
    daemon = std::move(*answer);
  } else {
    result.daemon_error = answer.error();
  }

  result.report = join(maps ? &*maps : nullptr, kernel ? &*kernel : nullptr, std::move(daemon));
  auto& notes = result.report.sas.notes;
  if (result.maps_error) notes.push_back(maps_note(*result.maps_error, where.bpffs));
  if (maps && maps->meta.accounting == 0) notes.emplace_back("nobody counts packets: BPF could not be attached");
  if (result.kernel_error) {
    notes.push_back(fmt::format("the kernel's own counts are not shown: {}", result.kernel_error->text()));
  }
  if (result.daemon_error) {
    notes.push_back(fmt::format("{}; ids, states and times are not shown, the rest is", result.daemon_error->text));
  }
  return result;
}

}  // namespace espgate::control::report
