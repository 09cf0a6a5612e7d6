// SPDX-License-Identifier: Apache-2.0
// The doctor's rules: facts to findings. Pure; a rule is a function in machine.cc (what surrounds espgate) or
// tunnels.cc (connections and SAs), listed in diagnose.cc.
#pragma once

#include "control/doctor/facts.h"
#include "control/doctor/finding.h"

namespace espgate::control::doctor {

Diagnosis diagnose(const Facts& facts);

// What a rule says goes here.
class Sheet {
 public:
  explicit Sheet(std::string check) : check_(std::move(check)) {}
  void error(std::string subject, std::string text, std::string next_step);
  void warning(std::string subject, std::string text, std::string next_step);
  void note(std::string subject, std::string text, std::string next_step);
  void unmade(std::string why);  // the rule could not look

 private:
  friend Diagnosis diagnose(const Facts& facts);
  void add(Level level, std::string subject, std::string text, std::string next_step);
  std::string check_;
  std::vector<Finding> findings_;
  std::string unmade_;
};

// machine.cc
void check_daemon(const Facts& facts, Sheet& sheet);
void check_kernel(const Facts& facts, Sheet& sheet);
void check_modules(const Facts& facts, Sheet& sheet);
void check_accounting(const Facts& facts, Sheet& sheet);
void check_sysctls(const Facts& facts, Sheet& sheet);
void check_clock(const Facts& facts, Sheet& sheet);
void check_space(const Facts& facts, Sheet& sheet);
void check_other_daemons(const Facts& facts, Sheet& sheet);
void check_textfile(const Facts& facts, Sheet& sheet);
// tunnels.cc
void check_config(const Facts& facts, Sheet& sheet);
void check_certificates(const Facts& facts, Sheet& sheet);
void check_routes(const Facts& facts, Sheet& sheet);
void check_rp_filter(const Facts& facts, Sheet& sheet);
void check_forwarding(const Facts& facts, Sheet& sheet);
void check_offload(const Facts& facts, Sheet& sheet);
void check_mtu(const Facts& facts, Sheet& sheet);
void check_connections(const Facts& facts, Sheet& sheet);
void check_packets(const Facts& facts, Sheet& sheet);

}  // namespace espgate::control::doctor
