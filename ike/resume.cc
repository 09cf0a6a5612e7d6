// SPDX-License-Identifier: Apache-2.0
#include "ike/resume.h"

#include <algorithm>
#include <utility>

#include "ike/record.h"
#include "ike/task/child_install.h"
#include "ike/task/exchange.h"
#include "ike/task/generation.h"
#include "ike/task/lifetime.h"
#include "ike/task/nat_path.h"
#include "ike/task/reauth.h"
#include "ike/task/rekey_child.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

namespace {

constexpr char kStep[] = "resume";

KeptChild::Was was(const Child& child) {
  using enum KeptChild::Was;
  if (child.state == ChildState::installing) return installing;
  if (child.state == ChildState::retired) return child.unsend_at ? retiring : retired;
  if (child.outbound == Outbound::active) return up;
  return child.outbound == Outbound::waiting ? waiting : switching;
}

// The limits are the present configuration's, the soft ones as low as jitter may have made them.
std::uint64_t soft_limit(const Lifetime& lifetime) {
  if (lifetime.rekey == 0) return 0;
  return lifetime.rekey - std::min(lifetime.jitter, lifetime.rekey - 1);
}
ChildLimits limits_of(const ChildConfig& config) {
  return {soft_limit(config.bytes), config.bytes.life, soft_limit(config.packets), config.packets.life};
}

KeptChild kept_child(const IkeSa& sa, const Child& child) {
  KeptChild out;
  out.was = was(child);
  out.announced = child.announced;
  out.spec = spec_of(sa, child);
  out.spec.remote = child.remote;
  out.spec.limits = limits_of(*child.config);
  out.spec.keys.cipher_out = child.cipher_out.clone();
  out.spec.keys.auth_out = child.auth_out.clone();
  return out;
}

// ---------------------------------------------------------------------------------------------- children

void tell_gone(IkeSa& sa, const Child& child, Reason why) {
  sa.queue.emplace_back(DoDeleteChild{child.spi_in, {}, why, false, protocol_of(child.suite)});
}

// The peer has it, and here it did not come to be: it is deleted there and asked for anew.
void undo_installing(Context& ctx, IkeSa& sa, base::ChildId id) {
  auto node = sa.children.extract(id);
  auto& child = node.mapped();
  ctx.release(child.spi_in);
  tell_gone(sa, child, Reason::busy);
  if (child.replaces) return fall_back(ctx, sa, child);
  DoCreateChild create;
  create.offer.config = child.config;
  sa.queue.emplace_back(std::move(create));
}

// Somebody took its SAs away while nobody looked: another generation comes in its place.
void replace_lost(Context& ctx, IkeSa& sa, Child& child) {
  child.sends();
  child.switch_at.reset();
  if (sa.successor_of(child.id) == nullptr) queue_rekey(ctx, sa, child, {});
}

void go_on_installed(Context& ctx, IkeSa& sa, Child& child, const Kept& kept) {
  if (kept.state != Kept::State::lost) {
    child.carry({kept.in, kept.out});
  }
  if (child.outbound == Outbound::active) {
    if (kept.state != Kept::State::up) replace_lost(ctx, sa, child);
    return;
  }
  if (kept.state == Kept::State::up) {
    child.sends();
    child.switch_at.reset();
  } else if (kept.state == Kept::State::lost) {
    replace_lost(ctx, sa, child);
  } else if (std::exchange(child.outbound, Outbound::waiting) == Outbound::switching) {
    start_switch(ctx, sa, child);
  }
}

void forget(Context& ctx, IkeSa& sa, base::ChildId id) {
  ctx.release(sa.children.at(id).spi_in);
  sa.children.erase(id);
}

void go_on(Context& ctx, IkeSa& sa, base::ChildId id, const Kept& kept) {
  auto& child = sa.children.at(id);
  switch (child.state) {
    case ChildState::installing:
      if (kept.state != Kept::State::up) return undo_installing(ctx, sa, id);
      return installed(ctx, sa, child, ChildInstalled{kept.in, kept.out});
    case ChildState::installed:
      return go_on_installed(ctx, sa, child, kept);
    case ChildState::retired:
      if (kept.state == Kept::State::lost) forget(ctx, sa, id);
      return;
    case ChildState::deleting:
      return;
  }
}

// Their configuration went while nobody looked, as by a reload.
void close_orphan(IkeSa& sa, base::ChildId id) {
  const auto found = sa.children.find(id);
  if (found == sa.children.end() || found->second.state != ChildState::installed) return;
  found->second.state = ChildState::deleting;
  found->second.rekey_at.reset();
  sa.queue.emplace_back(DoDeleteChild{found->second.spi_in, id, Reason::config_removed});
}

// ---------------------------------------------------------------------------------------------- IKE SAs

void claim_offered(Context& ctx, Operation& what) {
  const auto claim = [&](const ChildOffer& offer) {
    if (offer.spi_in.value != 0) ctx.claim(offer.spi_in);
  };
  if (auto* create = std::get_if<DoCreateChild>(&what)) claim(create->offer);
  if (auto* rekey = std::get_if<DoRekeyChild>(&what)) claim(rekey->offer);
}

void go_on_reauthenticating(Context& ctx, IkeSa& sa) {
  if (!sa.reauthenticating) return;
  const bool there = std::ranges::any_of(
      ctx.sas(), [&](const auto& entry) { return entry.second->takes_place_of == sa.id && &*entry.second != &sa; });
  if (there) return;  // else the one that was to take its place was half open
  sa.reauthenticating = false;
  sa.reauth_at = retry_at(ctx);
}

void announce_resumed(Context& ctx, const IkeSa& sa) {
  if (!sa.up() || sa.spare) return;
  Event event{Event::Kind::ike_resumed, sa.id, {}, sa.conn_name(), {}, sa.local, sa.remote, {}, sa.suite.name()};
  event.view = std::make_shared<const IkeView>(view(sa));
  ctx.emit(std::move(event));
}

void go_on(Context& ctx, IkeSa& sa, const record::Decoded& with, const std::map<base::ChildId, Kept>& kept) {
  if (sa.state == State::closed) return;
  if (sa.outgoing) claim_offered(ctx, sa.outgoing->what);
  for (auto& operation : sa.queue) claim_offered(ctx, operation);
  for (const auto& [waits, sends] : with.besides) ctx.besides.emplace(sends, waits);
  announce_resumed(ctx, sa);
  if (sa.outgoing) send_again(ctx, sa);  // nobody knows whether it went out before the end
  start_keepalives(ctx, sa);
  go_on_reauthenticating(ctx, sa);
  std::vector<base::ChildId> ids;
  for (const auto& [id, child] : sa.children) ids.push_back(id);
  for (const auto id : ids) {
    const auto found = kept.find(id);
    if (sa.children.contains(id)) go_on(ctx, sa, id, found == kept.end() ? Kept{} : found->second);
  }
  for (const auto id : with.orphans) close_orphan(sa, id);
  if (with.orphan)
    start_close(ctx, sa, Failure{Reason::config_removed, kStep, "the connection is no longer configured", {}});
  run_queue(ctx, sa);
}

}  // namespace

std::expected<std::vector<KeptChild>, std::string> children_of(std::span<const Record::Entry> records,
                                                               const Config& config) {
  std::vector<KeptChild> out;
  for (const auto& entry : records) {
    if (entry.key == 0) {
      if (!record::decode_numbers(entry.octets.view())) return std::unexpected("the engine's record cannot be read");
      continue;
    }
    const auto decoded = record::decode(entry.octets.view(), config);
    if (!decoded || decoded->sa->our_spi().value != entry.key) {
      return std::unexpected("a record of an IKE SA cannot be read: it is of another version, or spoilt");
    }
    for (const auto& [id, child] : decoded->sa->children) out.push_back(kept_child(*decoded->sa, child));
  }
  std::ranges::sort(out, {}, [](const KeptChild& child) { return child.spec.id; });
  return out;
}

void resume(Context& ctx, Resume command) {
  std::vector<std::pair<base::IkeSpi, record::Decoded>> all;
  for (const auto& entry : command.records) {
    if (entry.key == 0) {
      if (const auto numbers = record::decode_numbers(entry.octets.view())) {
        ctx.numbers_given(numbers->ike, numbers->child);
      }
      continue;
    }
    auto decoded = record::decode(entry.octets.view(), *ctx.config);
    if (!decoded) continue;
    auto* sa = ctx.adopt(std::move(decoded->sa));
    if (sa != nullptr) all.emplace_back(sa->our_spi(), std::move(*decoded));
  }
  // All of them are there before the first one acts.
  for (const auto& [spi, with] : all) {
    if (auto* sa = ctx.find(spi)) go_on(ctx, *sa, with, command.kept);
  }
}

}  // namespace espgate::ike
