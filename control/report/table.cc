// SPDX-License-Identifier: Apache-2.0
#include "control/report/table.h"

#include <algorithm>

namespace espgate::control::report {

std::string_view to_string(Effective effective) {
  switch (effective) {
    case Effective::idle:
      return "idle";
    case Effective::hw:
      return "hw";
    case Effective::mixed:
      return "mixed";
    case Effective::sw:
      return "sw";
  }
  return "idle";
}

Effective Side::effective() const {
  if (hw.packets == 0) return sw.packets == 0 ? Effective::idle : Effective::sw;
  return sw.packets == 0 ? Effective::hw : Effective::mixed;
}

bool Side::less_than_wanted() const {
  switch (wanted) {
    case base::OffloadWanted::no:
      return false;
    case base::OffloadWanted::automatic:
    case base::OffloadWanted::crypto:
      return actual == base::OffloadActual::none;
    case base::OffloadWanted::packet:
      return actual != base::OffloadActual::packet;
  }
  return false;
}

bool ChildRow::up() const { return in && out && in->in_kernel && out->in_kernel; }

bool names(std::string_view name, std::string_view conn, std::string_view child) {
  const auto slash = name.find('/');
  if (slash == std::string_view::npos) return name == conn;
  return name.substr(0, slash) == conn && name.substr(slash + 1) == child;
}

void keep(SaTable& table, const SaFilter& filter) {
  const auto either = [](const ChildRow& row, auto matches) {
    return (row.in && matches(*row.in)) || (row.out && matches(*row.out));
  };
  std::erase_if(table.rows, [&](const ChildRow& row) {
    if (filter.name && !names(*filter.name, row.conn, row.child)) return true;
    if (filter.spi && !either(row, [&](const Side& side) { return side.spi == *filter.spi; })) return true;
    return filter.device && !either(row, [&](const Side& side) { return side.device == *filter.device; });
  });
}

}  // namespace espgate::control::report
