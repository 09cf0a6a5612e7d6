// SPDX-License-Identifier: Apache-2.0
// What became of one direction's SA, from the results of its add and its read-back, and the words for it.
// Inside sad/ only.
#pragma once

#include <optional>
#include <string>

#include "base/esp.h"
#include "base/name.h"
#include "sad/reason.h"
#include "xfrm/api.h"

namespace espgate::sad {

struct Verdict {
  base::OffloadActual actual = base::OffloadActual::none;
  bool added = false;            // the kernel took it, in hardware or not
  Reason reason = Reason::none;  // why not added, or not offloaded though asked to
  base::Name text;               // the sentence for `reason`, with the driver's words
};

// What was tried, for the sentence.
struct Attempt {
  std::optional<xfrm::OffloadKind> asked;  // none: software, explicitly
  std::string device;
  std::string suite;
};

// `read` is looked at if the add succeeded; an SA that cannot be read back counts as software.
Verdict judge(const Attempt& attempt, const xfrm::Result& added, const xfrm::Result& read);

// The kernel's own words: `"No space" (ENOSPC)`, or errno's if it gave none.
std::string words_of(const base::Error& error);

}  // namespace espgate::sad
