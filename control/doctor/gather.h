// SPDX-License-Identifier: Apache-2.0
// Reads the doctor's facts from this machine, as far as the caller may: nothing is changed, but for one SA that is
// added to see whether the kernel takes ESP, and deleted at once.
#pragma once

#include <string>

#include "control/doctor/facts.h"

namespace espgate::control::doctor {

struct Where {
  std::string config;    // espgated's configuration
  std::string textfile;  // of the metrics
  std::string state;     // folder of what espgated keeps
};

// All but `daemon_trouble`, `maps_trouble` and `report`, which are the caller's.
Facts gather(const Where& where);

// gather_config.cc
void gather_config(const std::string& path, Facts& facts);

}  // namespace espgate::control::doctor
