// SPDX-License-Identifier: Apache-2.0
// Reads the maps, the kernel and the daemon, and joins them. The maps are the ground: they work with the daemon dead;
// what the others add is left out where they do not answer, and a note says so.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "control/report/report.h"
#include "control/vici/client.h"
#include "maps/reader.h"
#include "xfrm/api.h"

namespace espgate::control::report {

// One reading of the pinned maps.
struct MapsView {
  espgate_meta meta{};
  bool whole = true;  // false: the SAs alone were read
  std::vector<maps::SaRow> sas;
  std::vector<maps::ChildTotal> totals;
  std::vector<maps::ClassRow> classes;
  std::vector<maps::ShieldRow> shield;
};
// The SAs, or with all that is summed up over SAs gone by.
enum class Extent : std::uint8_t { sas, whole };
MapsView read_maps(const maps::Reader& reader, Extent extent);

// What the kernel of one network namespace holds.
struct KernelView {
  std::uint64_t netns = 0;  // SO_NETNS_COOKIE; SAs of other namespaces were not asked for
  std::vector<xfrm::SaState> sas;
};

// Pure. Without maps the rows are the daemon's, uncounted. `kernel` fills Side::kernel, errors and in_kernel.
Report join(const MapsView* maps, const KernelView* kernel, std::optional<DaemonView> daemon);

// Why the three sources gave nothing or less; for sentences to the operator.
struct Collected {
  Report report;  // with notes
  std::optional<base::Error> maps_error, kernel_error;
  std::optional<vici::ClientError> daemon_error;
};
struct Where {
  std::string bpffs;     // where bpffs is mounted
  std::string vici_uri;  // of the daemon
};
Collected collect(const Where& where, Extent extent);

}  // namespace espgate::control::report
