// SPDX-License-Identifier: Apache-2.0
// NAT detection, RFC 7296 2.23: hashes of both ends' addresses and ports, compared by the other side.
#pragma once

#include "base/address.h"
#include "base/ids.h"
#include "ike/wire/message.h"

namespace espgate::ike {

// The two notifies of a message that goes from `local` to `remote`. `forced`: a source hash that cannot fit, so that
// the peer believes we are behind a NAT and ESP goes in UDP.
wire::Payloads nat_notifies(base::IkeSpi spi_i, base::IkeSpi spi_r, const base::Endpoint& local,
                            const base::Endpoint& remote, bool forced);

struct NatFound {
  bool supported = false;  // the peer sent the notifies
  bool local = false, remote = false;
};

// Compares the notifies of a message that came from `remote` to `local`. Several sources are allowed: one must fit.
NatFound detect_nat(const wire::Payloads& payloads, base::IkeSpi spi_i, base::IkeSpi spi_r, const base::Endpoint& local,
                    const base::Endpoint& remote);

}  // namespace espgate::ike
