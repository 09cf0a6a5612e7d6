// SPDX-License-Identifier: Apache-2.0
// config convert: an ipsec.conf as espgate.conf on stdout; what was not carried over on stderr, or in the JSON.
#include "control/convert/convert.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "control/report/json.h"
#include "tools/espgate/handlers.h"

namespace espgate::tools {

namespace report = control::report;

Outcome config_convert(const Context& context) {
  const auto path = context.invocation.get("FILE").value_or("");
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file || (text.empty() && file.bad())) {
    return std::unexpected(
        Failure{Exit::refused, "not-read", fmt::format("cannot read {}: {}", path, std::strerror(errno))});
  }
  const auto converted = control::convert::convert(text);
  if (converted.conns + converted.left_out == 0) {
    return std::unexpected(Failure{Exit::refused, "no-conn",
                                   fmt::format("{}: there is no `conn` section in it: is it an ipsec.conf?", path)});
  }
  if (context.options.json) {
    report::Json remarks = report::Json::array();
    for (const auto& remark : converted.remarks) remarks.push_back({{"line", remark.line}, {"text", remark.text}});
    return report::json_text({{"configuration", converted.text},
                              {"converted", converted.conns},
                              {"left_out", converted.left_out},
                              {"remarks", remarks}},
                             context.options.pretty);
  }
  for (const auto& remark : converted.remarks) note(fmt::format("{}:{}: {}", path, remark.line, remark.text));
  note(
      fmt::format("{} connections converted, {} left out, {} remarks; check the result with `espgated --check-config "
                  "--config FILE`",
                  converted.conns, converted.left_out, converted.remarks.size()));
  return converted.text;
}

}  // namespace espgate::tools
