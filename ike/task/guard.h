// SPDX-License-Identifier: Apache-2.0
// What stands between strangers and our memory and time: limits of half-open IKE SAs, cookies, answers to SPIs that are
// not ours (RFC 7296 1.5, 2.6, 2.21.4). Every refusal is counted by reason.
#pragma once

#include <cstdint>

#include "ike/context.h"
#include "ike/wire/message.h"

namespace espgate::ike {

inline constexpr std::size_t kMostInitOctets = 8192;  // of an IKE_SA_INIT request: it is kept until IKE_AUTH

// Whether an IKE_SA_INIT request may cost us a key exchange and an IKE SA. If not it was answered or dropped here.
bool admit(Context& ctx, const Datagram& datagram, const wire::Header& header, const wire::Payloads& payloads);

// A request for an IKE SA that we do not have: INVALID_IKE_SPI, so many a second.
void answer_unknown_spi(Context& ctx, const Datagram& datagram, const wire::Header& header);

// An answer to our request that is not protected. INVALID_IKE_SPI in it proves nothing, but is remembered (2.21.4).
void note_denial(IkeSa& sa, const Datagram& datagram);
// Whether to give an SA up before all retransmissions are sent: the peer began this one and then a newer one,
// is heard there, and has been silent here through three of them and half a minute. It has forgotten this one.
bool moved_on(Context& ctx, const IkeSa& sa);
// Whether to give an SA up before all retransmissions are sent: the peer denied to know it, and we are deleting it, a
// newer SA with the same peer is there, or the peer never used it since a rekey made it. What a forger could gain is
// the end of an SA on which the peer is silent.
bool denied_for_good(Context& ctx, const IkeSa& sa);

}  // namespace espgate::ike
