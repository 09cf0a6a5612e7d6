// SPDX-License-Identifier: Apache-2.0
// ipsec.conf -> espgate.conf. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/convert/ipsec_conf.h"

namespace espgate::control::convert {

struct Converted {
  std::string text;             // a configuration, without secrets
  std::vector<Remark> remarks;  // what was not carried over, by line
  std::size_t conns = 0, left_out = 0;
};

// `left` is taken for the local end, unless it has no address and `right` has %defaultroute.
Converted convert(std::string_view ipsec_conf);

}  // namespace espgate::control::convert
