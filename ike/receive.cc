// SPDX-License-Identifier: Apache-2.0
#include "ike/receive.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "ike/planted.h"
#include "ike/task/auth.h"
#include "ike/task/child_create.h"
#include "ike/task/exchange.h"
#include "ike/task/follow_up.h"
#include "ike/task/generation.h"
#include "ike/task/guard.h"
#include "ike/task/informational.h"
#include "ike/task/init.h"
#include "ike/task/intermediate.h"
#include "ike/task/nat_path.h"
#include "ike/task/reauth.h"
#include "ike/task/rekey_child.h"
#include "ike/task/rekey_ike.h"
#include "ike/task/teardown.h"
#include "ike/wire/fragment.h"
#include "ike/wire/sealed.h"

namespace espgate::ike {

namespace {

void drop(Context& ctx, const Datagram& datagram, Reason code, std::string text) {
  ctx.noise(Event::Kind::dropped, datagram.local, datagram.remote, code, "receive", std::move(text));
}

// RFC 7296 2.5: a higher version is answered with ours; IKEv1 would not understand and is left alone.
void on_other_version(Context& ctx, const Datagram& datagram) {
  const auto header = wire::peek_header(datagram.data);
  if (!header) return;
  drop(ctx, datagram, Reason::wrong_version,
       fmt::format("IKEv{} from {}: only IKEv2 is spoken here", header->major, datagram.remote.text()));
  if (header->major < 3 || header->response || !ctx.answers.take(ctx.now)) return;
  wire::Header out = *header;
  out.major = 2;
  out.minor = 0;
  out.response = true;
  out.from_initiator = !header->from_initiator;
  ctx.emit(Send{Datagram{datagram.local, datagram.remote, datagram.natt,
                         wire::write_message(out, {wire::notify(wire::NotifyType::invalid_major_version)})}});
}

// A malformed message under a good checksum: the peer is told, and unless it only wanted too much, this is the end.
void on_bad_request(Context& ctx, IkeSa& sa, wire::ExchangeType exchange, const wire::Fault& fault) {
  const bool critical = fault.error == wire::WireError::unknown_critical;
  const auto code = critical ? Reason::unsupported_critical : Reason::invalid_syntax;
  const bool fatal = !critical || sa.state == State::init_replied;
  auto notify = wire::notify(fault.notify().value_or(wire::NotifyType::invalid_syntax));
  if (critical) notify.data = {fault.detail};
  Failure why{code, wire::name_of(exchange), fault.text(), {}};
  if (fatal) {
    ctx.count(code);
  } else {
    ctx.event(Event::Kind::peer_refused, sa, why);
  }
  send_response(ctx, sa, exchange, {std::move(notify)});
  if (fatal && sa.state != State::closed) close(ctx, sa, std::move(why), Linger::yes);
}

void on_bad_response(Context& ctx, IkeSa& sa, const wire::Fault& fault) {
  ended(ctx, sa.outgoing->exchange, Role::initiator, Ending::error);
  const auto code =
      fault.error == wire::WireError::unknown_critical ? Reason::unsupported_critical : Reason::invalid_syntax;
  close(ctx, sa, Failure{code, step(sa), "the peer's answer: " + fault.text(), {}}, Linger::no);
}

// The peer works on an SA of which we do not know yet whether it stays: it does.
void take_over(Context& ctx, IkeSa& sa, const wire::Payloads& payloads) {
  const auto* gone = wire::find<wire::DeletePayload>(payloads);
  if (gone != nullptr && gone->protocol == Protocol::ike) return;
  for (auto& [spi, other] : ctx.sas()) {
    const auto* ours = other->doing<DoRekeyIke>();
    if (ours != nullptr && ours->met && ours->met_spi == sa.our_spi()) return give_way(ctx, *other);
  }
}

void dispatch_request(Context& ctx, IkeSa& sa, wire::ExchangeType exchange, const wire::Payloads& payloads,
                      const Received& received) {
  if (sa.spare) take_over(ctx, sa, payloads);
  if (sa.state == State::init_replied) {
    if (exchange == wire::ExchangeType::ike_intermediate) return on_intermediate_request(ctx, sa, payloads, received);
    if (exchange == wire::ExchangeType::ike_auth) return on_auth_request(ctx, sa, payloads);
  } else if (sa.up() || sa.state == State::rekeyed) {
    if (exchange == wire::ExchangeType::informational) return on_informational_request(ctx, sa, payloads);
    if (exchange == wire::ExchangeType::create_child_sa) return on_create_child_request(ctx, sa, payloads);
    if (exchange == wire::ExchangeType::ike_followup_ke) return on_follow_up_request(ctx, sa, payloads);
  }
  ctx.event(Event::Kind::peer_refused, sa,
            Failure{Reason::unexpected, wire::name_of(exchange), "this exchange makes no sense now", {}});
  send_response(ctx, sa, exchange, {wire::notify(wire::NotifyType::invalid_syntax)});
}

// See ike/planted.h.
void answer_anew(Context& ctx, IkeSa& sa, const Datagram& datagram, const wire::Header& header) {
  if (sa.held || !sa.up() || !sa.cipher_in) return;
  if (auto payloads = wire::open(datagram.data, *sa.cipher_in)) {
    --sa.expected_id;
    dispatch_request(ctx, sa, header.exchange, *payloads, {});
  }
}

// The last response once more, to the octet.
void repeat_response(Context& ctx, const IkeSa& sa, const Datagram& datagram) {
  ctx.emit(Send{Datagram{datagram.local, datagram.remote, datagram.natt, sa.last_response}});
  for (const auto& fragment : sa.last_fragments) {
    ctx.emit(Send{Datagram{datagram.local, datagram.remote, datagram.natt, fragment}});
  }
}

// A fragment of a request that was answered: the first one asks for the answer again, perhaps cut another way by now
// (RFC 7383 2.6.1); the others say nothing.
void on_old_fragment(Context& ctx, const IkeSa& sa, const Datagram& datagram) {
  const auto fragment = wire::parse_fragment(datagram.data);
  if (!fragment || fragment->number != 1 || !sa.cipher_in) return;
  if (wire::open_fragment(datagram.data, *fragment, *sa.cipher_in)) repeat_response(ctx, sa, datagram);
}

wire::Parsed<wire::Opened> without_repeats(wire::Parsed<wire::Opened> opened) {
  if (!opened || !wire::repeats(opened->payloads)) return opened;
  return std::unexpected(wire::Fault{.error = wire::WireError::repeated, .authenticated = true});
}

// What is in a message; nullopt for a fragment that does not complete one. `identity`: the datagram by which a
// repetition is known.
std::optional<wire::Parsed<wire::Opened>> open_message(const IkeSa& sa, const Datagram& datagram,
                                                       const wire::Header& header, Reassembly& parts,
                                                       base::Bytes& identity) {
  identity = datagram.data;
  if (header.next != wire::PayloadType::skf || !sa.fragments) {
    return without_repeats(wire::open_whole(datagram.data, *sa.cipher_in));
  }
  const auto most = sa.state == State::init_replied ? Reassembly::kMostOctetsHalfOpen : Reassembly::kMostOctets;
  auto message = parts.take(header.message_id, datagram.data, *sa.cipher_in, most);
  if (!message) return std::unexpected(message.error());
  if (!*message) return std::nullopt;
  auto& whole = **message;
  identity = std::move(whole.first);
  if (!whole.payloads) return std::unexpected(whole.payloads.error());
  return without_repeats(wire::Opened{std::move(*whole.payloads), std::move(whole.inner)});
}

void on_request(Context& ctx, IkeSa& sa, const Datagram& datagram, const wire::Header& header) {
  const bool fragment = sa.fragments && header.next == wire::PayloadType::skf;
  if (header.message_id + 1 == sa.expected_id && sa.is_last_request(datagram.data)) {
    if (planted(Planted::answered_anew, ctx.options.index)) return answer_anew(ctx, sa, datagram, header);
    return repeat_response(ctx, sa, datagram);
  }
  if (fragment && header.message_id + 1 == sa.expected_id) return on_old_fragment(ctx, sa, datagram);
  if (sa.state == State::closed) return;
  if (sa.held && (fragment || sa.is_last_request(datagram.data))) return;  // being worked on
  if (header.message_id != sa.expected_id || sa.held || !sa.cipher_in) {
    return drop(
        ctx, datagram, Reason::out_of_window,
        fmt::format("request {} from {}, {} was expected", header.message_id, datagram.remote.text(), sa.expected_id));
  }
  if (!sa.initiator && sa.state == State::init_replied && header.exchange != awaited(sa)) {
    return drop(ctx, datagram, Reason::unexpected,
                fmt::format("{}, but the peer is not authenticated yet and {} is awaited",
                            wire::name_of(header.exchange), wire::name_of(awaited(sa))));
  }
  base::Bytes identity;
  auto opened = open_message(sa, datagram, header, sa.request_parts, identity);
  if (!opened) return;
  auto& message = *opened;
  if (!message && !message.error().authenticated) {
    return drop(
        ctx, datagram, Reason::bad_integrity,
        fmt::format("request {} from {}: {}", header.message_id, datagram.remote.text(), message.error().text()));
  }
  if (sa.state == State::auth_sent) return;  // not before we know who this is; it will be sent again
  follow(ctx, sa, datagram);
  sa.last_heard = ctx.now;
  if (sa.outgoing) sa.outgoing->denied = false;  // it knows the SA after all
  sa.remember_request(identity);
  ctx.touch(sa);
  if (!message) return on_bad_request(ctx, sa, header.exchange, message.error());
  confirm(ctx, sa, Shown::request);
  dispatch_request(ctx, sa, header.exchange, message->payloads, {identity, message->inner});
}

void dispatch_response(Context& ctx, IkeSa& sa, Operation what, const wire::Payloads& payloads,
                       const Received& received) {
  if (const auto* ke = std::get_if<DoIntermediate>(&what)) {
    return on_intermediate_response(ctx, sa, *ke, payloads, received);
  }
  if (auto* auth = std::get_if<DoAuth>(&what)) return on_auth_response(ctx, sa, std::move(*auth), payloads);
  if (auto* create = std::get_if<DoCreateChild>(&what)) {
    on_create_child_response(ctx, sa, std::move(*create), payloads);
    return run_queue(ctx, sa);
  }
  if (auto* child = std::get_if<DoRekeyChild>(&what)) {
    on_rekey_child_response(ctx, sa, std::move(*child), payloads);
    return run_queue(ctx, sa);
  }
  if (auto* ike = std::get_if<DoRekeyIke>(&what)) {
    on_rekey_ike_response(ctx, sa, std::move(*ike), payloads);
    return run_queue(ctx, sa);
  }
  on_informational_response(ctx, sa, std::move(what), payloads);
}

void on_response(Context& ctx, IkeSa& sa, const Datagram& datagram, const wire::Header& header) {
  // A duplicate of an answer is nothing to talk about: both sides retransmit.
  if (!sa.outgoing || header.message_id != sa.outgoing->message_id || header.exchange != sa.outgoing->exchange) return;
  if (!sa.cipher_in) return;
  base::Bytes identity;
  auto opened = open_message(sa, datagram, header, sa.response_parts, identity);
  if (!opened) return;
  auto& message = *opened;
  if (!message && !message.error().authenticated) {
    note_denial(sa, datagram);
    return drop(
        ctx, datagram, Reason::bad_integrity,
        fmt::format("response {} from {}: {}", header.message_id, datagram.remote.text(), message.error().text()));
  }
  sa.last_heard = ctx.now;
  ctx.touch(sa);
  if (!message) return on_bad_response(ctx, sa, message.error());
  ended(ctx, header.exchange, Role::initiator, message->payloads);
  auto what = std::move(sa.outgoing->what);
  sa.outgoing.reset();
  dispatch_response(ctx, sa, std::move(what), message->payloads, {identity, message->inner});
  finish_reauth(ctx, sa);
}

bool spis_fit(const IkeSa& sa, const wire::Header& header) {
  if (sa.initiator == header.from_initiator || sa.spi_i != header.spi_i) return false;
  return sa.spi_r == header.spi_r || (sa.initiator && sa.state == State::init_sent);
}

}  // namespace

void receive(Context& ctx, const Datagram& datagram) {
  const auto header = wire::parse_header(datagram.data);
  if (!header) {
    if (header.error().error == wire::WireError::major_version) return on_other_version(ctx, datagram);
    return drop(ctx, datagram, Reason::malformed,
                fmt::format("no IKE message from {}: {}", datagram.remote.text(), header.error().text()));
  }
  const bool init = header->exchange == wire::ExchangeType::ike_sa_init;
  if (init && !header->response && header->from_initiator && header->spi_r.value == 0) {
    if (header->message_id == 0) return on_init_request(ctx, datagram, *header);
    return drop(ctx, datagram, Reason::out_of_window, "an IKE_SA_INIT request with a message id");
  }
  auto* sa = ctx.find(header->from_initiator ? header->spi_r : header->spi_i);
  if (sa == nullptr || !spis_fit(*sa, *header)) {
    if (sa == nullptr) answer_unknown_spi(ctx, datagram, *header);
    return drop(ctx, datagram, Reason::unknown_spi,
                fmt::format("{} from {} for IKE SPIs {} {}, which are not ours", wire::name_of(header->exchange),
                            datagram.remote.text(), header->spi_i.text(), header->spi_r.text()));
  }
  if (init) {
    if (header->response && header->message_id == 0) on_init_response(ctx, *sa, datagram);
    return;
  }
  if (header->response) return on_response(ctx, *sa, datagram, *header);
  on_request(ctx, *sa, datagram, *header);
}

}  // namespace espgate::ike
