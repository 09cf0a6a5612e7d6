// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <tuple>

#include "control/report/collect.h"

namespace espgate::control::report {
namespace {

Count hardware(const maps::Counts& counts) { return {counts.hw_packets, counts.hw_bytes}; }
Count software(const maps::Counts& counts) { return {counts.sw_packets, counts.sw_bytes}; }
void operator+=(Count& into, const Count& more) {
  into.packets += more.packets;
  into.bytes += more.bytes;
}

Side side_of(const maps::SaRow& row) {
  Side side;
  side.spi = row.sa.spi;
  side.src = row.sa.src;
  side.dst = row.sa.dst;
  side.wanted = row.sa.wanted;
  side.actual = row.sa.actual;
  side.device = row.sa.device;
  side.reason_code = row.sa.reason_code;
  side.reason = row.sa.reason;
  side.hw = hardware(row.counts);
  side.sw = software(row.counts);
  side.exact = row.exact;
  side.slot = row.slot;
  side.generation = row.generation;
  return side;
}

// "dev" is the device that holds the SA; the ledger also keeps the one that was wanted, for the reason.
void hide_unheld_device(Side& side) {
  if (side.actual == base::OffloadActual::none) side.device.clear();
}

struct Pending {
  ChildRow row;
  std::int64_t installed_at = 0;
};

std::string without_esn(std::string suite) {
  constexpr std::string_view suffix = "-esn";
  if (suite.ends_with(suffix)) suite.resize(suite.size() - suffix.size());
  return suite;
}

// Pairs of (in, out) by child id; ids repeat after a restart, so the configured child counts, too.
std::vector<Pending> pair_up(const MapsView& maps) {
  std::map<std::tuple<base::ChildUid, base::ChildId, std::uint64_t>, Pending> pairs;
  for (const auto& sa : maps.sas) {
    Pending& pending = pairs[{sa.sa.uid, sa.sa.child, sa.sa.netns}];
    ChildRow& row = pending.row;
    row.conn = sa.sa.conn;
    row.child = sa.sa.child_name;
    row.uid = sa.sa.uid;
    row.mode = sa.sa.mode;
    row.suite = without_esn(sa.sa.suite);
    row.esn = sa.sa.esn;
    row.encap = sa.sa.encap;
    (sa.sa.direction == base::Direction::in ? row.in : row.out) = side_of(sa);
    pending.installed_at = std::max(pending.installed_at, sa.sa.installed_at);
  }
  std::vector<Pending> rows;
  for (auto& [key, pending] : pairs) rows.push_back(std::move(pending));
  std::stable_sort(rows.begin(), rows.end(), [](const Pending& a, const Pending& b) {
    return std::tie(a.row.conn, a.row.child, a.installed_at) < std::tie(b.row.conn, b.row.child, b.installed_at);
  });
  return rows;
}

const xfrm::SaState* find(const KernelView& kernel, base::Spi spi, const base::Address& destination) {
  const auto found = std::find_if(kernel.sas.begin(), kernel.sas.end(), [&](const xfrm::SaState& state) {
    return state.id.spi == spi && state.id.destination == destination;
  });
  return found == kernel.sas.end() ? nullptr : &*found;
}

void join_kernel(Side& side, const KernelView& kernel) {
  const auto* found = find(kernel, side.spi, side.dst);
  if (found == nullptr) {
    side.in_kernel = false;
    return;
  }
  side.kernel = Count{found->packets, found->bytes};
  side.errors.integrity = found->integrity_errors;
  side.errors.replay = found->replay_errors + found->window_errors;
  // Packet mode: on transmit xfrm leaves BPF nothing to name the SA by, and on receive it does no replay check that
  // could be counted by. So the driver's counts, by way of GETSA, stand for hardware, where there is no other carrier;
  // they are cached by drivers and so never exact.
  if (side.actual == base::OffloadActual::packet) {
    side.hw = *side.kernel;
    side.sw = {};
    side.exact = false;
  }
}

// Of another network namespace than that whose SAs were read.
bool foreign(const maps::SaRow& sa, const KernelView& kernel) {
  return sa.sa.netns != 0 && kernel.netns != 0 && sa.sa.netns != kernel.netns;
}

void join_kernel(std::vector<ChildRow>& rows, const KernelView& kernel, const MapsView* maps) {
  const auto elsewhere = [&](const Side& side) {
    if (maps == nullptr) return false;
    return std::any_of(maps->sas.begin(), maps->sas.end(),
                       [&](const maps::SaRow& sa) { return sa.slot == side.slot && foreign(sa, kernel); });
  };
  for (auto& row : rows) {
    if (row.in && !elsewhere(*row.in)) join_kernel(*row.in, kernel);
    if (row.out && !elsewhere(*row.out)) join_kernel(*row.out, kernel);
  }
}

// The ledger cuts long names.
bool same_name(const std::string& cut, const std::string& whole) {
  return cut == whole.substr(0, ESPGATE_NAME_OCTETS - 1);
}

bool same_child(const ChildRow& row, const DaemonChild& known) {
  const auto same = [](const std::optional<Side>& side, const std::optional<base::Spi>& spi) {
    return side && spi && side->spi == *spi;
  };
  return same_name(row.conn, known.row.conn) && same_name(row.child, known.row.child) &&
         (same(row.in, known.spi_in) || same(row.out, known.spi_out));
}

void join_daemon(std::vector<ChildRow>& rows, const DaemonView& daemon) {
  for (auto& row : rows) {
    const auto found = std::find_if(daemon.children.begin(), daemon.children.end(),
                                    [&](const DaemonChild& known) { return same_child(row, known); });
    if (found == daemon.children.end()) continue;
    row.unique_id = found->row.unique_id;
    row.state = found->row.state;
    row.established_at = found->row.established_at;
    row.rekey_at = found->row.rekey_at;
  }
}

// Between fold and release, or if the daemon died there, an SA is in both places.
bool folded_already(const MapsView& maps, const maps::SaRow& sa) {
  const auto i = static_cast<std::size_t>(sa.sa.direction);
  return std::any_of(maps.totals.begin(), maps.totals.end(), [&](const maps::ChildTotal& total) {
    return total.uid == sa.sa.uid && total.last_generation[i] == sa.generation && total.last_slot[i] == sa.slot;
  });
}

// Folded counts of retired SAs, and the live ones on top; those of packet mode the kernel alone knows.
std::vector<ChildTotal> totals_of(const MapsView& maps, const KernelView* kernel) {
  std::map<base::ChildUid, ChildTotal> totals;
  for (const auto& folded : maps.totals) {
    ChildTotal& total = totals[folded.uid];
    total.conn = folded.conn;
    total.child = folded.child;
    for (std::size_t i = 0; i < 2; ++i) {
      total.hw[i] = hardware(folded.folded[i]);
      total.sw[i] = software(folded.folded[i]);
    }
  }
  for (const auto& sa : maps.sas) {
    ChildTotal& total = totals[sa.sa.uid];
    total.conn = sa.sa.conn;
    total.child = sa.sa.child_name;
    if (folded_already(maps, sa)) continue;
    const auto i = static_cast<std::size_t>(sa.sa.direction);
    total.hw[i] += hardware(sa.counts);
    total.sw[i] += software(sa.counts);
    if (kernel == nullptr || sa.sa.actual != base::OffloadActual::packet || foreign(sa, *kernel)) continue;
    if (const auto* state = find(*kernel, sa.sa.spi, sa.sa.dst)) total.hw[i] += Count{state->packets, state->bytes};
  }
  std::vector<ChildTotal> rows;
  for (auto& [uid, total] : totals) {
    total.uid = uid;
    rows.push_back(std::move(total));
  }
  std::sort(rows.begin(), rows.end(), [](const ChildTotal& a, const ChildTotal& b) {
    return std::tie(a.conn, a.child) < std::tie(b.conn, b.child);
  });
  return rows;
}

// Software packets of SAs for which hardware was wanted, by device and reason.
std::vector<FallbackCount> fallbacks_of(const MapsView& maps) {
  std::map<std::pair<std::string, unsigned>, std::uint64_t> sums;
  const auto add = [&](const std::string& device, const maps::Counts& counts) {
    for (unsigned reason = ESPGATE_FB_NONE_WANTED + 1; reason < ESPGATE_FB_COUNT; ++reason) {
      if (counts.fallback[reason] > 0) sums[{device, reason}] += counts.fallback[reason];
    }
  };
  for (const auto& sa : maps.sas) {
    if (!folded_already(maps, sa)) add(sa.sa.device, sa.counts);
  }
  for (const auto& total : maps.totals) {
    for (const auto& folded : total.folded) add(total.device, folded);
  }
  std::vector<FallbackCount> rows;
  for (const auto& [key, packets] : sums) rows.push_back({key.first, maps::fallback_code(key.second), packets});
  return rows;
}

std::vector<ClassCount> classes_of(const MapsView& maps) {
  std::map<std::tuple<std::string, unsigned, unsigned>, Count> sums;
  for (const auto& row : maps.classes) {
    sums[{row.device, row.class_, row.verdict}] += Count{row.packets, row.bytes};
  }
  std::vector<ClassCount> rows;
  for (const auto& [key, count] : sums) {
    const auto& [device, class_, verdict] = key;
    rows.push_back({device, maps::class_name(class_), maps::verdict_name(verdict), count});
  }
  return rows;
}

// A device that came again has another index and the same name.
std::vector<ShieldCount> shield_of(const MapsView& maps) {
  std::map<std::pair<std::string, unsigned>, std::uint64_t> sums;
  for (const auto& row : maps.shield) {
    for (unsigned event = 0; event < row.events.size(); ++event) sums[{row.device, event}] += row.events[event];
  }
  std::vector<ShieldCount> rows;
  for (const auto& [key, packets] : sums) rows.push_back({key.first, maps::shield_event_name(key.second), packets});
  return rows;
}

}  // namespace

Report join(const MapsView* maps, const KernelView* kernel, std::optional<DaemonView> daemon) {
  Report report;
  if (maps != nullptr) {
    for (auto& pending : pair_up(*maps)) report.sas.rows.push_back(std::move(pending.row));
    report.totals = totals_of(*maps, kernel);
    report.fallbacks = fallbacks_of(*maps);
    report.classes = classes_of(*maps);
    report.shield = shield_of(*maps);
    if (daemon) join_daemon(report.sas.rows, *daemon);
  } else if (daemon) {
    for (const auto& child : daemon->children) report.sas.rows.push_back(child.row);
  }
  if (kernel != nullptr) join_kernel(report.sas.rows, *kernel, maps);
  for (auto& row : report.sas.rows) {
    for (auto* side : {&row.in, &row.out}) {
      if (*side) hide_unheld_device(**side);
    }
  }
  report.daemon = std::move(daemon);
  return report;
}

}  // namespace espgate::control::report
