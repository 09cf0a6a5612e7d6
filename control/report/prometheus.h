// SPDX-License-Identifier: Apache-2.0
// The report as Prometheus' classic text format, no timestamps, and its way into a textfile collector's directory.
// Labels are names and closed codes, never an SPI or an address. Counters are per configured child, so they outlive
// rekeys and the daemon.
#pragma once

#include <string>

#include "base/error.h"
#include "control/report/report.h"

namespace espgate::control::report {

std::string prometheus_text(const Report& report);

// Writes beside `path` and renames: a reader sees the old text or the new one. Mode 0644, as node_exporter needs.
base::Result<void> write_atomically(const std::string& path, const std::string& text, unsigned mode = 0644);

}  // namespace espgate::control::report
