// SPDX-License-Identifier: Apache-2.0
#include "sad/reason.h"

namespace espgate::sad {

std::string_view code(Reason reason) {
  switch (reason) {
    case Reason::none:
      return "";
    case Reason::no_device:
      return "no-device";
    case Reason::silent_software:
      return "silent-software";
    case Reason::offload_refused:
      return "offload-refused";
    case Reason::device_full:
      return "device-full";
    case Reason::other_direction:
      return "other-direction";
    case Reason::unsupported_mode:
      return "unsupported-mode";
    case Reason::unsupported_suite:
      return "unsupported-suite";
    case Reason::no_esp:
      return "no-esp";
    case Reason::no_permission:
      return "no-permission";
    case Reason::spi_in_use:
      return "spi-in-use";
    case Reason::kernel_refused:
      return "kernel-refused";
    case Reason::ledger_full:
      return "ledger-full";
    case Reason::cancelled:
      return "cancelled";
    case Reason::stopping:
      return "stopping";
    case Reason::ah_in_software:
      return "ah-in-software";
    case Reason::no_slot:
      return "no-slot";
    case Reason::suspected:
      return "suspected";
    case Reason::distrusted:
      return "distrusted";
  }
  return "unknown";
}

Reason reason_of(std::string_view text) {
  for (std::uint8_t number = 1; number <= static_cast<std::uint8_t>(Reason::distrusted); ++number) {
    if (code(static_cast<Reason>(number)) == text) return static_cast<Reason>(number);
  }
  return Reason::none;
}

}  // namespace espgate::sad
