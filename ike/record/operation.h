// SPDX-License-Identifier: Apache-2.0
// Exchanges of ours, under way or queued, in a record. Inside ike/ only.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "ike/ike_sa.h"
#include "ike/record/fields.h"

namespace espgate::ike::record {

// The present configuration of a child by its name; never nullptr.
using Find = std::function<std::shared_ptr<const ChildConfig>(const std::string& name)>;

template <class A>
void config_field(A& a, std::shared_ptr<const ChildConfig>& config, const Find& find) {
  std::string name = config ? config->name : std::string();
  field(a, name);
  if constexpr (A::kReads) config = find(name);
}

// Group, private key and public value; the first alone says that there is none.
template <class A>
void field(A& a, std::optional<crypto::KeyExchange>& ke) {
  bool there = ke.has_value();
  field(a, there);
  if (!there) return;
  std::uint16_t group = 0;
  base::Secret kept;
  base::Bytes public_value;
  if constexpr (!A::kReads) {
    group = ke->group();
    public_value = ke->public_value();
    if (auto octets = ke->kept()) kept = std::move(*octets);
  }
  a.number(group);
  field(a, kept);
  field(a, public_value);
  if constexpr (A::kReads) {
    if (!a.ok()) return;
    auto made = crypto::KeyExchange::from_kept(group, kept.view(), std::move(public_value));
    if (!made) return a.fail();
    ke.emplace(std::move(*made));
  }
}

// A chain of payloads, as octets.
template <class A>
void field(A& a, wire::Payloads& payloads) {
  std::uint8_t first = 0;
  base::Bytes octets;
  if constexpr (!A::kReads) {
    base::ByteWriter out;
    first = static_cast<std::uint8_t>(wire::write_payloads(out, payloads));
    octets = out.take();
  }
  a.number(first);
  field(a, octets);
  if constexpr (A::kReads) {
    auto read = wire::parse_payloads(static_cast<wire::PayloadType>(first), octets);
    read ? payloads = std::move(*read) : (a.fail(), payloads);
  }
}

template <class A>
void field(A& a, FurtherKes& further) {
  field(a, further.answer);
  each(a, further.to_come);
  field(a, further.ke);
  field(a, further.additional);
}

// Without `initiates`: who asked is gone with the process.
template <class A>
void offer_field(A& a, ChildOffer& offer, const Find& find) {
  a.block([&] {
    config_field(a, offer.config, find);
    field(a, offer.spi_in);
    each(a, offer.local_ts);
    each(a, offer.remote_ts);
    field(a, offer.nonce);
    maybe(a, offer.group);
    field(a, offer.ke);
    a.number(offer.restarts);
    maybe(a, offer.packet, [&](Initiate::Packet& packet) {
      field(a, packet.local);
      field(a, packet.remote);
    });
    if (a.more()) maybe(a, offer.further);
  });
}

template <class A>
void field(A& a, Met& met) {
  field(a, met.lowest);
}

template <class A>
void body(A& a, DoCreateChild& what, const Find& find) {
  offer_field(a, what.offer, find);
}
template <class A>
void body(A& a, DoRekeyChild& what, const Find& find) {
  field(a, what.old);
  offer_field(a, what.offer, find);
  maybe(a, what.met);
  field(a, what.unsure);
}
template <class A>
void body(A& a, DoRekeyIke& what, const Find& /*find*/) {
  field(a, what.spi);
  field(a, what.nonce);
  maybe(a, what.group);
  field(a, what.ke);
  a.number(what.restarts);
  maybe(a, what.met);
  field(a, what.met_spi);
  if (a.more()) maybe(a, what.further);
}
template <class A>
void body(A& a, DoDeleteChild& what, const Find& /*find*/) {
  field(a, what.spi_in);
  maybe(a, what.child);
  field(a, what.reason);
  field(a, what.unsure);
  auto protocol = static_cast<std::uint8_t>(what.protocol);
  a.number(protocol);
  if constexpr (A::kReads) {
    what.protocol = static_cast<Protocol>(protocol);
    if (what.protocol != Protocol::esp && what.protocol != Protocol::ah) a.fail();
  }
}
template <class A>
void body(A& a, DoDeleteIke& what, const Find& /*find*/) {
  field(a, what.why);
}
template <class A>
void body(A& /*a*/, DoLiveness& /*what*/, const Find& /*find*/) {}

// The numbers by which they are told apart: never given to another.
enum class Kind : std::uint8_t { create_child = 1, rekey_child, rekey_ike, delete_child, delete_ike, liveness };

template <class A, class T>
bool one_of(A& a, Operation& what, Kind read, Kind own, const Find& find) {
  if constexpr (A::kReads) {
    if (read != own) return false;
    what = T{};
  } else if (!std::holds_alternative<T>(what)) {
    return false;
  } else {
    a.number(static_cast<std::uint8_t>(own));
  }
  a.block([&] { body(a, std::get<T>(what), find); });
  return true;
}

// Precondition: not of a half-open IKE SA.
template <class A>
void field(A& a, Operation& what, const Find& find) {
  std::uint8_t number = 0;
  if constexpr (A::kReads) a.number(number);
  const auto kind = static_cast<Kind>(number);
  const bool known = one_of<A, DoCreateChild>(a, what, kind, Kind::create_child, find) ||
                     one_of<A, DoRekeyChild>(a, what, kind, Kind::rekey_child, find) ||
                     one_of<A, DoRekeyIke>(a, what, kind, Kind::rekey_ike, find) ||
                     one_of<A, DoDeleteChild>(a, what, kind, Kind::delete_child, find) ||
                     one_of<A, DoDeleteIke>(a, what, kind, Kind::delete_ike, find) ||
                     one_of<A, DoLiveness>(a, what, kind, Kind::liveness, find);
  if constexpr (A::kReads) {
    if (!known) a.fail();
  }
}

}  // namespace espgate::ike::record
