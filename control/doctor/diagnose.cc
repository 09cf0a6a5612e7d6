// SPDX-License-Identifier: Apache-2.0
#include "control/doctor/diagnose.h"

#include <algorithm>
#include <array>

namespace espgate::control::doctor {
namespace {

struct Rule {
  const char* check;
  void (*look)(const Facts&, Sheet&);
};

constexpr std::array kRules{
    Rule{"daemon", check_daemon},
    Rule{"kernel", check_kernel},
    Rule{"modules", check_modules},
    Rule{"accounting", check_accounting},
    Rule{"config", check_config},
    Rule{"certificates", check_certificates},
    Rule{"connections", check_connections},
    Rule{"route", check_routes},
    Rule{"rp-filter", check_rp_filter},
    Rule{"forwarding", check_forwarding},
    Rule{"offload", check_offload},
    Rule{"mtu", check_mtu},
    Rule{"packets", check_packets},
    Rule{"sysctl", check_sysctls},
    Rule{"clock", check_clock},
    Rule{"space", check_space},
    Rule{"other-daemons", check_other_daemons},
    Rule{"textfile", check_textfile},
};

}  // namespace

void Sheet::add(Level level, std::string subject, std::string text, std::string next_step) {
  findings_.push_back({level, check_, std::move(subject), std::move(text), std::move(next_step)});
}
void Sheet::error(std::string subject, std::string text, std::string next_step) {
  add(Level::error, std::move(subject), std::move(text), std::move(next_step));
}
void Sheet::warning(std::string subject, std::string text, std::string next_step) {
  add(Level::warning, std::move(subject), std::move(text), std::move(next_step));
}
void Sheet::note(std::string subject, std::string text, std::string next_step) {
  add(Level::note, std::move(subject), std::move(text), std::move(next_step));
}
void Sheet::unmade(std::string why) { unmade_ = std::move(why); }

Diagnosis diagnose(const Facts& facts) {
  Diagnosis out;
  for (const auto& rule : kRules) {
    Sheet sheet(rule.check);
    rule.look(facts, sheet);
    if (!sheet.unmade_.empty())
      out.unmade.push_back({rule.check, sheet.unmade_});
    else
      out.checked.emplace_back(rule.check);
    std::ranges::move(sheet.findings_, std::back_inserter(out.findings));
  }
  std::ranges::stable_sort(out.findings, std::ranges::greater(), &Finding::level);
  return out;
}

}  // namespace espgate::control::doctor
