// SPDX-License-Identifier: Apache-2.0
// `--kernel null`: no XFRM at all. SAs and policies are kept in memory and read back as software; nothing is encrypted,
// and nothing blocked. For trying the control plane where the kernel has no ESP.
#pragma once

#include "xfrm/model_kernel.h"

namespace espgate::xfrm {

class NullKernel final : public ModelKernel {
 public:
  NullKernel() { keeps_journal = keeps_keys = false; }  // it may run for months
};

}  // namespace espgate::xfrm
