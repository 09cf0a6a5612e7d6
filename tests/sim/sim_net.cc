// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_net.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "ike/wire/header.h"

namespace espgate::sim {

// ------------------------------------------------------------------------------------------------------ Host

namespace {
ike::Engine::Options recording(ike::Engine::Options options) {
  options.records = true;
  return options;
}
}  // namespace

Host::Host(Net& net, std::string name, std::string address, std::uint64_t seed, ike::Engine::Options options)
    : net_(net),
      name_(std::move(name)),
      address_(base::Address::parse(address).value()),
      rng_(seed),
      options_(recording(std::move(options))),
      engine_(options_, rng_) {
  net_.attach(this);
}

void Host::load(ike::Config config) {
  config_ = std::make_shared<const ike::Config>(std::move(config));
  command(ike::Load{config_});
}

ike::RequestId Host::initiate(const std::string& conn, const std::string& child, const Host& peer) {
  return initiate(conn, child, base::Endpoint{peer.address(), 500});
}

ike::RequestId Host::initiate(const std::string& conn, const std::string& child, const base::Endpoint& peer) {
  const ike::RequestId id{++last_request_};
  command(ike::Initiate{id, conn, child, {address_, 500}, peer});
  return id;
}

ike::RequestId Host::terminate(ike::Terminate what) {
  what.id = {++last_request_};
  const auto id = what.id;
  command(std::move(what));
  return id;
}

ike::RequestId Host::rekey(ike::Rekey what) {
  what.id = {++last_request_};
  const auto id = what.id;
  command(std::move(what));
  return id;
}

ike::RequestId Host::shutdown() {
  const ike::RequestId id{++last_request_};
  command(ike::Shutdown{id});
  return id;
}

std::vector<ike::IkeView> Host::list() {
  command(ike::List{{++last_request_}});
  return std::move(listed_->ikes);
}

const ike::ListResult& Host::listed() {
  command(ike::List{{++last_request_}});
  return *listed_;
}

void Host::command(ike::Command what) {
  if (!dead_) act(engine_.on_command(net_.now, std::move(what)));
}

void Host::datagram(ike::Datagram what) {
  if (!dead_) act(engine_.on_datagram(net_.now, std::move(what)));
}

void Host::kill(milliseconds away, int after) {
  reborn_after = away;
  die_after_ = after;
  if (after == 0) die(away);
}

void Host::die(milliseconds away) {
  if (dead_) return;
  dead_ = true;
  die_after_ = 0;
  engine_ = ike::Engine(options_, rng_);
  net_.at(net_.now + away, [this] { be_reborn(); });
}

ike::Kept Host::kept(const ike::KeptChild& child) {
  using enum ike::KeptChild::Was;
  const auto id = child.spec.id;
  if (child.was == retired) outbound.erase(id);
  const bool in = receiving.contains(id), out = outbound.contains(id);
  const bool old = child.was == retiring || child.was == retired;
  if (in && (out || old)) return {ike::Kept::State::up, {}, {}};
  if (in && (child.was == waiting || child.was == switching)) return {ike::Kept::State::waiting, {}, {}};
  return {};
}

void Host::be_reborn() {
  dead_ = false;
  ++lives;
  ike::Resume what;
  for (const auto& [key, octets] : records) what.records.push_back({key, octets.clone()});
  const auto children = ike::children_of(what.records, *config_);
  if (!children) throw std::logic_error(name_ + ": " + children.error());
  for (const auto& child : *children) what.kept[child.spec.id] = kept(child);
  std::erase_if(sad, [&](const auto& entry) {
    const auto known = what.kept.find(entry.first);
    if (known != what.kept.end() && known->second.state != ike::Kept::State::lost) return false;
    outbound.erase(entry.first);
    receiving.erase(entry.first);
    return true;
  });
  command(ike::Load{config_});
  command(std::move(what));
}

// AEAD alone: CBC's are random.
void Host::watch_ivs(const ike::Datagram& datagram) {
  const auto header = ike::wire::parse_header(datagram.data);
  if (!header || header->exchange == ike::wire::ExchangeType::ike_sa_init) return;
  const bool whole = header->next == ike::wire::PayloadType::sk;
  if (!whole && header->next != ike::wire::PayloadType::skf) return;
  base::ByteReader reader(datagram.data);
  reader.skip(whole ? 32 : 36);
  const auto iv = reader.u64();
  if (!iv || *iv > std::uint64_t{1} << 32U) return;  // a random one
  // Each IKE_INTERMEDIATE has keys of its own, and what follows them has the last ones.
  const bool between = header->exchange == ike::wire::ExchangeType::ike_intermediate;
  const Keys keys{header->spi_i, header->spi_r, between ? header->message_id : 0};
  const auto [it, fresh] = ivs_[keys].emplace(*iv, datagram.data);
  if (!fresh && it->second != datagram.data) ++ivs_reused;
}

const ike::CommandDone* Host::result(ike::RequestId id) const {
  auto it = done_.find(id);
  return it == done_.end() ? nullptr : &it->second;
}

ike::Reason Host::failed(ike::RequestId id) const {
  const auto* done = result(id);
  if (done == nullptr || !done->failure) throw std::logic_error(name_ + ": the command did not fail");
  return done->failure->code;
}

std::size_t Host::count(ike::Event::Kind kind) const {
  return static_cast<std::size_t>(std::ranges::count(events, kind, &ike::Event::kind));
}

const ike::Event* Host::last(ike::Event::Kind kind) const {
  for (auto it = events.rbegin(); it != events.rend(); ++it) {
    if (it->kind == kind) return &*it;
  }
  return nullptr;
}

void Host::act(std::vector<ike::Action> actions) {
  for (auto& action : actions) {
    take(std::move(action));
    if (die_after_ > 0 && --die_after_ == 0) return die(reborn_after);
  }
}

void Host::take(ike::Action&& action) {
  if (auto* record = std::get_if<ike::Record>(&action)) {
    for (auto& entry : record->entries) {
      longest_record = std::max(longest_record, entry.octets.size());
      if (entry.octets.empty()) {
        records.erase(entry.key);
      } else {
        records.insert_or_assign(entry.key, std::move(entry.octets));
      }
    }
  } else if (auto* send = std::get_if<ike::Send>(&action)) {
    watch_ivs(send->datagram);
    sent.emplace_back(net_.now, send->datagram);
    net_.send(std::move(send->datagram));
  } else if (auto* keepalive = std::get_if<ike::Keepalive>(&action)) {
    keepalives.emplace_back(net_.now, *keepalive);
  } else if (auto* order = std::get_if<ike::InstallChild>(&action)) {
    on_install(order->id, std::move(order->child), true);
  } else if (auto* inbound = std::get_if<ike::AddInbound>(&action)) {
    ++inbounds;
    on_install(inbound->id, std::move(inbound->child), false);
  } else if (auto* over = std::get_if<ike::SwitchOutbound>(&action)) {
    on_switch(*over);
  } else if (auto* retired = std::get_if<ike::RetireSa>(&action)) {
    on_retire(*retired);
  } else if (auto* gone = std::get_if<ike::RemoveChild>(&action)) {
    sad.erase(gone->id);
    outbound.erase(gone->id);
    receiving.erase(gone->id);
    removed.push_back(gone->id);
  } else if (auto* event = std::get_if<ike::Event>(&action)) {
    events.push_back(std::move(*event));
  } else if (auto* done = std::get_if<ike::CommandDone>(&action)) {
    if (!done_.emplace(done->id, *done).second) throw std::logic_error(name_ + ": a command was answered twice");
  } else {
    listed_ = std::move(std::get<ike::ListResult>(action));
  }
}

void Host::on_install(ike::RequestId request, ike::ChildSpec child, bool with_outbound) {
  ++installs;
  if (install == Install::never) return;
  ike::ChildAnswer answer{request, ike::ChildInstalled{}};
  const auto id = child.id;
  if (install == Install::refuse) {
    answer.result = ike::ChildRefused{"driver-refused", "nic0 refused: \"Cannot offload authenticated xfrm states\""};
  } else {
    sad.emplace(id, std::move(child));
    receiving.insert(id);
    if (with_outbound) outbound.insert(id);
  }
  const auto delay = install == Install::late ? base::Duration(seconds(20)) : base::Duration(install_delay);
  net_.at(net_.now + delay, [this, answer, life = lives] {
    if (!dead_ && life == lives) act(engine_.on_answer(net_.now, answer));
  });
}

void Host::on_switch(const ike::SwitchOutbound& order) {
  ++switches;
  if (!sad.contains(order.child)) throw std::logic_error(name_ + ": a child that is not there is to be switched to");
  ike::ChildAnswer answer{order.id, ike::ChildInstalled{}};
  if (refuse_switch) {
    answer.result = ike::ChildRefused{"device-full", "nic0 has no room"};
  } else if (!outbound.insert(order.child).second) {
    throw std::logic_error(name_ + ": an outbound key is installed twice");
  }
  net_.at(net_.now + install_delay, [this, answer, life = lives] {
    if (!dead_ && life == lives) act(engine_.on_answer(net_.now, answer));
  });
}

void Host::on_retire(const ike::RetireSa& order) {
  if (!sad.contains(order.id)) throw std::logic_error(name_ + ": a child that is not there is retired");
  outbound.erase(order.id);
  if (order.part == ike::RetireSa::Part::outbound) return;
  receiving.erase(order.id);
  sad.erase(order.id);
}

// ------------------------------------------------------------------------------------------------------ Net

void Net::put_behind_nat(const Host& inside, const std::string& outside) {
  const auto address = base::Address::parse(outside).value();
  for (auto& nat : nats_) {
    if (nat.inside != inside.address()) continue;
    nat.outside = address;
    return;
  }
  nats_.push_back({inside.address(), address, {}});
}

milliseconds Net::travel() {
  auto out = weather.delay;
  if (weather.jitter.count() > 0) out += milliseconds(random_() % static_cast<std::uint64_t>(weather.jitter.count()));
  return out;
}

void Net::send(ike::Datagram datagram) {
  if (filter && !filter(datagram)) return;
  for (auto& nat : nats_) {
    if (nat.inside != datagram.local.address) continue;
    const auto outside = static_cast<std::uint16_t>(20000 + datagram.local.port % 10000);
    nat.ports[outside] = datagram.local.port;
    datagram.local = {nat.outside, outside};
  }
  std::swap(datagram.local, datagram.remote);  // from here on as the receiver sees it
  if (chance(weather.loss)) return;
  if (chance(weather.duplicate)) at(now + travel(), [this, datagram] { deliver(datagram); });
  if (chance(weather.garble) && !datagram.data.empty()) {
    auto bad = datagram;
    bad.data[random_() % bad.data.size()] ^= static_cast<std::uint8_t>(1 + random_() % 255);
    at(now + travel() + milliseconds(1), [this, bad] { deliver(bad); });
  }
  at(now + travel(), [this, datagram] { deliver(datagram); });
}

void Net::deliver(ike::Datagram datagram) {
  for (const auto& nat : nats_) {
    if (nat.outside != datagram.local.address) continue;
    auto port = nat.ports.find(datagram.local.port);
    if (port == nat.ports.end()) return;
    datagram.local = {nat.inside, port->second};
  }
  datagram.natt = datagram.local.port == 4500;
  for (auto* host : hosts_) {
    if (host->address() == datagram.local.address) return host->datagram(std::move(datagram));
  }
}

bool Net::step(Instant limit) {
  std::optional<Instant> next;
  if (!agenda_.empty()) next = agenda_.begin()->first;
  for (auto* host : hosts_) {
    if (auto timer = host->engine().next_timer(); timer && (!next || *timer < *next)) next = *timer;
  }
  if (!next || *next > limit) return false;
  now = std::max(now, *next);
  for (auto* host : hosts_) {
    if (auto timer = host->engine().next_timer(); timer && *timer <= now) {
      host->act(host->engine().on_timer(now));
      if (auto again = host->engine().next_timer(); again && *again <= now) {
        throw std::logic_error(host->name() + ": a timer that is due stays due");
      }
    }
  }
  while (!agenda_.empty() && agenda_.begin()->first <= now) {
    auto what = std::move(agenda_.begin()->second);
    agenda_.erase(agenda_.begin());
    what();
  }
  return true;
}

void Net::run(base::Duration duration) {
  const auto limit = now + duration;
  while (step(limit)) {
  }
  now = limit;
}

bool Net::run_until(const std::function<bool()>& done, base::Duration limit) {
  const auto end = now + limit;
  while (!done()) {
    if (!step(end)) return done();
  }
  return true;
}

}  // namespace espgate::sim
