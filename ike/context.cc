// SPDX-License-Identifier: Apache-2.0
#include "ike/context.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include "ike/crypto/prf.h"
#include "ike/record.h"

namespace espgate::ike {

bool Bucket::take(base::Instant now) {
  if (!started_ || now - since_ >= std::chrono::seconds(1)) {
    started_ = true;
    since_ = now;
    used_ = 0;
  }
  if (used_ >= per_second_) return false;
  ++used_;
  return true;
}

Context::Context(EngineOptions opts, Rng& random)
    : options(std::move(opts)),
      rng(random),
      config(std::make_shared<const Config>()),
      events(options.noise_per_second),
      answers(options.noise_per_second) {}

std::int64_t Context::epoch_seconds() const {
  if (options.wall_clock) return options.wall_clock(now);
  return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
}

// ---------------------------------------------------------------------- actions

void Context::send(const IkeSa& sa, base::Bytes message) {
  emit(Send{Datagram{sa.local, sa.remote, sa.natt, std::move(message)}});
}

namespace {

bool worth_a_view(Event::Kind kind) {
  using enum Event::Kind;
  return kind == ike_up || kind == ike_down || kind == child_up || kind == child_down;
}

}  // namespace

void Context::event(Event::Kind kind, const IkeSa& sa, std::optional<Failure> failure, std::string detail) {
  if (kind == Event::Kind::peer_refused && failure) count(failure->code);
  Event out{kind, sa.id, {}, sa.conn_name(), {}, sa.local, sa.remote, std::move(failure), std::move(detail)};
  if (worth_a_view(kind)) out.view = std::make_shared<const IkeView>(view(sa));
  emit(std::move(out));
}

void Context::event(Event::Kind kind, const IkeSa& sa, const Child& child, std::optional<Failure> failure,
                    std::string detail) {
  Event out{kind,     sa.id,     child.id,           sa.conn_name(),   child.config->name,
            sa.local, sa.remote, std::move(failure), std::move(detail)};
  if (worth_a_view(kind)) {
    auto seen = view(sa);
    const bool there = sa.children.contains(child.id);
    if (!there) seen.children.push_back(view(sa, child));
    out.view = std::make_shared<const IkeView>(std::move(seen));
  }
  emit(std::move(out));
}

void Context::noise(Event::Kind kind, const base::Endpoint& local, const base::Endpoint& remote, Reason code,
                    std::string step, std::string text) {
  count(code);
  if (!events.take(now)) return;
  emit(Event{kind, {}, {}, {}, {}, local, remote, Failure{code, std::move(step), std::move(text), {}}, {}});
}

void Context::done(RequestId id, std::optional<Failure> failure, std::uint32_t matched) {
  emit(CommandDone{id, std::move(failure), matched});
}

void Context::done(std::vector<RequestId>& ids, const std::optional<Failure>& failure) {
  for (auto id : std::exchange(ids, {})) {
    auto found = parts_.find(id);
    if (found == parts_.end()) {
      done(id, failure);
      continue;
    }
    auto& parts = found->second;
    if (failure && !parts.failure) parts.failure = failure;
    if (!failure) ++parts.matched;
    if (--parts.open != 0) continue;
    auto node = parts_.extract(found);
    done(id, std::move(node.mapped().failure), node.mapped().matched);
  }
}

// ---------------------------------------------------------------------- SAs

base::IkeSpi Context::new_ike_spi() {
  base::IkeSpi spi;
  do {
    spi.value = (rng.u64() & ~std::uint64_t{63}) | (options.index & 63U);
    // Small numbers are keys of other records (Record in ike/api.h).
  } while (spi.value >> 32U == 0 || sas_.contains(spi));
  return spi;
}

IkeSa& Context::create_rekeyed(const IkeSa& from, bool initiator, base::IkeSpi ours, base::IkeSpi peers) {
  auto sa = std::make_unique<IkeSa>();
  sa->id = {high_bits() | ++last_ike_};
  sa->initiator = initiator;
  sa->state = State::established;
  sa->spi_i = initiator ? ours : peers;
  sa->spi_r = initiator ? peers : ours;
  sa->local = from.local;
  sa->remote = from.remote;
  sa->natt = from.natt;
  sa->nat_local = from.nat_local;
  sa->nat_remote = from.nat_remote;
  sa->conn = from.conn;
  sa->local_id = from.local_id;
  sa->remote_id = from.remote_id;
  sa->created_at = sa->established_at = sa->last_heard = now;
  touched_.insert(ours);
  return *sas_.emplace(ours, std::move(sa)).first->second;
}

IkeSa& Context::create(bool initiator, base::IkeSpi peer_spi, const base::Endpoint& local,
                       const base::Endpoint& remote) {
  const auto spi = new_ike_spi();
  auto sa = std::make_unique<IkeSa>();
  sa->id = {high_bits() | ++last_ike_};
  sa->initiator = initiator;
  sa->peer_began = !initiator;
  sa->state = initiator ? State::init_sent : State::init_replied;
  sa->spi_i = initiator ? spi : peer_spi;
  sa->spi_r = initiator ? base::IkeSpi{} : spi;
  sa->local = local;
  sa->remote = remote;
  sa->created_at = sa->last_heard = now;
  sa->setup = std::make_unique<Setup>();
  if (!initiator) {
    sa->initial_remote = remote;
    initials_.emplace(std::pair(remote, peer_spi), spi);
    ++half_open_;
    ++half_open_sources_[remote.address];
  }
  touched_.insert(spi);
  return *sas_.emplace(spi, std::move(sa)).first->second;
}

std::size_t Context::half_open(const base::Address& source) const {
  const auto it = half_open_sources_.find(source);
  return it == half_open_sources_.end() ? 0 : it->second;
}

void Context::left_half_open(const IkeSa& sa) {
  --half_open_;
  const auto it = half_open_sources_.find(sa.initial_remote.address);
  if (it != half_open_sources_.end() && --it->second == 0) half_open_sources_.erase(it);
}

IkeSa* Context::adopt(std::unique_ptr<IkeSa> sa) {
  const auto spi = sa->our_spi();
  const auto [it, fresh] = sas_.emplace(spi, std::move(sa));
  if (!fresh) return nullptr;
  auto& adopted = *it->second;
  constexpr auto kCount = (std::uint64_t{1} << 40U) - 1;
  std::uint64_t children = 0;
  for (const auto& [id, child] : adopted.children) {
    children = std::max(children, id.value & kCount);
    claim(child.spi_in);
  }
  numbers_given(adopted.id.value & kCount, children);
  recorded_.insert(spi);
  touch(adopted);
  return &adopted;
}

void Context::numbers_given(std::uint64_t ikes, std::uint64_t children) {
  last_ike_ = std::max(last_ike_, ikes);
  last_child_ = std::max(last_child_, children);
}

IkeSa* Context::find(base::IkeSpi ours) {
  auto it = sas_.find(ours);
  return it == sas_.end() ? nullptr : it->second.get();
}

IkeSa* Context::find(base::IkeId id) {
  const auto it = std::ranges::find_if(sas_, [&](const auto& entry) { return entry.second->id == id; });
  return it == sas_.end() ? nullptr : it->second.get();
}

IkeSa* Context::owner_of(base::ChildId id) {
  const auto it = std::ranges::find_if(sas_, [&](const auto& entry) { return entry.second->children.contains(id); });
  return it == sas_.end() ? nullptr : it->second.get();
}

namespace {

std::uint64_t key_of(const Identity& peer) {
  return std::max<std::uint64_t>(1, std::hash<std::string_view>()(base::as_text(peer.data)));
}

}  // namespace

std::vector<IkeSa*> Context::sas_with(const Identity& remote) {
  const auto key = key_of(remote);
  std::set<base::IkeSpi> spis(touched_);
  for (auto it = peers_.lower_bound({key, {}}); it != peers_.end() && it->first == key; ++it) spis.insert(it->second);
  std::vector<IkeSa*> out;
  for (const auto spi : spis) {
    auto* sa = find(spi);
    if (sa != nullptr && sa->remote_id == remote) out.push_back(sa);
  }
  return out;
}

void Context::index_peer(IkeSa& sa, std::uint64_t key) {
  if (sa.peer_key == key) return;
  if (sa.peer_key != 0) peers_.erase({sa.peer_key, sa.our_spi()});
  if (key != 0) peers_.emplace(key, sa.our_spi());
  sa.peer_key = key;
}

IkeSa* Context::find_initial(const base::Endpoint& remote, base::IkeSpi spi_i, base::ByteView message) {
  auto [first, last] = initials_.equal_range({remote, spi_i});
  if (first == last) return nullptr;
  const auto digest = crypto::sha256({message});
  for (auto it = first; it != last && digest; ++it) {
    auto* sa = find(it->second);
    if (sa != nullptr && sa->initial_request == *digest) return sa;
  }
  return nullptr;
}

// ---------------------------------------------------------------------- numbers

base::Spi Context::new_esp_spi() {
  std::uint32_t value = 0;
  do {
    value = (rng.u32() & ~std::uint32_t{63}) | (options.index & 63U);
  } while (value < 256 || !esp_spis_.insert(value).second);  // RFC 4303 2.1: 0-255 are reserved
  return {value};
}

RequestId Context::new_install(const IkeSa& sa, base::ChildId child) {
  const RequestId id{high_bits() | ++last_install_};
  installs_.emplace(id, std::pair(sa.our_spi(), child));
  return id;
}

void Context::move_install(RequestId id, const IkeSa& to) {
  if (auto it = installs_.find(id); it != installs_.end()) it->second.first = to.our_spi();
}

std::optional<std::pair<base::IkeSpi, base::ChildId>> Context::take_install(RequestId id) {
  auto node = installs_.extract(id);
  if (node.empty()) return std::nullopt;
  return node.mapped();
}

// ---------------------------------------------------------------------- commands that wait

void Context::wait_for(RequestId id, Closing closing) { closings_.insert_or_assign(id, std::move(closing)); }

void Context::gone(base::IkeId id) {
  for (auto& [request, closing] : closings_) closing.ikes.erase(id);
}

void Context::gone(base::ChildId id) {
  for (auto& [request, closing] : closings_) closing.children.erase(id);
}

void Context::also(base::IkeId id, base::IkeId heir) {
  for (auto& [request, closing] : closings_) {
    if (closing.ikes.contains(id)) closing.ikes.insert(heir);
  }
}

void Context::complete_closings() {
  for (auto it = closings_.begin(); it != closings_.end();) {
    if (it->second.ikes.empty() && it->second.children.empty()) {
      done(it->first, {}, it->second.matched);
      it = closings_.erase(it);
    } else {
      ++it;
    }
  }
}

// ---------------------------------------------------------------------- the frame

void Context::settle(base::IkeSpi spi) {
  auto it = sas_.find(spi);
  if (it == sas_.end()) return;
  auto& sa = *it->second;
  if (sa.scheduled) timers_.erase({*sa.scheduled, spi});
  sa.scheduled.reset();
  const bool findable = !sa.dead && (sa.up() || sa.state == State::rekeyed);
  index_peer(sa, findable ? key_of(sa.remote_id) : 0);
  if (!sa.dead) {
    sa.scheduled = sa.next_due();
    if (sa.scheduled) timers_.emplace(*sa.scheduled, spi);
    return;
  }
  if (!sa.initiator) {
    auto [first, last] = initials_.equal_range({sa.initial_remote, sa.spi_i});
    for (auto entry = first; entry != last; ++entry) {
      if (entry->second != spi) continue;
      initials_.erase(entry);
      break;
    }
  }
  sas_.erase(it);
}

std::vector<Action> Context::finish() {
  const auto changed = std::exchange(touched_, {});
  for (auto spi : changed) settle(spi);
  complete_closings();
  if (options.records) make_record(changed);
  return std::exchange(out_, {});
}

// First of all actions: see Record in ike/api.h.
void Context::make_record(const std::set<base::IkeSpi>& changed) {
  Record out;
  if (last_ike_ >= ikes_reserved_ || last_child_ >= children_reserved_) {
    ikes_reserved_ = last_ike_ + record::kNumbersReserve;
    children_reserved_ = last_child_ + record::kNumbersReserve;
    out.entries.push_back({0, record::encode(record::Numbers{ikes_reserved_, children_reserved_})});
  }
  record::Besides beside;
  for (const auto& [sends, waits] : besides) {
    const bool theirs = std::ranges::any_of(changed, [&](base::IkeSpi spi) {
      const auto* sa = find(spi);
      return sa != nullptr && sa->children.contains(waits);
    });
    if (theirs) beside.emplace(waits, sends);
  }
  for (const auto spi : changed) {
    auto* sa = find(spi);
    base::Secret octets;
    // What was never up is not recorded when it is over either.
    if (sa != nullptr && record::worthy(*sa) && (sa->state != State::closed || recorded_.contains(spi))) {
      octets = record::encode(*sa, beside);
    }
    if (octets.empty() && recorded_.erase(spi) == 0) continue;
    if (!octets.empty()) recorded_.insert(spi);
    out.entries.push_back({spi.value, std::move(octets)});
  }
  if (!out.entries.empty()) out_.insert(out_.begin(), Action(std::move(out)));
}

std::optional<base::Instant> Context::next_timer() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first;
}

std::optional<base::IkeSpi> Context::due() {
  if (timers_.empty() || timers_.begin()->first > now) return std::nullopt;
  return timers_.begin()->second;
}

}  // namespace espgate::ike
