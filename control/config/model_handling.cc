// SPDX-License-Identifier: Apache-2.0
// What the kernel does with a child's packets besides protecting them: marks, XFRM interfaces, priorities, header bits.
#include <fmt/format.h>

#include "control/config/model_parts.h"
#include "control/config/parse_values.h"

namespace espgate::control {
namespace {

class Handling {
 public:
  Handling(const ChildSource& source, Report& report)
      : conn_(source.conn_section, report), from_(source.section, report), report_(report) {}

  sad::Handling build() {
    sad::Handling out;
    out.replay_window = from_.integer("replay_window", out.replay_window, 0, 4096);
    out.priority = from_.integer("priority", 0, 0, 0x7fffffff);
    out.if_id_in = if_id("if_id_in");
    out.if_id_out = if_id("if_id_out");
    out.mark_in = mark("mark_in");
    out.mark_in_sa = from_.flag("mark_in_sa", false);
    out.mark_out = mark("mark_out");
    out.set_mark_in = mark("set_mark_in");
    out.set_mark_out = mark("set_mark_out");
    out.copy_df = from_.flag("copy_df", true);
    out.copy_ecn = from_.flag("copy_ecn", true);
    const auto dscp = from_.text("copy_dscp", "out");
    out.copy_dscp_out = dscp == "out" || dscp == "yes";
    out.copy_dscp_in = dscp == "in" || dscp == "yes";
    return out;
  }

 private:
  std::uint32_t if_id(std::string_view key) {
    const auto* value = from_.get(key);
    if (!value) value = conn_.get(key);
    if (!value) return 0;
    const auto number = parse_number(value->text);
    if (!number) report_.error(value->value_at, fmt::format("{}: {}", key, number.error()));
    return number.value_or(0);
  }

  base::Mark mark(std::string_view key) {
    const auto* value = from_.get(key);
    if (!value) return {};
    const auto mark = parse_mark(value->text);
    if (!mark) report_.error(value->value_at, fmt::format("{}: {}", key, mark.error()));
    return mark.value_or(base::Mark{});
  }

  SectionReader conn_, from_;
  Report& report_;
};

}  // namespace

sad::Handling build_handling(const ChildSource& source, Report& report) { return Handling(source, report).build(); }

}  // namespace espgate::control
