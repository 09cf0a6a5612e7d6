// SPDX-License-Identifier: Apache-2.0
// sa show, export prometheus: the joined table, from maps, kernel and daemon, as far as each of them answers.
#include <cerrno>
#include <memory>

#include "control/report/collect.h"
#include "control/report/prometheus.h"
#include "control/report/sa_render.h"
#include "tools/espgate/handlers.h"

namespace espgate::tools {

namespace report = control::report;

Outcome sa_show(const Context& context) {
  const Options& options = context.options;
  auto collected = report::collect({options.bpffs, options.vici}, report::Extent::sas);
  // Each source alone is worth showing; without both there is nothing to show.
  if (collected.maps_error && collected.daemon_error) {
    const bool nothing_pinned = collected.maps_error->code == ENOENT;
    return std::unexpected(nothing_pinned ? daemon_failure(*collected.daemon_error, options.vici)
                                          : maps_failure(*collected.maps_error, options.bpffs));
  }
  report::SaTable& table = collected.report.sas;
  for (const auto& line : table.notes) note(line);
  report::SaFilter filter;
  filter.name = context.invocation.get("name");
  filter.device = context.invocation.get("dev");
  if (const auto spi = context.invocation.get("spi")) filter.spi = base::Spi::parse(*spi);
  report::keep(table, filter);
  if (options.json) {
    auto rows = std::make_shared<const report::SaTable>(std::move(table));
    return Output([rows, pretty = options.pretty](const Sink& sink) { report::sa_json(*rows, pretty, sink); });
  }
  return report::sa_text(table, {options.color, context.invocation.has("kernel")});
}

Outcome export_prometheus(const Context& context) {
  const Options& options = context.options;
  const auto collected = report::collect({options.bpffs, options.vici}, report::Extent::whole);
  // No maps are a fact worth exporting (espgate_up says the rest); maps that cannot be read would look like lost
  // series.
  if (collected.maps_error && collected.maps_error->code != ENOENT) {
    return std::unexpected(maps_failure(*collected.maps_error, options.bpffs));
  }
  for (const auto& line : collected.report.sas.notes) note(line);
  std::string text = report::prometheus_text(collected.report);
  const auto path = context.invocation.get("textfile");
  if (!path) return text;
  if (auto written = report::write_atomically(*path, text); !written) {
    return std::unexpected(Failure{Exit::refused, "not-written", written.error().text()});
  }
  return std::string();
}

}  // namespace espgate::tools
