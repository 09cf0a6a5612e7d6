// SPDX-License-Identifier: Apache-2.0
#include "ike/task/guard.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace espgate::ike {

namespace {

constexpr char kStep[] = "IKE_SA_INIT";

void drop(Context& ctx, const Datagram& datagram, Reason code, std::string text) {
  ctx.noise(Event::Kind::dropped, datagram.local, datagram.remote, code, kStep, std::move(text));
}

// An answer without state and without protection.
void answer(Context& ctx, const Datagram& datagram, wire::Header header, wire::NotifyPayload notify) {
  header.response = true;
  header.from_initiator = !header.from_initiator;
  ctx.emit(
      Send{Datagram{datagram.local, datagram.remote, datagram.natt, wire::write_message(header, {std::move(notify)})}});
}

// True: no cookie is needed, or a good one is there.
bool cookie_settled(Context& ctx, const Datagram& datagram, const wire::Header& header,
                    const wire::Payloads& payloads) {
  const auto threshold = ctx.config->cookie_threshold;
  if (threshold == 0 || ctx.half_open() < threshold) return true;
  const Cookies::Claim claim{wire::find<wire::NoncePayload>(payloads)->data, datagram.remote.address, header.spi_i};
  const auto* shown = wire::find_notify(payloads, wire::NotifyType::cookie);
  if (shown != nullptr && ctx.cookies.good(ctx.now, ctx.rng, claim, shown->data)) return true;
  ctx.count(shown != nullptr ? Reason::bad_cookie : Reason::cookie_wanted);
  answer(ctx, datagram, header, wire::notify(wire::NotifyType::cookie, ctx.cookies.make(ctx.now, ctx.rng, claim)));
  return false;
}

}  // namespace

bool admit(Context& ctx, const Datagram& datagram, const wire::Header& header, const wire::Payloads& payloads) {
  if (!cookie_settled(ctx, datagram, header, payloads)) return false;
  if (ctx.half_open() >= ctx.options.half_open_limit) {
    drop(ctx, datagram, Reason::half_open_limit,
         fmt::format("{} IKE SAs are half open, no more are taken", ctx.half_open()));
    return false;
  }
  const auto most = ctx.config->half_open_per_source;
  if (most != 0 && ctx.half_open(datagram.remote.address) >= most) {
    drop(ctx, datagram, Reason::half_open_limit,
         fmt::format("{} IKE SAs with {} are half open, no more are taken", most, datagram.remote.address.text()));
    return false;
  }
  return true;
}

void answer_unknown_spi(Context& ctx, const Datagram& datagram, const wire::Header& header) {
  if (header.response || header.exchange == wire::ExchangeType::ike_sa_init || !ctx.answers.take(ctx.now)) return;
  answer(ctx, datagram, header, wire::notify(wire::NotifyType::invalid_ike_spi));
}

void note_denial(IkeSa& sa, const Datagram& datagram) {
  if (!sa.outgoing || sa.remote != datagram.remote) return;
  const auto message = wire::parse_message(datagram.data);
  if (!message || wire::find_notify(message->payloads, wire::NotifyType::invalid_ike_spi) == nullptr) return;
  sa.outgoing->denied = true;
}

bool moved_on(Context& ctx, const IkeSa& sa) {
  constexpr auto kSilent = std::chrono::seconds(30);
  constexpr std::uint32_t kEnough = 3;  // retransmissions
  const auto& asked = *sa.outgoing;
  if (asked.timer.sent() < kEnough || ctx.now - asked.first_sent < kSilent || !sa.up() || !sa.peer_began) return false;
  return std::ranges::any_of(ctx.sas_with(sa.remote_id), [&](const auto* other) {
    return other->usable() && other->peer_began && other->authenticated_at > sa.authenticated_at &&
           other->last_heard >= asked.first_sent && other->local_id == sa.local_id;
  });
}

bool denied_for_good(Context& ctx, const IkeSa& sa) {
  constexpr std::uint32_t kEnough = 3;  // retransmissions
  if (!sa.outgoing->denied || sa.outgoing->timer.sent() < kEnough || !sa.up()) return false;
  if (std::holds_alternative<DoDeleteIke>(sa.outgoing->what)) return true;
  // Made by a rekey (message IDs begin anew), and the peer has not sent anything on it: it closed it before our side
  // had the reply.
  if (sa.outgoing->message_id == 0 && sa.expected_id == 0) return true;
  return std::ranges::any_of(ctx.sas_with(sa.remote_id), [&](const auto* other) {
    return other->usable() && other->last_heard > sa.last_heard && other->conn_name() == sa.conn_name() &&
           other->remote.address == sa.remote.address;
  });
}

}  // namespace espgate::ike
