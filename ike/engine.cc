// SPDX-License-Identifier: Apache-2.0
#include "ike/engine.h"

#include <utility>

#include "ike/commands.h"
#include "ike/receive.h"
#include "ike/task/child_install.h"
#include "ike/task/exchange.h"
#include "ike/task/follow_up.h"
#include "ike/task/generation.h"
#include "ike/task/informational.h"
#include "ike/task/lifetime.h"
#include "ike/task/nat_path.h"
#include "ike/task/teardown.h"

namespace espgate::ike {

Engine::Engine(Options options, Rng& rng) : context_(std::make_unique<Context>(std::move(options), rng)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

std::vector<Action> Engine::on_datagram(base::Instant now, Datagram datagram) {
  context_->begin(now);
  receive(*context_, datagram);
  return context_->finish();
}

std::vector<Action> Engine::on_command(base::Instant now, Command command) {
  context_->begin(now);
  execute(*context_, std::move(command));
  return context_->finish();
}

std::vector<Action> Engine::on_answer(base::Instant now, ChildAnswer answer) {
  context_->begin(now);
  on_install_answer(*context_, std::move(answer));
  return context_->finish();
}

namespace {

// Whose DELETE is queued or on its way, for the reason that it was to be closed for.
Failure why_closing(const IkeSa& sa) {
  if (sa.outgoing) {
    if (const auto* what = std::get_if<DoDeleteIke>(&sa.outgoing->what)) return what->why;
  }
  for (const auto& operation : sa.queue) {
    if (const auto* what = std::get_if<DoDeleteIke>(&operation)) return what->why;
  }
  return {Reason::shutdown, "INFORMATIONAL", "closed without waiting for the peer any longer", {}};
}

// Everything of one SA whose time has come, the final things first. One of them at a time: the SA may be gone after.
void on_due(Context& ctx, IkeSa& sa) {
  if (sa.state == State::closed) {
    if (sa.expires_at <= ctx.now) sa.dead = true;
  } else if (sa.state == State::rekeyed && sa.expires_at <= ctx.now) {
    close(ctx, sa, Failure{Reason::rekeyed, "INFORMATIONAL", "the peer did not delete what it had replaced", {}},
          Linger::no);
  } else if (sa.state == State::init_replied && sa.expires_at <= ctx.now) {
    close(ctx, sa, Failure{Reason::timeout, "IKE_AUTH", "the peer did not go on to IKE_AUTH in time", {}}, Linger::no);
  } else if (sa.close_deadline && *sa.close_deadline <= ctx.now) {
    close(ctx, sa, why_closing(sa), Linger::no);
  } else if (sa.outgoing && sa.outgoing->timer.due() <= ctx.now) {
    on_retransmit_due(ctx, sa);
  } else if (auto generation = generation_due(sa); generation && *generation <= ctx.now) {
    on_generation_due(ctx, sa);
  } else if (auto lifetime = lifetime_due(sa); lifetime && *lifetime <= ctx.now) {
    on_lifetime_due(ctx, sa);
  } else if (auto liveness = sa.liveness_due(); liveness && *liveness <= ctx.now) {
    ask_whether_alive(ctx, sa);
  } else if (auto keepalive = keepalive_due(sa); keepalive && *keepalive <= ctx.now) {
    on_keepalive_due(ctx, sa);
  } else if (sa.follow_up_until && *sa.follow_up_until <= ctx.now) {
    drop_follow_up(ctx, sa);
    run_queue(ctx, sa);
  } else {
    on_install_due(ctx, sa);
  }
}

}  // namespace

std::vector<Action> Engine::on_timer(base::Instant now) {
  context_->begin(now);
  while (auto spi = context_->due()) {
    auto& sa = *context_->find(*spi);
    context_->touch(sa);
    on_due(*context_, sa);
    context_->settle(*spi);
  }
  return context_->finish();
}

std::optional<base::Instant> Engine::next_timer() const { return context_->next_timer(); }

}  // namespace espgate::ike
