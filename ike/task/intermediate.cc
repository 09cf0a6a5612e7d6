// SPDX-License-Identifier: Apache-2.0
#include "ike/task/intermediate.h"

#include <fmt/core.h>

#include <expected>
#include <string>
#include <utility>

#include "ike/crypto/prf.h"
#include "ike/task/auth.h"
#include "ike/task/exchange.h"
#include "ike/task/init.h"
#include "ike/task/reasons.h"
#include "ike/task/teardown.h"
#include "ike/wire/sealed.h"

namespace espgate::ike {

namespace {

constexpr char kStep[] = "IKE_INTERMEDIATE";

void fail(Context& ctx, IkeSa& sa, Reason code, std::string text, std::string peer_notify = {}) {
  close(ctx, sa, Failure{code, kStep, std::move(text), std::move(peer_notify)}, Linger::no);
}

// IntAuth_i* or IntAuth_r* with one message more, under the keys from before that message's key exchange. False:
// OpenSSL is out of order.
bool cover(IkeSa& sa, bool of_initiator, const Received& message) {
  const auto prf = crypto::Prf::make(sa.suite.prf);
  if (!prf) return false;
  auto& so_far = of_initiator ? sa.setup->int_auth_i : sa.setup->int_auth_r;
  const auto& sk_p = of_initiator ? sa.keys.pi : sa.keys.pr;
  const auto octets = wire::authenticated_octets(message.datagram, message.inner);
  auto made = prf->compute(sk_p.view(), {so_far.view(), octets});
  if (!made) return false;
  so_far = std::move(*made);
  return true;
}

bool cover_ours(IkeSa& sa, base::ByteView datagram, const wire::Payloads& payloads) {
  base::ByteWriter inner;
  wire::write_payloads(inner, payloads);
  return cover(sa, sa.initiator, {datagram, inner.view()});
}

// The exchange is over: the keys that come of it.
bool take_shared(IkeSa& sa, base::ByteView shared) {
  sa.setup->to_come.erase(sa.setup->to_come.begin());
  ++sa.setup->intermediates;
  return derive_next_keys(sa, shared).has_value();
}

std::expected<const wire::KePayload*, std::string> ke_of(const IkeSa& sa, const wire::Payloads& payloads) {
  const auto* ke = wire::find<wire::KePayload>(payloads);
  const auto method = sa.setup->to_come.front();
  if (ke == nullptr) return std::unexpected(fmt::format("the peer sent no key exchange, {} was to come", method));
  if (ke->group != method) {
    return std::unexpected(fmt::format("the peer's key exchange is of method {}, {} was to come", ke->group, method));
  }
  return ke;
}

std::string bad_ke(crypto::CryptoError error) {
  return fmt::format("the peer's additional key exchange: {}", crypto::text(error));
}

void refuse(Context& ctx, IkeSa& sa, std::string text) {
  ctx.count(Reason::invalid_ke);
  send_response(ctx, sa, wire::ExchangeType::ike_intermediate, {wire::notify(wire::NotifyType::invalid_syntax)});
  if (sa.state == State::closed) return;
  close(ctx, sa, Failure{Reason::invalid_ke, kStep, std::move(text), {}}, Linger::yes);
}

}  // namespace

void start_intermediate(Context& ctx, IkeSa& sa) {
  if (sa.setup->to_come.empty()) return start_auth(ctx, sa);
  sa.state = State::auth_sent;
  const auto method = sa.setup->to_come.front();
  auto made = crypto::KeyExchange::generate(method, ctx.rng);
  if (!made) {
    return fail(ctx, sa, Reason::invalid_ke,
                fmt::format("no additional key exchange of method {}: {}", method, crypto::text(made.error())));
  }
  const wire::Payloads payloads{wire::KePayload{method, made->public_value()}};
  send_request(ctx, sa, wire::ExchangeType::ike_intermediate, payloads, DoIntermediate{std::move(*made)});
  if (sa.state == State::closed) return;
  if (!cover_ours(sa, sa.outgoing->message, payloads)) fail(ctx, sa, Reason::unexpected, "IntAuth could not be made");
}

void on_intermediate_response(Context& ctx, IkeSa& sa, const DoIntermediate& what, const wire::Payloads& payloads,
                              const Received& received) {
  if (const auto* error = wire::find_error(payloads)) {
    return fail(ctx, sa, reason_of(error->type), refusal_text(error->type, "our IKE_INTERMEDIATE"),
                wire::name_of(error->type));
  }
  const auto ke = ke_of(sa, payloads);
  if (!ke) return fail(ctx, sa, Reason::invalid_ke, ke.error());
  const auto shared = what.ke.derive((*ke)->data);
  if (!shared) return fail(ctx, sa, Reason::invalid_ke, bad_ke(shared.error()));
  if (!cover(sa, false, received) || !take_shared(sa, shared->view())) {
    return fail(ctx, sa, Reason::unexpected, "the next keys could not be made");
  }
  start_intermediate(ctx, sa);
}

void on_intermediate_request(Context& ctx, IkeSa& sa, const wire::Payloads& payloads, const Received& received) {
  const auto ke = ke_of(sa, payloads);
  if (!ke) return refuse(ctx, sa, ke.error());
  auto answer = crypto::KeyExchange::answer((*ke)->group, (*ke)->data, ctx.rng);
  if (!answer) return refuse(ctx, sa, bad_ke(answer.error()));
  if (!cover(sa, true, received)) return refuse(ctx, sa, "IntAuth could not be made");
  const wire::Payloads ours{wire::KePayload{(*ke)->group, std::move(answer->public_value)}};
  send_response(ctx, sa, wire::ExchangeType::ike_intermediate, ours);
  if (sa.state == State::closed) return;
  if (!cover_ours(sa, sa.last_response, ours) || !take_shared(sa, answer->shared.view())) {
    fail(ctx, sa, Reason::unexpected, "the next keys could not be made");
  }
}

wire::ExchangeType awaited(const IkeSa& sa) {
  return sa.setup->to_come.empty() ? wire::ExchangeType::ike_auth : wire::ExchangeType::ike_intermediate;
}

base::Bytes int_auth(const Setup& setup) {
  if (setup.intermediates == 0) return {};
  base::ByteWriter out;
  out.put(setup.int_auth_i.view());
  out.put(setup.int_auth_r.view());
  out.u32(setup.intermediates + 1);  // IKE_AUTH comes right after them
  return out.take();
}

}  // namespace espgate::ike
