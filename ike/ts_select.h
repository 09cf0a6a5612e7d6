// SPDX-License-Identifier: Apache-2.0
// Traffic selectors: from the config to what is offered, and the narrowing of RFC 7296 2.9. Pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/esp.h"
#include "ike/config.h"

namespace espgate::ike {

using TsList = std::vector<base::TrafficSelector>;

// The configured selectors with `dynamic` replaced by `host`; an empty list means dynamic, as in strongSwan.
TsList resolve(std::span<const TsConfig> configured, const base::Address& host);

// What both lists cover, in the order of `ours`, without selectors that another one already contains.
TsList narrow(std::span<const base::TrafficSelector> ours, std::span<const base::TrafficSelector> offered);

// Whether every selector of `inner` lies within one of `outer`.
bool within(std::span<const base::TrafficSelector> inner, std::span<const base::TrafficSelector> outer);

std::string text(std::span<const base::TrafficSelector> list);  // "10.1.0.0/16 10.2.0.0/16"

}  // namespace espgate::ike
