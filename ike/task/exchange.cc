// SPDX-License-Identifier: Apache-2.0
#include "ike/task/exchange.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "ike/task/child_create.h"
#include "ike/task/follow_up.h"
#include "ike/task/guard.h"
#include "ike/task/informational.h"
#include "ike/task/rekey_child.h"
#include "ike/task/rekey_ike.h"
#include "ike/task/teardown.h"
#include "ike/wire/fragment.h"
#include "ike/wire/sealed.h"

namespace espgate::ike {

namespace {

wire::Header header(const IkeSa& sa, wire::ExchangeType exchange, bool response, std::uint32_t message_id) {
  wire::Header out;
  out.spi_i = sa.spi_i;
  out.spi_r = sa.spi_r;
  out.exchange = exchange;
  out.from_initiator = sa.initiator;
  out.response = response;
  out.message_id = message_id;
  return out;
}

// What an IKE message may be long, so that with UDP and IP around it the packet has the configured size.
std::size_t most_octets(const Context& ctx, const IkeSa& sa) {
  const std::size_t around = (sa.remote.address.is_v4() ? 20U : 40U) + 8U + (sa.natt ? 4U : 0U);
  const std::size_t size = ctx.config->fragment_size;
  return size > around ? size - around : 0;
}

// Sealing fails only if OpenSSL is out of order or all IVs are spent: the SA cannot go on.
bool sealed(Context& ctx, IkeSa& sa, const wire::Header& head, const wire::Payloads& payloads, base::Bytes& out,
            std::vector<base::Bytes>& more) {
  auto message = wire::seal(head, payloads, *sa.cipher_out, ctx.rng);
  if (message && sa.fragmenting && message->size() > most_octets(ctx, sa)) {
    auto parts = wire::seal_fragments(head, payloads, *sa.cipher_out, ctx.rng, most_octets(ctx, sa));
    if (parts) {
      out = std::move(parts->front());
      more.assign(std::make_move_iterator(parts->begin() + 1), std::make_move_iterator(parts->end()));
      return true;
    }
    if (parts.error() != crypto::CryptoError::too_long) message = std::unexpected(parts.error());
  }
  if (message) {
    out = std::move(*message);
    more.clear();
    return true;
  }
  close(ctx, sa,
        Failure{Reason::unexpected,
                wire::name_of(head.exchange),
                fmt::format("a message could not be encrypted: {}", crypto::text(message.error())),
                {}},
        Linger::no);
  return false;
}

void sent(Context& ctx, IkeSa& sa, wire::ExchangeType exchange, base::Bytes message, Operation what,
          std::vector<base::Bytes> more = {}) {
  ctx.send(sa, message);
  for (const auto& fragment : more) ctx.send(sa, fragment);
  Outgoing out;
  out.exchange = exchange;
  out.message_id = sa.next_id++;
  out.message = std::move(message);
  out.fragments = std::move(more);
  out.first_sent = ctx.now;
  out.timer.start(ctx.config->retransmission, ctx.now);
  out.what = std::move(what);
  sa.outgoing = std::move(out);
  ctx.touch(sa);
}

}  // namespace

void send_request(Context& ctx, IkeSa& sa, wire::ExchangeType exchange, const wire::Payloads& payloads,
                  Operation what) {
  base::Bytes message;
  std::vector<base::Bytes> more;
  if (!sealed(ctx, sa, header(sa, exchange, false, sa.next_id), payloads, message, more)) return;
  sent(ctx, sa, exchange, std::move(message), std::move(what), std::move(more));
}

void send_init_request(Context& ctx, IkeSa& sa, base::Bytes message) {
  sa.next_id = 0;
  sent(ctx, sa, wire::ExchangeType::ike_sa_init, std::move(message), DoInit{});
}

void ended(Context& ctx, wire::ExchangeType exchange, Role role, Ending ending) {
  switch (exchange) {
    case wire::ExchangeType::ike_sa_init:
      ++ctx.tally.at(Exchange::ike_sa_init, role, ending);
      break;
    case wire::ExchangeType::ike_auth:
      ++ctx.tally.at(Exchange::ike_auth, role, ending);
      break;
    case wire::ExchangeType::create_child_sa:
      ++ctx.tally.at(Exchange::create_child_sa, role, ending);
      break;
    case wire::ExchangeType::informational:
      ++ctx.tally.at(Exchange::informational, role, ending);
      break;
    case wire::ExchangeType::ike_intermediate:
      ++ctx.tally.at(Exchange::ike_intermediate, role, ending);
      break;
    case wire::ExchangeType::ike_followup_ke:
      ++ctx.tally.at(Exchange::ike_followup_ke, role, ending);
      break;
  }
}

void ended(Context& ctx, wire::ExchangeType exchange, Role role, const wire::Payloads& answer) {
  ended(ctx, exchange, role, wire::find_error(answer) == nullptr ? Ending::done : Ending::error);
}

void send_response(Context& ctx, IkeSa& sa, wire::ExchangeType exchange, const wire::Payloads& payloads) {
  base::Bytes message;
  std::vector<base::Bytes> more;
  if (!sealed(ctx, sa, header(sa, exchange, true, sa.expected_id), payloads, message, more)) return;
  ctx.send(sa, message);
  for (const auto& fragment : more) ctx.send(sa, fragment);
  ended(ctx, exchange, Role::responder, payloads);
  sa.last_fragments = std::move(more);
  // Kept as long as the IKE SA is: without the room that its writer had.
  sa.last_response.assign(message.begin(), message.end());
  sa.last_response.shrink_to_fit();
  ++sa.expected_id;
  sa.held.reset();
  ctx.touch(sa);
}

namespace {

// RFC 7296 2.25.2: not while a child is on its way.
bool must_wait(const IkeSa& sa, const Operation& next) {
  if (waits_for_follow_up(sa, next)) return true;
  return std::holds_alternative<DoRekeyIke>(next) && std::ranges::any_of(sa.children, [](const auto& entry) {
           return entry.second.state == ChildState::installing;
         });
}

}  // namespace

void run_queue(Context& ctx, IkeSa& sa) {
  if (!(sa.up() || sa.state == State::rekeyed) || sa.outgoing || sa.held || sa.queue.empty()) return;
  if (must_wait(sa, sa.queue.front())) return;
  auto next = std::move(sa.queue.front());
  sa.queue.pop_front();
  if (auto* create = std::get_if<DoCreateChild>(&next)) {
    start_create_child(ctx, sa, std::move(*create));
  } else if (auto* child = std::get_if<DoRekeyChild>(&next)) {
    start_rekey_child(ctx, sa, std::move(*child));
  } else if (auto* ike = std::get_if<DoRekeyIke>(&next)) {
    start_rekey_ike(ctx, sa, std::move(*ike));
  } else {
    start_informational(ctx, sa, std::move(next));
  }
}

void send_again(Context& ctx, const IkeSa& sa) {
  ++ctx.tally.retransmits;
  ctx.send(sa, sa.outgoing->message);
  for (const auto& fragment : sa.outgoing->fragments) ctx.send(sa, fragment);
}

void on_retransmit_due(Context& ctx, IkeSa& sa) {
  const char* given_up = denied_for_good(ctx, sa) ? "; it says that it does not know this IKE SA"
                         : moved_on(ctx, sa)      ? "; it speaks on a newer IKE SA"
                                                  : nullptr;
  if (given_up == nullptr && sa.outgoing->timer.again(ctx.now)) {
    send_again(ctx, sa);
    ctx.touch(sa);
    return;
  }
  const auto seconds = std::chrono::duration<double>(ctx.now - sa.outgoing->first_sent).count();
  const auto sent_times = sa.outgoing->timer.sent() + 1;
  ended(ctx, sa.outgoing->exchange, Role::initiator, Ending::timeout);
  // A DELETE that nobody answers still ends the SA the way it was meant to.
  if (auto* deleting = std::get_if<DoDeleteIke>(&sa.outgoing->what)) {
    close(ctx, sa, Failure(deleting->why), Linger::no);
    return;
  }
  close(ctx, sa,
        Failure{Reason::timeout,
                step(sa),
                fmt::format("{} did not answer {}: sent {} times in {:.0f} s{}", sa.remote.text(), step(sa), sent_times,
                            seconds, given_up == nullptr ? "" : given_up),
                {}},
        Linger::no);
}

std::string step(const IkeSa& sa) { return sa.outgoing ? wire::name_of(sa.outgoing->exchange) : std::string(); }

}  // namespace espgate::ike
