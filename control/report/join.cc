// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>
#include <unordered_map>

#include "control/report/collect.h"
#include "control/report/join_index.h"

namespace espgate::control::report {
namespace {

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
  side.netns = row.sa.netns;
  return side;
}

// "dev" is the device that holds the SA; the ledger also keeps the one that was wanted, for the reason.
void hide_unheld_device(Side& side) {
  if (side.actual == base::OffloadActual::none) side.device.clear();
}

std::string without_esn(std::string suite) {
  constexpr std::string_view suffix = "-esn";
  if (suite.ends_with(suffix)) suite.resize(suite.size() - suffix.size());
  return suite;
}

// Pairs of (in, out) by child id; ids repeat after a restart, so the configured child counts, too.
struct PairKey {
  base::ChildUid uid;
  base::ChildId child;
  std::uint64_t netns = 0;
  bool operator==(const PairKey&) const = default;
};
struct PairHash {
  std::size_t operator()(const PairKey& key) const {
    return std::hash<std::uint64_t>{}((key.uid.value ^ key.netns) + key.child.value * 0x9e3779b97f4a7c15ULL);
  }
};

struct Pair {
  const maps::SaRow *in = nullptr, *out = nullptr;

  [[nodiscard]] const maps::SaRecord& either() const { return (in != nullptr ? in : out)->sa; }
  [[nodiscard]] std::int64_t installed_at() const {
    return std::max(in != nullptr ? in->sa.installed_at : 0, out != nullptr ? out->sa.installed_at : 0);
  }
  bool operator<(const Pair& other) const {
    const auto &a = either(), &b = other.either();
    // Generations of one second are told apart by their ids, which rise.
    return std::forward_as_tuple(a.conn, a.child_name, installed_at(), a.child) <
           std::forward_as_tuple(b.conn, b.child_name, other.installed_at(), b.child);
  }
};

ChildRow row_of(const Pair& pair) {
  const maps::SaRecord& sa = pair.either();
  ChildRow row;
  row.conn = sa.conn;
  row.child = sa.child_name;
  row.uid = sa.uid;
  row.mode = sa.mode;
  row.suite = without_esn(sa.suite);
  row.esn = sa.esn;
  row.encap = sa.encap;
  if (pair.in != nullptr) row.in = side_of(*pair.in);
  if (pair.out != nullptr) row.out = side_of(*pair.out);
  return row;
}

// In the order of the table. The first octets of the names, side by side, settle most comparisons: the rest lies all
// over the memory.
void sort(std::vector<Pair>& pairs) {
  struct Place {
    std::array<char, 24> conn{};
    Pair pair;
  };
  std::vector<Place> places(pairs.size());
  for (std::size_t i = 0; i < places.size(); ++i) {
    pairs[i].either().conn.copy(places[i].conn.data(), places[i].conn.size());
    places[i].pair = pairs[i];
  }
  std::stable_sort(places.begin(), places.end(), [&](const Place& a, const Place& b) {
    const int order = std::memcmp(a.conn.data(), b.conn.data(), a.conn.size());
    return order != 0 ? order < 0 : a.pair < b.pair;
  });
  std::ranges::transform(places, pairs.begin(), &Place::pair);
}

std::vector<ChildRow> pair_up(const MapsView& maps) {
  std::unordered_map<PairKey, std::size_t, PairHash> known;
  std::vector<Pair> pairs;
  known.reserve(maps.sas.size() / 2 + 1);
  pairs.reserve(maps.sas.size() / 2 + 1);
  for (const auto& sa : maps.sas) {
    const auto [at, fresh] = known.try_emplace({sa.sa.uid, sa.sa.child, sa.sa.netns}, pairs.size());
    if (fresh) pairs.emplace_back();
    Pair& pair = pairs[at->second];
    (sa.sa.direction == base::Direction::in ? pair.in : pair.out) = &sa;
  }
  sort(pairs);
  std::vector<ChildRow> rows;
  rows.reserve(pairs.size());
  for (const Pair& pair : pairs) rows.push_back(row_of(pair));
  return rows;
}

void join_kernel(Side& side, const KernelIndex& kernel) {
  if (kernel.foreign(side.netns)) return;
  const auto* found = kernel.find(side.spi, side.dst);
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

// The ledger cuts long names.
bool same_name(const std::string& cut, const std::string& whole) {
  return cut == whole.substr(0, ESPGATE_NAME_OCTETS - 1);
}

bool same_child(const ChildRow& row, const DaemonChild& known) {
  return same_name(row.conn, known.row.conn) && same_name(row.child, known.row.child);
}

// Peers may choose equal SPIs: the names tell.
class DaemonIndex {
 public:
  explicit DaemonIndex(const DaemonView& daemon) {
    for (const auto& child : daemon.children) {
      if (child.spi_in) in_.emplace(child.spi_in->value, &child);
      if (child.spi_out) out_.emplace(child.spi_out->value, &child);
    }
  }
  [[nodiscard]] const DaemonChild* find(const ChildRow& row) const {
    const auto* found = row.in ? find(in_, row.in->spi, row) : nullptr;
    return found == nullptr && row.out ? find(out_, row.out->spi, row) : found;
  }

 private:
  using BySpi = std::unordered_multimap<std::uint32_t, const DaemonChild*>;
  static const DaemonChild* find(const BySpi& in, base::Spi spi, const ChildRow& row) {
    const auto [first, last] = in.equal_range(spi.value);
    const auto found = std::find_if(first, last, [&](const auto& each) { return same_child(row, *each.second); });
    return found == last ? nullptr : found->second;
  }
  BySpi in_, out_;
};

void join_daemon(std::vector<ChildRow>& rows, const DaemonView& daemon) {
  const DaemonIndex index(daemon);
  for (auto& row : rows) {
    const auto* found = index.find(row);
    if (found == nullptr) continue;
    row.unique_id = found->row.unique_id;
    row.state = found->row.state;
    row.established_at = found->row.established_at;
    row.rekey_at = found->row.rekey_at;
    row.expires_at = found->row.expires_at;
  }
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
  std::optional<KernelIndex> states;
  if (kernel != nullptr) states.emplace(*kernel);
  if (maps != nullptr) {
    report.sas.rows = pair_up(*maps);
    if (maps->whole) {
      report.totals = totals_of(*maps, states ? &*states : nullptr);
      report.fallbacks = fallbacks_of(*maps);
      report.classes = classes_of(*maps);
      report.shield = shield_of(*maps);
    }
    if (daemon) join_daemon(report.sas.rows, *daemon);
  } else if (daemon) {
    for (const auto& child : daemon->children) report.sas.rows.push_back(child.row);
  }
  for (auto& row : report.sas.rows) {
    for (auto* side : {&row.in, &row.out}) {
      if (!*side) continue;
      if (states) join_kernel(**side, *states);
      hide_unheld_device(**side);
    }
  }
  report.daemon = std::move(daemon);
  return report;
}

}  // namespace espgate::control::report
