// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/soak/world.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "ike/wire/header.h"
#include "ike/wire/types.h"

namespace espgate::soak {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kLookEvery = milliseconds(250);  // the gateway's, at SAs whose outbound half waits
const auto kHostA = *base::Address::parse("10.1.0.9");
const auto kHostB = *base::Address::parse("10.2.0.9");

std::vector<ike::Proposal> proposals(ike::Protocol protocol, std::string_view text) {
  return *ike::parse_proposals(protocol, text);
}

ike::TsConfig ts(const char* text) { return {false, base::TrafficSelector::of(*base::Prefix::parse(text))}; }

// Of a gate whose side of the tunnel is `local`. The seed chooses what is offloaded and whether there is PFS, and a few
// have additional key exchanges.
Gate::Setting setting(const RunOptions& options, std::uint32_t engine) {
  const bool first = engine == 0;
  const std::pair<const char*, const char*> nets =
      first ? std::pair("10.1.0.0/16", "10.2.0.0/16") : std::pair("10.2.0.0/16", "10.1.0.0/16");
  auto conn = std::make_shared<ike::ConnConfig>();
  conn->name = "site";
  const bool more = options.seed % 11 == 5;
  conn->proposals =
      proposals(ike::Protocol::ike, more ? "aes128gcm16-prfsha256-x25519-ke1_x448" : "aes128gcm16-prfsha256-x25519");
  conn->dpd_delay = seconds(30);
  ike::ChildConfig child;
  child.name = "net";
  child.esp_proposals = proposals(ike::Protocol::esp, more                    ? "aes128gcm16-x25519-ke1_x448-ke2_x25519"
                                                      : options.seed % 3 == 0 ? "aes128gcm16-x25519"
                                                                              : "aes128gcm16");
  child.local_ts = {ts(nets.first)};
  child.remote_ts = {ts(nets.second)};
  child.offload = options.seed % 2 == 0 ? base::OffloadWanted::automatic : base::OffloadWanted::no;
  if (options.hours != 0) {
    child.time = {3600, 3960, 360};
    conn->time = {14400, 15840, 1440};
  }
  conn->children.push_back(child);
  auto config = std::make_shared<ike::Config>();
  config->conns.push_back(std::move(conn));
  config->secrets.push_back({"psk", {}, base::Secret::copy_of(base::as_bytes("correct horse battery staple"))});
  config->retransmission = {seconds(2), 1.5, 12, seconds(10)};
  config->half_open_timeout = seconds(120);

  sad::ChildPlan plan;
  plan.conn = "site";
  plan.child = "net";
  plan.local_ts = {child.local_ts[0].ts};
  plan.remote_ts = {child.remote_ts[0].ts};
  plan.offload = child.offload;
  return {first ? "a" : "b",         engine,
          options.seed * 2 + engine, *base::Address::parse(first ? "192.0.2.1" : "198.51.100.2"),
          std::move(config),         sad::Plan{{std::move(plan)}}};
}

}  // namespace

World::World(const RunOptions& options)
    : a(setting(options, 0)),
      b(setting(options, 1)),
      options_(options),
      random_(options.seed * 0x9e3779b97f4a7c15ULL + 1) {
  result.seed = options.seed;
  const auto most = static_cast<std::uint64_t>(options.loss);
  weather_ = {static_cast<int>(below(most + 1)), static_cast<int>(below(most + 1)), below(4) * 100};
  for (auto* gate : {&a, &b}) {
    Gate& to = gate == &a ? b : a;
    gate->send = [this, &to](Instant, ike::Datagram datagram) { carry(to, std::move(datagram)); };
    gate->kernel_delay = [this] { return milliseconds(below(calm_ ? 5 : 40)); };
    if (options.trace) {
      const char* name = gate == &a ? "a" : "b";
      gate->told = [this, name](const ike::Event& event) {
        trace(fmt::format("   {} event {} of child {}: {}{}", name, static_cast<int>(event.kind), event.child_id.value,
                          event.detail, event.failure ? event.failure->text : std::string()));
      };
    }
    // A device that has a bad day now and then.
    gate->kernel.devices[kNic].answer = [this](const xfrm::SaSpec&) {
      xfrm::DeviceAnswer out;
      if (!calm_ && options_.hours == 0 && chance(10))
        out = {xfrm::DeviceAnswer::Kind::refused, 28, "No space for SA in table!"};
      return out;
    };
  }
  if (options.hours == 0 && options.seed % 4 == 1) {
    nat_.emplace();
    map_anew();
  }
  at(now + probe_every(), [this] { probe(); });
}

void World::trace(const std::string& line) const {
  if (options_.trace) fmt::print("{:10.3f} {}\n", std::chrono::duration<double>(now.time_since_epoch()).count(), line);
}

Duration World::probe_every() const { return options_.hours != 0 ? seconds(1) : milliseconds(100); }

Duration World::travel() { return milliseconds(10 + (weather_.jitter_ms != 0 ? below(weather_.jitter_ms) : 0)); }

void World::carry(Gate& to, ike::Datagram datagram) {
  const auto header = ike::wire::parse_header(datagram.data);
  const bool lost = chance(weather_.loss);
  if (options_.trace && header) {
    trace(fmt::format("{} {} {} id {} spi {}{}", &to == &a ? "b->a" : "a->b", ike::wire::name_of(header->exchange),
                      header->response ? "response" : "request", header->message_id, header->spi_i.text().substr(0, 4),
                      lost ? " LOST" : ""));
  }
  if (lost) return;
  std::swap(datagram.local, datagram.remote);
  if (!through_nat(to, datagram)) return;
  const int copies = chance(weather_.repeat) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    at(now + travel(), [this, &to, datagram] { to.datagram(now, datagram); });
  }
}

void World::map_anew() {
  if (!nat_) return;
  ++nat_->mappings;
  nat_->outside = *base::Address::parse(fmt::format("203.0.113.{}", 1 + nat_->mappings % 250));
  trace(fmt::format("a is seen from {}", nat_->outside.text()));
}

// As the receiver sees it: `local` is the receiver's end.
bool World::through_nat(Gate& to, ike::Datagram& datagram) {
  if (!nat_) return true;
  if (&to == &b) {
    datagram.remote = {nat_->outside, static_cast<std::uint16_t>(datagram.remote.port + 20000)};
    return true;
  }
  if (datagram.local.address != nat_->outside) return false;
  datagram.local = {a.address(), static_cast<std::uint16_t>(datagram.local.port - 20000)};
  return true;
}

// b still sends to a mapping that is gone. It can know better from the first packet of a on.
void World::not_followed() {
  if (!nat_->lost_since) nat_->lost_since = now;
  if (calm_ && now - *nat_->lost_since > seconds(60)) result.why = "the peer's new mapping was not followed";
}

void World::calm() {
  calm_ = true;
  if (nat_) nat_->lost_since.reset();
  weather_ = {};
}

void World::probe() {
  packet(a, b);
  packet(b, a);
  const auto live = std::max(a.live_generations(), b.live_generations());
  result.max_generations = std::max(result.max_generations, live);
  if (!calm_ || live < 2) {
    two_since_.reset();
  } else {
    if (!two_since_) two_since_ = now;
    result.two_generations_s =
        std::max(result.two_generations_s, std::chrono::duration<double>(now - *two_since_).count());
  }
  at(now + probe_every(), [this] { probe(); });
}

void World::packet(Gate& from, Gate& to) {
  const auto source = &from == &a ? kHostA : kHostB;
  const auto destination = &from == &a ? kHostB : kHostA;
  const auto* policy = from.kernel.lookup(xfrm::PolicyDirection::out, source, destination);
  if (policy == nullptr || (policy->action == xfrm::PolicyAction::allow && !policy->esp)) {
    ++result.plaintext;
    return trace("PLAINTEXT");
  }
  if (policy->action == xfrm::PolicyAction::block) return;
  auto sa = from.kernel.outbound_for(*policy->esp);
  if (!sa) return arrive(from, to, {}, 0, now);
  const auto key = from.kernel.key_mark(*sa);
  if (nat_ && &from == &b) {
    if (sa->destination != nat_->outside) return not_followed();
    nat_->lost_since.reset();
    sa->destination = a.address();
  }
  at(now + travel(), [this, &from, &to, sa = *sa, key, sent = now] { arrive(from, to, sa, key, sent); });
}

void World::arrive(Gate& from, Gate& to, xfrm::SaId sa, std::size_t key, Instant sent) {
  const auto* state = to.kernel.find(sa);
  const bool received = state != nullptr && to.kernel.key_mark(sa) == key && !to.kernel.outbound(sa);
  if (received) {
    const auto* policy =
        to.kernel.lookup(xfrm::PolicyDirection::forward, &from == &a ? kHostA : kHostB, &from == &a ? kHostB : kHostA);
    if (policy != nullptr && policy->esp && policy->esp->reqid == state->reqid) {
      if (to.waits(sa)) at(now + kLookEvery, [this, &to, sa] { to.used(now, sa); });
      if (nat_ && &to == &b) to.mapped(now, sa, {nat_->outside, 24500});
      return;
    }
  }
  // While a side is down or on its way down, or has just come up or gone down, nobody can expect more.
  const auto settled = seconds(1);
  if (!a.meant_to_carry(now) || !b.meant_to_carry(now)) ended_at_ = now;
  if (ended_at_ + settled > sent || a.changed_at() + settled > sent || b.changed_at() + settled > sent) return;
  ++result.lost;
  trace(fmt::format("PACKET LOST {} to SPI {}: {}", &from == &a ? "a->b" : "b->a", sa.spi.text(),
                    sa.spi.value == 0 ? "no outbound SA"
                    : received        ? "policy"
                                      : "no inbound SA"));
}

void World::run_until(Instant end) {
  for (;;) {
    std::optional<Instant> next;
    if (!agenda_.empty()) next = agenda_.begin()->first;
    for (const auto* gate : {&a, &b}) {
      if (const auto due = gate->next_due(); due && (!next || *due < *next)) next = due;
    }
    if (!next || *next > end) break;
    now = std::max(now, *next);
    for (auto* gate : {&a, &b}) {
      if (const auto due = gate->next_due(); due && *due <= now) gate->due(now);
      if (!gate->fault().empty()) result.why = gate->fault();
    }
    while (!agenda_.empty() && agenda_.begin()->first <= now) {
      auto what = std::move(agenda_.begin()->second);
      agenda_.erase(agenda_.begin());
      what();
    }
  }
  now = std::max(now, end);
}

bool World::settled() {
  const auto one = a.list(now), other = b.list(now);
  if (one.size() != 1 || other.size() != 1 || !a.idle() || !b.idle()) return false;
  if (one[0].state != "ESTABLISHED" || other[0].state != "ESTABLISHED") return false;
  if (one[0].spi_i != other[0].spi_i || one[0].spi_r != other[0].spi_r) return false;
  if (one[0].children.size() != 1 || other[0].children.size() != 1) return false;
  const auto &mine = one[0].children[0], &theirs = other[0].children[0];
  if (mine.state != "INSTALLED" || theirs.state != "INSTALLED") return false;
  if (mine.spi_in != theirs.spi_out || mine.spi_out != theirs.spi_in) return false;
  if (nat_ && other[0].remote.address != nat_->outside) return false;
  return a.kernel.sa_count() == 2 && b.kernel.sa_count() == 2 && a.up() && b.up();
}

}  // namespace espgate::soak
