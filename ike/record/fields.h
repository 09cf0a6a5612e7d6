// SPDX-License-Identifier: Apache-2.0
// How the values of base/ and of ike/'s interface stand in a record (archive.h). Inside ike/ only.
#pragma once

#include "base/address.h"
#include "base/esp.h"
#include "base/ids.h"
#include "ike/api.h"
#include "ike/crypto/suite.h"
#include "ike/identity.h"
#include "ike/reason.h"
#include "ike/record/archive.h"

namespace espgate::ike::record {

template <class A>
void field(A& a, base::Spi& spi) {
  a.number(spi.value);
}
template <class A>
void field(A& a, base::IkeSpi& spi) {
  a.number(spi.value);
}
template <class A>
void field(A& a, base::IkeId& id) {
  a.number(id.value);
}
template <class A>
void field(A& a, base::ChildId& id) {
  a.number(id.value);
}

// Nanoseconds of the monotonic clock, which goes on over the death of a process, but not over that of the machine.
template <class A>
void field(A& a, base::Instant& at) {
  auto count = static_cast<std::uint64_t>(at.time_since_epoch().count());
  a.number(count);
  if constexpr (A::kReads) {
    if (count > std::uint64_t{1} << 62U) return a.fail();  // sums with durations stay within the type
    at = base::Instant(base::Duration(static_cast<std::int64_t>(count)));
  }
}

template <class A>
void field(A& a, base::Address& address) {
  base::Bytes octets(address.octets().begin(), address.octets().end());
  a.octets(octets);
  if constexpr (A::kReads) {
    const auto read = base::Address::from_octets(octets);
    read ? address = *read : (a.fail(), address);
  }
}

template <class A>
void field(A& a, base::Endpoint& end) {
  field(a, end.address);
  a.number(end.port);
}

template <class A>
void field(A& a, base::TrafficSelector& ts) {
  a.number(ts.protocol);
  a.number(ts.first_port);
  a.number(ts.last_port);
  field(a, ts.first);
  field(a, ts.last);
  if constexpr (A::kReads) {
    if (ts.first.family() != ts.last.family() || ts.last < ts.first) a.fail();
  }
}

template <class A>
void field(A& a, base::EspSuite& suite) {
  choice(a, suite.cipher, base::EspCipher::none);
  a.number(suite.key_bits);
  choice(a, suite.auth, base::EspAuth::hmac_sha2_512_256);
  field(a, suite.esn);
}

template <class A>
void field(A& a, Identity& id) {
  choice(a, id.type, IdType::key_id);
  field(a, id.data);
}

template <class A>
void field(A& a, crypto::IkeSuite& suite) {
  for (auto* number : {&suite.encr, &suite.key_bits, &suite.integ, &suite.prf, &suite.group}) a.number(*number);
}

template <class A>
void field(A& a, crypto::AdditionalKes& kes) {
  for (auto& id : kes) a.number(id);
}

template <class A>
void field(A& a, OffloadState& state) {
  choice(a, state.actual, base::OffloadActual::packet);
  field(a, state.device);
  field(a, state.reason_code);
  field(a, state.reason);
}

// By its code: the enumeration is not of one order for ever.
template <class A>
void field(A& a, Reason& reason) {
  std::string text(code(reason));
  field(a, text);
  if constexpr (A::kReads) reason = reason_of_code(text).value_or(Reason::unexpected);
}

template <class A>
void field(A& a, Failure& failure) {
  field(a, failure.code);
  field(a, failure.step);
  field(a, failure.text);
  field(a, failure.peer_notify);
}

}  // namespace espgate::ike::record
