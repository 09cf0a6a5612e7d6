// SPDX-License-Identifier: Apache-2.0
// From an agreement to SAs in the kernel: KEYMAT (RFC 7296 2.17), InstallChild, and the one answer to it. A responder's
// reply is held until then, so that a refused offload is part of the negotiation.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "ike/context.h"
#include "ike/crypto/keys.h"
#include "ike/ike_sa.h"
#include "ike/task/child_negotiate.h"

namespace espgate::ike {

struct Nonces {
  base::ByteView i, r;  // of the initiator and the responder of the exchange that makes the child
};

struct InstallOrder {
  base::Spi spi_in;
  bool initiator = false;      // of the exchange
  bool first = false;          // IKE_AUTH
  crypto::ChildShared shared;  // of the child's own key exchanges; empty without PFS
  std::optional<base::ChildId> rekeys;
  std::vector<RequestId> initiates;  // taken over, unless there is an error
};

// Derives the keys and emits InstallChild, or AddInbound as the responder of a rekey or beside a sibling. The error is
// a sentence: the keys could not be made.
std::expected<base::ChildId, std::string> install(Context& ctx, IkeSa& sa, const Agreed& agreed, const Nonces& nonces,
                                                  InstallOrder& order);

// What is asked of sad/, without keys and limits.
ChildSpec spec_of(const IkeSa& sa, const Child& child);
// sad/ has it.
void installed(Context& ctx, IkeSa& sa, Child& child, ChildInstalled result);

// Lets the reply go that waited for a child, as accepted.
void send_held(Context& ctx, IkeSa& sa);

// sad/ answered. Answers to children that are gone are ignored: RemoveChild has been said.
void on_install_answer(Context& ctx, ChildAnswer answer);

// Children whose answer is overdue at `ctx.now` (config.install_timeout) are given up.
void on_install_due(Context& ctx, IkeSa& sa);

}  // namespace espgate::ike
