// SPDX-License-Identifier: Apache-2.0
#include "ike/task/ppk.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "ike/crypto/prf.h"
#include "ike/task/auth_proof.h"

namespace espgate::ike {

namespace {

constexpr char kStep[] = "IKE_AUTH";
// RFC 8784 5.1: the first octet of PPK_IDENTITY; FIXED is an identity that stays, OPAQUE one that a protocol of its own
// gives a meaning.
constexpr std::uint8_t kFixed = 2;

Failure failure(Reason code, std::string text) { return {code, kStep, std::move(text), {}}; }

std::optional<base::ByteView> id_of(const wire::NotifyPayload& named) {
  if (named.data.size() < 2 || named.data.front() != kFixed) return std::nullopt;
  return base::ByteView(named.data).subspan(1);
}

std::string text_of(const ConnConfig& conn, base::ByteView id) {
  return Identity{conn.ppk_id ? conn.ppk_id->type : IdType::key_id, {id.begin(), id.end()}}.text();
}

// The keys with the PPK take the place of those without, which are returned.
std::optional<crypto::PpkKeys> mix(IkeSa& sa, const SharedSecret& ppk) {
  auto prf = crypto::Prf::make(sa.suite.prf);
  if (!prf) return std::nullopt;
  auto mixed = crypto::with_ppk(*prf, sa.keys, ppk.key.view());
  if (!mixed) return std::nullopt;
  crypto::PpkKeys plain{std::move(sa.keys.d), std::move(sa.keys.pi), std::move(sa.keys.pr)};
  sa.keys.d = std::move(mixed->d);
  sa.keys.pi = std::move(mixed->pi);
  sa.keys.pr = std::move(mixed->pr);
  return plain;
}

Failure not_mixed() { return failure(Reason::unexpected, "the keys with the PPK could not be made"); }

// Ours, or nullptr: it goes without.
std::expected<const SharedSecret*, Failure> our_ppk(const Context& ctx, const IkeSa& sa) {
  const auto& conn = *sa.conn;
  if (!sa.setup->ppk) return nullptr;
  const auto* ppk = conn.ppk_id ? find_ppk(*ctx.config, conn.ppk_id->data) : nullptr;
  if (ppk != nullptr || !conn.ppk_required) return ppk;
  return std::unexpected(
      failure(Reason::no_secret, conn.ppk_id ? fmt::format("{} requires the post-quantum preshared key '{}', which is "
                                                           "not among the secrets",
                                                           conn.name, conn.ppk_id->text())
                                             : fmt::format("{} requires a post-quantum preshared key and has no ppk_id "
                                                           "that says which",
                                                           conn.name)));
}

bool wanted(const ConnConfig& conn, base::ByteView id) {
  return !conn.ppk_id || conn.ppk_id->admits(Identity{conn.ppk_id->type, {id.begin(), id.end()}});
}

}  // namespace

const SharedSecret* find_ppk(const Config& config, base::ByteView id) {
  const auto known = [&](const SharedSecret& ppk) {
    return std::ranges::any_of(ppk.owners, [&](const Identity& owner) { return std::ranges::equal(owner.data, id); });
  };
  const auto found = std::ranges::find_if(config.ppks, known);
  return found != config.ppks.end() ? &*found : nullptr;
}

std::optional<Failure> take_ppk_answer(IkeSa& sa, const wire::Payloads& answer) {
  sa.setup->ppk = sa.conn->uses_ppk() && wire::find_notify(answer, wire::NotifyType::use_ppk) != nullptr;
  if (sa.setup->ppk || !sa.conn->ppk_required) return std::nullopt;
  return Failure{
      Reason::no_secret,
      "IKE_SA_INIT",
      fmt::format("{} requires a post-quantum preshared key (ppk_required), and the peer uses none", sa.conn->name),
      {}};
}

std::expected<wire::Payloads, Failure> begin_ppk(Context& ctx, IkeSa& sa, const wire::IdPayload& own,
                                                 const Identity& peer) {
  const auto ppk = our_ppk(ctx, sa);
  if (!ppk) return std::unexpected(ppk.error());
  if (*ppk == nullptr) return wire::Payloads{};
  base::Bytes id{kFixed};
  id.insert(id.end(), sa.conn->ppk_id->data.begin(), sa.conn->ppk_id->data.end());
  wire::Payloads out{wire::notify(wire::NotifyType::ppk_identity, std::move(id))};
  if (!sa.conn->ppk_required) {
    auto without = make_proof(ctx, sa, own, peer);
    if (!without) return std::unexpected(without.error());
    out.emplace_back(wire::notify(wire::NotifyType::no_ppk_auth, std::move(without->auth.data)));
  }
  sa.setup->plain = mix(sa, **ppk);
  if (!sa.setup->plain) return std::unexpected(not_mixed());
  return out;
}

std::optional<Failure> settle_ppk(IkeSa& sa, const wire::Payloads& answer) {
  if (!sa.setup->plain) return std::nullopt;
  auto plain = std::exchange(sa.setup->plain, std::nullopt);
  sa.ppk = wire::find_notify(answer, wire::NotifyType::ppk_identity) != nullptr;
  if (sa.ppk) return std::nullopt;
  if (sa.conn->ppk_required) {
    return failure(Reason::no_secret, fmt::format("the peer does not know the post-quantum preshared key '{}', which "
                                                  "{} requires",
                                                  sa.conn->ppk_id->text(), sa.conn->name));
  }
  sa.keys.d = std::move(plain->d);
  sa.keys.pi = std::move(plain->pi);
  sa.keys.pr = std::move(plain->pr);
  return std::nullopt;
}

std::expected<const wire::NotifyPayload*, Failure> answer_ppk(Context& ctx, IkeSa& sa, const wire::Payloads& request) {
  const auto refuse = [](std::string text) { return std::unexpected(failure(Reason::no_secret, std::move(text))); };
  const auto& conn = *sa.conn;
  const auto* named = sa.setup->ppk ? wire::find_notify(request, wire::NotifyType::ppk_identity) : nullptr;
  if (named == nullptr) {
    if (!conn.ppk_required) return nullptr;
    return refuse(
        fmt::format("{} requires a post-quantum preshared key (ppk_required), and the peer names none", conn.name));
  }
  const auto id = id_of(*named);
  const auto* ppk = id && wanted(conn, *id) ? find_ppk(*ctx.config, *id) : nullptr;
  if (ppk != nullptr) {
    if (!mix(sa, *ppk)) return std::unexpected(not_mixed());
    sa.ppk = true;
    return nullptr;
  }
  const auto* without = wire::find_notify(request, wire::NotifyType::no_ppk_auth);
  if (conn.ppk_required || without == nullptr) {
    return refuse(id ? fmt::format("the peer's post-quantum preshared key '{}' is not among the secrets, or not the "
                                   "ppk_id of {}",
                                   text_of(conn, *id), conn.name)
                     : std::string("the peer's PPK_IDENTITY is of a kind that we do not take"));
  }
  return without;
}

}  // namespace espgate::ike
