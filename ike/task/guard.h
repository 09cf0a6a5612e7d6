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

}  // namespace espgate::ike
