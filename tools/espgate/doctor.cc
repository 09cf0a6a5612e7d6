// SPDX-License-Identifier: Apache-2.0
// doctor: what stands in the way, and what to do about it.
#include "control/doctor/diagnose.h"
#include "control/doctor/gather.h"
#include "control/report/collect.h"
#include "tools/espgate/handlers.h"

namespace espgate::tools {

namespace doctor = control::doctor;
namespace report = control::report;

Outcome doctor_show(const Context& context) {
  const auto& options = context.options;
  auto facts =
      doctor::gather({context.invocation.get("config").value_or("/etc/espgate/espgate.conf"),
                      context.invocation.get("textfile").value_or("/var/lib/prometheus/node-exporter/espgate.prom"),
                      "/var/lib/espgate"});
  auto collected = report::collect({options.bpffs, options.vici}, report::Extent::whole);
  if (collected.daemon_error) facts.daemon_trouble = daemon_failure(*collected.daemon_error, options.vici).text;
  if (collected.maps_error) facts.maps_trouble = maps_failure(*collected.maps_error, options.bpffs).text;
  facts.report = std::move(collected.report);
  const auto diagnosis = doctor::diagnose(facts);
  return options.json ? doctor::diagnosis_json(diagnosis, options.pretty)
                      : doctor::diagnosis_text(diagnosis, options.color);
}

}  // namespace espgate::tools
