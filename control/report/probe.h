// SPDX-License-Identifier: Apache-2.0
// `offload probe` and `offload report`: what a device took, as rows, and as few lines as say the same.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "sad/probe.h"

namespace espgate::control::report {

struct ProbedDevice {
  std::string device, driver;
  std::string driver_version, firmware, bus;  // as ethtool says; may be empty
  std::string pci_id;                         // "15b3:101d", vendor and device; empty if it is none
  bool up = false;
  std::optional<bool> esp_hw_offload;     // the feature flag; none: the device does not have it
  std::vector<sad::ProbeAnswer> answers;  // one for each row; empty if it was only planned
};

struct ProbeView {
  std::string asked;  // the device named on the command line
  std::vector<sad::ProbeRow> rows;
  std::vector<ProbedDevice> devices;  // what is beneath it; often itself
  std::optional<std::chrono::microseconds> took;
};

struct SystemInfo {
  std::string espgate;                    // version
  std::string release, version, machine;  // of the kernel, as uname says
};

// Rows of one suite and mode that came out alike, and what tells them from the others.
struct ProbeGroup {
  std::string suite;
  xfrm::OffloadKind mode = xfrm::OffloadKind::crypto;
  std::string when;  // "always", "esn", "in, window 64 or 256"
  std::size_t rows = 0;
  sad::ProbeAnswer answer;
};
// Precondition: as many answers as rows.
std::vector<ProbeGroup> probe_groups(const std::vector<sad::ProbeRow>& rows,
                                     const std::vector<sad::ProbeAnswer>& answers);

// How many rows the devices did not all answer with the same result.
std::size_t probe_disagreements(const ProbeView& view);
// One sentence, if they disagree: what it means for what stands above them.
std::optional<std::string> probe_disagreement_text(const ProbeView& view);

std::string probe_text(const ProbeView& view, bool color);
std::string probe_plan_text(const ProbeView& view, bool color);
std::string probe_json(const ProbeView& view, bool pretty);  // also of a plan: results are null then
std::string probe_report_json(const SystemInfo& system, const std::vector<ProbedDevice>& devices,
                              const std::vector<sad::ProbeRow>& rows, bool pretty);

}  // namespace espgate::control::report
