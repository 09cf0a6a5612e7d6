// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "ike/record.h"
#include "ike/record/operation.h"

namespace espgate::ike::record {

namespace {

// A request that is under way: as it was sent, and what is to be done with the answer.
template <class A>
void field(A& a, Outgoing& out, const Find& find) {
  a.block([&] {
    auto exchange = static_cast<std::uint8_t>(out.exchange);
    a.number(exchange);
    a.number(out.message_id);
    field(a, out.message);
    each(a, out.fragments);
    field(a, out.first_sent);
    std::uint32_t sent = out.timer.sent();
    base::Instant due = out.timer.due();
    a.number(sent);
    field(a, due);
    field(a, out.denied);
    field(a, out.what, find);
    if constexpr (A::kReads) {
      out.exchange = static_cast<wire::ExchangeType>(exchange);
      out.timer.go_on({}, sent, due);  // the schedule is the present configuration's
    }
  });
}

template <class A>
void field(A& a, Child& child, const Find& find) {
  a.block([&] {
    field(a, child.id);
    choice(a, child.state, ChildState::retired);
    config_field(a, child.config, find);
    choice(a, child.mode, base::SaMode::transport);
    field(a, child.suite);
    field(a, child.encap);
    field(a, child.remote);
    field(a, child.spi_in);
    field(a, child.spi_out);
    each(a, child.local_ts);
    each(a, child.remote_ts);
    auto carriage = child.carried();
    field(a, carriage.in);
    field(a, carriage.out);
    if constexpr (A::kReads) child.carry(std::move(carriage));
    field(a, child.installed_at);
    field(a, child.first);
    field(a, child.initiator);
    a.number(child.group);
    maybe(a, child.replaces);
    maybe(a, child.replaced_by);
    field(a, child.announced);
    choice(a, child.outbound, Outbound::active);
    field(a, child.cipher_out);
    field(a, child.auth_out);
    maybe(a, child.switch_at);
    field(a, child.delete_reason);
    field(a, child.confirmed);
    for (auto* at : {&child.delete_at, &child.rekey_at, &child.expires_at, &child.unsend_at, &child.retire_at}) {
      maybe(a, *at);
    }
    if (a.more()) field(a, child.additional);
  });
}

template <class A>
void identity(A& a, IkeSa& sa, std::string& conn) {
  field(a, sa.id);
  field(a, sa.initiator);
  choice(a, sa.state, State::closed);
  field(a, sa.spi_i);
  field(a, sa.spi_r);
  field(a, sa.local);
  field(a, sa.remote);
  for (auto* flag : {&sa.natt, &sa.nat_local, &sa.nat_remote, &sa.spare, &sa.fragments, &sa.fragmenting, &sa.peer_began,
                     &sa.reauthenticating}) {
    field(a, *flag);
  }
  field(a, conn);
  field(a, sa.local_id);
  field(a, sa.remote_id);
}

// SK_pi and SK_pr are for IKE_AUTH alone.
template <class A>
void keys(A& a, IkeSa& sa) {
  field(a, sa.suite);
  for (auto* key : {&sa.keys.d, &sa.keys.ai, &sa.keys.ar, &sa.keys.ei, &sa.keys.er}) field(a, *key);
  a.number(sa.iv_reserved);
}

template <class A>
void exchanges(A& a, IkeSa& sa, const Find& find) {
  a.number(sa.next_id);
  a.number(sa.expected_id);
  maybe(a, sa.outgoing, [&](Outgoing& out) { field(a, out, find); });
  each(a, sa.queue, [&](Operation& what) { field(a, what, find); });
  field(a, sa.last_request);
  field(a, sa.last_response);
  each(a, sa.last_fragments);
}

template <class A>
void times(A& a, IkeSa& sa) {
  for (auto* at : {&sa.created_at, &sa.established_at, &sa.last_heard, &sa.expires_at}) field(a, *at);
  for (auto* at : {&sa.authenticated_at, &sa.rekey_at, &sa.reauth_at, &sa.over_at, &sa.close_deadline}) maybe(a, *at);
  maybe(a, sa.takes_place_of);
  maybe(a, sa.over_why);
}

template <class A>
void children(A& a, IkeSa& sa, Besides& besides, const Find& find) {
  std::vector<base::ChildId> ids;
  for (const auto& [id, child] : sa.children) ids.push_back(id);
  each(a, ids, [&](base::ChildId& id) {
    Child read;
    Child* child = &read;
    if constexpr (!A::kReads) child = &sa.children.at(id);
    field(a, *child, find);
    std::optional<base::ChildId> beside;
    if (const auto it = besides.find(child->id); it != besides.end()) beside = it->second;
    maybe(a, beside);
    if constexpr (A::kReads) {
      if (beside) besides.emplace(child->id, *beside);
      const auto key = child->id;
      if (!sa.children.emplace(key, std::move(*child)).second) a.fail();
    }
  });
}

// The whole of a record. `conn`: a name when written; when read `find` is told of it.
template <class A>
void whole(A& a, IkeSa& sa, std::string& conn, Besides& besides, const Find& find,
           const std::function<void()>& conn_known) {
  a.block([&] {
    identity(a, sa, conn);
    conn_known();
    keys(a, sa);
    exchanges(a, sa, find);
    times(a, sa);
    children(a, sa, besides, find);
    if (a.more()) field(a, sa.ppk);
    if (a.more()) field(a, sa.suite.additional);
    if (kNext && a.more()) {
      std::uint64_t whatever = 0x6e657874;
      a.number(whatever);
    }
  });
}

// Version, and the version that reads it.
constexpr std::size_t kHead = 2;
bool readable(base::ByteView octets) {
  if (octets.size() < kHead) return false;
  return octets[0] >= kOldestRead && (octets[0] <= kVersion || octets[1] <= kVersion);
}
void head(Writer& writer) {
  writer.number(kVersion);
  writer.number(kReadableFrom);
}

bool make_ciphers(IkeSa& sa) {
  if (sa.state == State::closed) return true;  // has no keys any more
  auto from_i = crypto::SkCipher::make(sa.suite, sa.keys.ei.view(), sa.keys.ai.view());
  auto from_r = crypto::SkCipher::make(sa.suite, sa.keys.er.view(), sa.keys.ar.view());
  if (!from_i || !from_r || sa.keys.d.size() != sa.suite.prf_octets()) return false;
  sa.cipher_out.emplace(std::move(sa.initiator ? *from_i : *from_r));
  sa.cipher_in.emplace(std::move(sa.initiator ? *from_r : *from_i));
  sa.cipher_out->skip_to(sa.iv_reserved);
  return true;
}

bool suites_fit(const IkeSa& sa) {
  return std::ranges::all_of(sa.children, [](const auto& entry) {
    const auto& child = entry.second;
    const auto keys = child.cipher_out.size() + child.auth_out.size();
    return child.suite.key_bits <= 256 && child.spi_in.value != 0 && child.config != nullptr &&
           (keys == 0 || (child.cipher_out.size() == child.suite.cipher_key_octets() &&
                          child.auth_out.size() == child.suite.auth_key_octets()));
  });
}

}  // namespace

bool worthy(const IkeSa& sa) {
  if (!sa.conn || sa.dead) return false;
  const bool first_reply_held = sa.held && sa.held->exchange == wire::ExchangeType::ike_auth;
  if (sa.state == State::closed) return !sa.last_response.empty();
  return (sa.up() || sa.state == State::rekeyed) && sa.cipher_out && !first_reply_held;
}

base::Secret encode(IkeSa& sa, const Besides& besides) {
  if (sa.cipher_out) {
    const auto next = sa.cipher_out->next_iv();
    if (sa.iv_reserved <= next) sa.iv_reserved = next == 0 ? 0 : next + kIvReserve;
  }
  Writer writer;
  head(writer);
  std::string conn = sa.conn_name();
  Besides beside = besides;
  whole(writer, sa, conn, beside, nullptr, [] {});
  return writer.take();
}

std::optional<Decoded> decode(base::ByteView octets, const Config& config) {
  if (!readable(octets)) return std::nullopt;
  Decoded out;
  out.sa = std::make_unique<IkeSa>();
  auto& sa = *out.sa;
  std::string name;
  const auto conn_known = [&] {
    const auto found = std::ranges::find(config.conns, name, [](const auto& conn) { return conn->name; });
    out.orphan = found == config.conns.end();
    if (!out.orphan) {
      sa.conn = *found;
    } else {
      auto stub = std::make_shared<ConnConfig>();
      stub->name = name;
      sa.conn = std::move(stub);
    }
  };
  const Find find = [&](const std::string& child) -> std::shared_ptr<const ChildConfig> {
    for (const auto& each : sa.conn->children) {
      if (each.name == child) return {sa.conn, &each};
    }
    auto stub = std::make_shared<ChildConfig>();
    stub->name = child;
    return stub;
  };
  Reader reader(octets.subspan(kHead));
  whole(reader, sa, name, out.besides, find, conn_known);
  const bool fits = sa.our_spi().value != 0 && (sa.up() || sa.state == State::rekeyed || sa.state == State::closed);
  if (!reader.ok() || !fits || !suites_fit(sa) || !make_ciphers(sa)) return std::nullopt;
  for (const auto& [id, child] : sa.children) {
    if (std::ranges::find(sa.conn->children, child.config->name, &ChildConfig::name) == sa.conn->children.end()) {
      out.orphans.insert(id);
    }
    if (child.state == ChildState::installing && !child.initiator) out.undecided.insert(id);
  }
  for (const auto id : out.undecided) sa.children.erase(id);
  if (sa.outgoing) {
    const auto& timer = sa.outgoing->timer;
    sa.outgoing->timer.go_on(config.retransmission, timer.sent(), timer.due());
  }
  return out;
}

base::Secret encode(const Numbers& numbers) {
  Writer writer;
  head(writer);
  writer.block([&] {
    writer.number(numbers.ike);
    writer.number(numbers.child);
  });
  return writer.take();
}

std::optional<Numbers> decode_numbers(base::ByteView octets) {
  if (!readable(octets)) return std::nullopt;
  Numbers out;
  Reader reader(octets.subspan(kHead));
  reader.block([&] {
    reader.number(out.ike);
    reader.number(out.child);
  });
  if (!reader.ok()) return std::nullopt;
  return out;
}

}  // namespace espgate::ike::record
