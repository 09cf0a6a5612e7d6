// SPDX-License-Identifier: Apache-2.0
#include "steer/reason.h"

namespace espgate::steer {

std::string_view code(Reason reason) {
  switch (reason) {
    case Reason::free_slot:
      return "free-slot";
    case Reason::heavier:
      return "heavier";
    case Reason::outweighed:
      return "outweighed";
    case Reason::headroom:
      return "headroom";
    case Reason::ineligible:
      return "ineligible";
    case Reason::device_full:
      return "device-full";
    case Reason::kept_for_waiting:
      return "kept-for-waiting";
  }
  return "unknown";
}

}  // namespace espgate::steer
