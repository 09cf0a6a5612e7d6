// SPDX-License-Identifier: Apache-2.0
// Why an SA is where it is and not where it was wanted, closed: labels, JSON codes and the ledger come only from here.
// The driver's words stand beside a reason, never in place of it.
#pragma once

#include <cstdint>
#include <string_view>

namespace espgate::sad {

enum class Reason : std::uint8_t {
  none = 0,               // it is what was wanted
  no_device = 1,          // no device to offload to: no route to the peer
  silent_software = 2,    // the add succeeded, but reading back shows software: the device has no ESP offload
  offload_refused = 3,    // the driver refused this SA
  device_full = 4,        // the device has no room for one more SA
  other_direction = 5,    // this direction could be offloaded, the other one not; both run in software
  unsupported_mode = 6,   // no device carries this child in this mode
  unsupported_suite = 7,  // the kernel lacks an algorithm of the suite
  no_esp = 8,             // the kernel has no ESP
  no_permission = 9,      // CAP_NET_ADMIN is missing
  spi_in_use = 10,        // an SA with this destination and SPI is there already
  kernel_refused = 11,    // the kernel refused an SA or a policy for another cause
  ledger_full = 12,       // more SAs or policies than the maps have room for
  cancelled = 13,         // removed while it was being installed
  stopping = 14,          // the daemon is going down
  ah_in_software = 15,    // AH, which no device takes
  no_slot = 16,           // the device's slots are for children that carry more
  suspected = 17,         // in software on trial: what the device does with it may be wrong
  distrusted = 18,        // the device was found to get this suite wrong
};

std::string_view code(Reason reason);     // "silent-software", ...; "" for none
Reason reason_of(std::string_view code);  // none for what is no code

}  // namespace espgate::sad
