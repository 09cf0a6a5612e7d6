// SPDX-License-Identifier: Apache-2.0
// From a peer's error notify to our closed reasons and to words for the operator.
#pragma once

#include <string>
#include <string_view>

#include "ike/reason.h"
#include "ike/wire/notify_types.h"

namespace espgate::ike {

Reason reason_of(wire::NotifyType error);

// "the peer refused our IKE_AUTH: NO_PROPOSAL_CHOSEN, no proposal in common"
std::string refusal_text(wire::NotifyType error, std::string_view what);

}  // namespace espgate::ike
