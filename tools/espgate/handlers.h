// SPDX-License-Identifier: Apache-2.0
// One function per Handler of the command table.
#pragma once

#include "tools/espgate/context.h"

namespace espgate::tools {

Outcome run(const Context& context);  // finds the function of context.invocation.command->handler

Outcome sa_show(const Context& context);
Outcome ike_show(const Context& context);
Outcome conn_show(const Context& context);
Outcome conn_up(const Context& context);
Outcome conn_down(const Context& context);
Outcome conn_rekey(const Context& context);
Outcome conn_reload(const Context& context);
Outcome policy_show(const Context& context);
Outcome offload_show(const Context& context);
Outcome offload_probe(const Context& context);
Outcome offload_forgive(const Context& context);
Outcome offload_report(const Context& context);
Outcome stats_show(const Context& context);
Outcome shield_show(const Context& context);
Outcome prog_show(const Context& context);
Outcome map_show(const Context& context);
Outcome flow_show(const Context& context);
Outcome export_prometheus(const Context& context);
Outcome doctor_show(const Context& context);
Outcome top_show(const Context& context);
Outcome monitor_show(const Context& context);
Outcome log_level(const Context& context);
Outcome support_bundle(const Context& context);
Outcome config_convert(const Context& context);

}  // namespace espgate::tools
