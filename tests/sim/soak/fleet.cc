// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/soak/fleet.h"

#include <fmt/core.h>
#include <malloc.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "tests/sim/soak/gate.h"

namespace espgate::soak {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr auto kDay = hours(24);
constexpr auto kTick = seconds(10);       // how often sites that are down are looked at
constexpr auto kPatience = seconds(130);  // until a site tries again
// Before a day's end no way is cut any more: what the hub closed in an outage its site may find out only by DPD, after
// two hours.
constexpr auto kQuiet = minutes(150);
constexpr std::uint64_t kLossPerMille = 2;

std::size_t heap_in_use() { return mallinfo2().uordblks + mallinfo2().hblkhd; }

std::size_t open_files() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

base::Address numbered(const char* first_octet, std::size_t number) {
  return *base::Address::parse(
      fmt::format("{}.{}.{}.{}", first_octet, number >> 16 & 255, number >> 8 & 255, number & 255));
}

ike::TsConfig ts(const base::Address& address) {
  return {false, base::TrafficSelector::of(base::Prefix::host(address))};
}

std::vector<ike::Proposal> both(std::vector<ike::Proposal> first, const std::vector<ike::Proposal>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// The hub and the sites, told apart by `hub`: each sees the same tunnels from its end.
struct Side {
  std::shared_ptr<const ike::Config> config;
  sad::Plan plan;
};

class Fleet {
 public:
  explicit Fleet(const FleetOptions& options)
      : options_(options),
        random_(options.seed * 0x9e3779b97f4a7c15ULL + 1),
        plain_(*ike::parse_proposals(ike::Protocol::esp, "aes128gcm16")),
        with_pfs_(both(*ike::parse_proposals(ike::Protocol::esp, "aes128gcm16-x25519"), plain_)),
        pfs_(options.tunnels),
        gone_(options.tunnels),
        hub_(setting(true)),
        sites_(setting(false)) {
    for (std::size_t site = 0; site < options_.tunnels; ++site) down_.emplace(site, now_ + milliseconds(below(60'000)));
    hub_.send = [this](Instant, ike::Datagram datagram) { carry(sites_, std::move(datagram)); };
    sites_.send = [this](Instant, ike::Datagram datagram) { carry(hub_, std::move(datagram)); };
    for (auto* gate : {&hub_, &sites_}) {
      gate->kernel_delay = [] { return Duration(std::chrono::microseconds(20)); };
    }
    hub_.told = [this](const ike::Event& event) { count(event); };
    sites_.told = [this](const ike::Event& event) { follow(event); };
    at(now_, [this] { tick(); });
  }

  FleetResult play() {
    run_until(now_ + minutes(10));
    for (int day = 0; day < options_.days; ++day) {
      const auto evening = Instant{} + kDay * (day + 1);
      plan_outages(evening - kQuiet);
      at(now_ + hours(9), [this] { reload(); });
      run_until(evening);
      judge(day);
    }
    return std::move(result_);
  }

 private:
  // ----------------------------------------------------------------------------------------- configuration
  [[nodiscard]] base::Address outer(std::size_t site) const { return numbered("100", site + 1); }
  std::size_t site_of(const base::Address& outer) const {
    const auto octets = outer.raw();
    return (std::size_t{octets[1]} << 16 | std::size_t{octets[2]} << 8 | octets[3]) - 1;
  }

  [[nodiscard]] std::shared_ptr<const ike::ConnConfig> conn(std::size_t site, bool hub) const {
    auto out = std::make_shared<ike::ConnConfig>();
    out->name = fmt::format("site-{}", site);
    (hub ? out->remote_addrs : out->local_addrs) = {base::Prefix::host(outer(site))};
    if (!hub) out->remote_addrs = {base::Prefix::host(hub_address_)};
    out->proposals = *ike::parse_proposals(ike::Protocol::ike, "aes128gcm16-prfsha256-x25519");
    out->dpd_delay = hours(2);
    out->time = {86400, 95040, 8640};
    out->unique = ike::Unique::replace;
    ike::ChildConfig child;
    child.name = "net";
    child.esp_proposals = pfs_[site] ? with_pfs_ : plain_;
    child.local_ts = {ts(numbered(hub ? "10" : "11", site + 1))};
    child.remote_ts = {ts(numbered(hub ? "11" : "10", site + 1))};
    child.time = {14400, 15840, 1440};
    out->children.push_back(std::move(child));
    return out;
  }

  [[nodiscard]] Side side(bool hub) const {
    Side out;
    auto config = std::make_shared<ike::Config>();
    for (std::size_t site = 0; site < options_.tunnels; ++site) {
      if (gone_[site]) continue;
      config->conns.push_back(conn(site, hub));
      const auto& child = config->conns.back()->children.front();
      sad::ChildPlan plan;
      plan.conn = config->conns.back()->name;
      plan.child = child.name;
      plan.local_ts = {child.local_ts[0].ts};
      plan.remote_ts = {child.remote_ts[0].ts};
      out.plan.children.push_back(std::move(plan));
    }
    config->secrets.push_back({"psk", {}, base::Secret::copy_of(base::as_bytes("correct horse battery staple"))});
    config->retransmission = {seconds(2), 1.5, 8, seconds(20)};
    config->cookie_threshold = 0;
    out.config = std::move(config);
    return out;
  }

  [[nodiscard]] Gate::Setting setting(bool hub) const {
    auto own = side(hub);
    Gate::Setting out{hub ? "hub" : "sites",         hub ? 0U : 1U,         options_.seed * 2 + (hub ? 0 : 1),
                      hub ? hub_address_ : outer(0), std::move(own.config), std::move(own.plan)};
    out.keeps_keys = false;  // some millions of them
    out.slots = static_cast<std::uint32_t>(8 * options_.tunnels + 64);
    return out;
  }

  // Some sites get or lose PFS, and are rekeyed for it; some go, and those that went come back.
  void reload() {
    ++result_.reloads;
    std::vector<std::size_t> changed;
    for (std::size_t site = 0; site < options_.tunnels; ++site) {
      if (gone_[site]) {
        gone_[site] = false;
        down_.emplace(site, now_ + seconds(5));
      } else if (below(200) == 0) {
        gone_[site] = true;
        down_.erase(site);
      } else if (below(50) == 0) {
        pfs_[site] = !pfs_[site];
        changed.push_back(site);
      }
    }
    for (auto* gate : {&hub_, &sites_}) {
      auto own = side(gate == &hub_);
      gate->load(now_, std::move(own.config), own.plan);
    }
    for (const auto site : changed) {
      sites_.command(now_, ike::Rekey{sites_.next_id(), fmt::format("site-{}", site), "net", {}, {}});
    }
  }

  // ------------------------------------------------------------------------------------------- what happens
  // Four times a day the way to a twentieth of the sites is cut for a while: up to ten minutes.
  void plan_outages(Instant until) {
    for (int number = 0; number < 4; ++number) {
      const auto begin = now_ + milliseconds(below(static_cast<std::uint64_t>((until - now_) / milliseconds(1))));
      const auto first = below(options_.tunnels);
      at(begin, [this, first] {
        ++result_.outages;
        cut_ = {first, first + std::max<std::size_t>(1, options_.tunnels / 20)};
        at(now_ + seconds(5 + below(600)), [this] { cut_.reset(); });
      });
    }
  }

  // A site that is down tries again, as start_action = start does.
  void tick() {
    for (auto& [site, due] : down_) {
      if (due > now_) continue;
      due = now_ + kPatience;
      sites_.command(
          now_, ike::Initiate{
                    sites_.next_id(), fmt::format("site-{}", site), "net", {outer(site), 500}, {hub_address_, 500}});
    }
    at(now_ + kTick, [this] { tick(); });
  }

  void follow(const ike::Event& event) {
    using Kind = ike::Event::Kind;
    if (event.kind != Kind::child_up && event.kind != Kind::child_down) return;
    const auto site = std::stoul(event.conn.substr(5));
    if (event.kind == Kind::child_up) {
      down_.erase(site);
    } else if (!gone_[site]) {
      down_.emplace(site, now_ + kTick);
    }
  }

  void count(const ike::Event& event) {
    using Kind = ike::Event::Kind;
    if (event.kind == Kind::child_rekeyed || event.kind == Kind::ike_rekeyed) ++rekeys_;
    if (event.kind == Kind::child_down) ++downs_;
  }

  void carry(Gate& to, ike::Datagram datagram) {
    ++result_.datagrams;
    const auto site = site_of(&to == &hub_ ? datagram.local.address : datagram.remote.address);
    const bool dark = cut_ && site >= cut_->first && site < cut_->second;
    if (dark || below(1000) < kLossPerMille) {
      ++result_.lost;
      return;
    }
    std::swap(datagram.local, datagram.remote);
    const int copies = below(1000) < kLossPerMille ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      at(now_ + milliseconds(5 + below(30)), [this, &to, datagram] { to.datagram(now_, datagram); });
    }
  }

  void at(Instant when, std::function<void()> what) { agenda_.emplace(when, std::move(what)); }
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

  void run_until(Instant end) {
    for (;;) {
      std::optional<Instant> next;
      if (!agenda_.empty()) next = agenda_.begin()->first;
      for (const auto* gate : {&hub_, &sites_}) {
        if (const auto due = gate->next_due(); due && (!next || *due < *next)) next = due;
      }
      if (!next || *next > end) break;
      now_ = std::max(now_, *next);
      for (auto* gate : {&hub_, &sites_}) {
        if (const auto due = gate->next_due(); due && *due <= now_) gate->due(now_);
        if (!gate->fault().empty()) result_.why = gate->fault();
      }
      while (!agenda_.empty() && agenda_.begin()->first <= now_) {
        auto what = std::move(agenda_.begin()->second);
        agenda_.erase(agenda_.begin());
        what();
      }
    }
    now_ = std::max(now_, end);
  }

  // --------------------------------------------------------------------------------------------- what is left
  void fail(int day, std::string what) {
    if (result_.why.empty()) result_.why = fmt::format("day {}: {}", day + 1, what);
  }

  void judge(int day) {
    check_sas(day);
    Day out;
    out.heap = ~std::size_t{0};
    // There is always a rekey under way somewhere; the least of some looks is what is there without any.
    for (int look = 0; look < 20; ++look) {
      run_until(now_ + seconds(15));
      out.heap = std::min(out.heap, heap_in_use());
    }
    out.files = open_files();
    out.rekeys = rekeys_;
    out.downs = downs_;
    result_.days.push_back(out);
    const auto& first = result_.days.front();
    // The share of four tunnels beside: with a few hundred of them what a site happens to hold is seen in the sum.
    if (out.heap > first.heap + first.heap / 100 + 4 * first.heap / options_.tunnels) {
      fail(day, fmt::format("the heap grew from {} to {} octets", first.heap, out.heap));
    }
    if (out.files != first.files) fail(day, fmt::format("{} files are open, {} were", out.files, first.files));
    if (options_.progress) {
      fmt::print(stderr, "day {}: {} octets of heap, {} files, {} rekeys, {} children down so far, {} datagrams{}{}\n",
                 day + 1, out.heap, out.files, out.rekeys, out.downs, result_.datagrams,
                 result_.why.empty() ? "" : "; ", result_.why);
    }
  }

  // What is odd now and two minutes later is not on its way anywhere.
  void check_sas(int day) {
    const auto odd_hub = hub_.odd_sas(now_), odd_sites = sites_.odd_sas(now_);
    run_until(now_ + minutes(2));
    check_sas(day, hub_, odd_hub);
    check_sas(day, sites_, odd_sites);
  }

  void check_sas(int day, Gate& gate, const std::set<xfrm::SaId>& odd) {
    const char* name = &gate == &hub_ ? "hub" : "sites";
    for (const auto& id : gate.odd_sas(now_)) {
      if (odd.contains(id)) return fail(day, fmt::format("{}: SA {} is not known by all", name, id.spi.text()));
    }
    std::map<std::string, int> up;
    for (const auto& ike : gate.list(now_)) {
      if (ike.state == "ESTABLISHED" && !ike.children.empty()) ++up[ike.conn];
    }
    for (std::size_t site = 0; site < options_.tunnels; ++site) {
      if (!gone_[site] && up[fmt::format("site-{}", site)] != 1) {
        return fail(day, fmt::format("{}: site {} is up {} times", name, site, up[fmt::format("site-{}", site)]));
      }
    }
  }

  FleetOptions options_;
  std::mt19937_64 random_;
  std::vector<ike::Proposal> plain_, with_pfs_;
  std::vector<bool> pfs_, gone_;
  base::Address hub_address_ = *base::Address::parse("192.0.2.1");
  Instant now_{};
  std::map<std::size_t, Instant> down_;  // sites, and when each is to try
  std::optional<std::pair<std::size_t, std::size_t>> cut_;
  std::multimap<Instant, std::function<void()>> agenda_;
  std::uint64_t rekeys_ = 0, downs_ = 0;
  FleetResult result_;
  Gate hub_, sites_;
};

}  // namespace

FleetResult run_fleet(const FleetOptions& options) { return Fleet(options).play(); }

}  // namespace espgate::soak
