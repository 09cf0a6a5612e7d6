// SPDX-License-Identifier: Apache-2.0
#include "tools/espgate/handlers.h"

namespace espgate::tools {

Outcome run(const Context& context) {
  using control::command::Handler;
  switch (context.invocation.command->handler) {
    case Handler::sa_show:
      return sa_show(context);
    case Handler::ike_show:
      return ike_show(context);
    case Handler::conn_show:
      return conn_show(context);
    case Handler::conn_up:
      return conn_up(context);
    case Handler::conn_down:
      return conn_down(context);
    case Handler::conn_rekey:
      return conn_rekey(context);
    case Handler::conn_reload:
      return conn_reload(context);
    case Handler::policy_show:
      return policy_show(context);
    case Handler::offload_show:
      return offload_show(context);
    case Handler::offload_probe:
      return offload_probe(context);
    case Handler::offload_forgive:
      return offload_forgive(context);
    case Handler::offload_report:
      return offload_report(context);
    case Handler::stats_show:
      return stats_show(context);
    case Handler::shield_show:
      return shield_show(context);
    case Handler::prog_show:
      return prog_show(context);
    case Handler::map_show:
      return map_show(context);
    case Handler::flow_show:
      return flow_show(context);
    case Handler::export_prometheus:
      return export_prometheus(context);
    case Handler::doctor_show:
      return doctor_show(context);
    case Handler::top_show:
      return top_show(context);
    case Handler::monitor_show:
      return monitor_show(context);
    case Handler::log_level:
      return log_level(context);
    case Handler::support_bundle:
      return support_bundle(context);
    case Handler::config_convert:
      return config_convert(context);
  }
  return std::unexpected(Failure{Exit::usage, "usage", "no such command"});
}

}  // namespace espgate::tools
