// SPDX-License-Identifier: Apache-2.0
// The ledger's entries in C++ terms, and back and forth to the layout of maps/abi.h.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/address.h"
#include "base/esp.h"
#include "base/ids.h"
#include "maps/abi.h"

namespace espgate::maps {

// One SA of ours: written before NEWSA, updated when its offload is known, cleared after DELSA.
struct SaRecord {
  base::ChildId child;  // the same for in and out
  base::ChildUid uid;
  std::uint64_t ike_id = 0;       // unique id of its IKE SA; the low 32 bits are kept
  std::uint64_t netns = 0;        // SO_NETNS_COOKIE; 0 means the namespace that the Loader was opened in
  std::int64_t installed_at = 0;  // epoch seconds
  base::Direction direction = base::Direction::in;
  base::Spi spi;
  base::Address src, dst;   // outer addresses
  std::uint8_t proto = 50;  // IPPROTO_ESP
  bool encap = false;       // UDP encapsulation
  base::SaMode mode = base::SaMode::tunnel;
  std::string suite;          // base::EspSuite::name(); see set_suite
  std::uint8_t overhead = 0;  // octets of IV and ICV
  bool esn = false;
  void set_suite(const base::EspSuite& with);  // suite, overhead and esn
  std::uint32_t reqid = 0;
  std::string conn, child_name;  // cut at 63 octets
  base::OffloadWanted wanted = base::OffloadWanted::no;
  base::OffloadActual actual = base::OffloadActual::none;
  std::string reason_code;  // a closed code, cut at 31; empty: actual is what was wanted
  std::string reason;       // cut at 191 octets
  std::string device;       // of the offload; empty: none
  std::uint32_t ifindex = 0;
};

enum class PolicyKind : std::uint8_t { child, floor, bypass, trap, shunt, guard };
enum class PolicyDir : std::uint8_t { in, out, fwd };

// One policy of ours, with all that deleting it needs.
struct PolicyRecord {
  PolicyKind kind = PolicyKind::floor;
  PolicyDir dir = PolicyDir::out;
  std::uint64_t netns = 0;                                                         // as in SaRecord
  base::ChildUid uid;                                                              // 0: of no child
  base::Prefix src, dst;                                                           // one family
  std::uint8_t proto = 0;                                                          // 0: any
  std::uint16_t src_port = 0, src_port_mask = 0, dst_port = 0, dst_port_mask = 0;  // host order; mask 0: any
  std::uint32_t priority = 0;
  std::uint32_t if_id = 0;
  std::uint32_t ifindex = 0;
  std::uint32_t mark = 0, mark_mask = 0;
  bool offload = false;  // packet mode
  std::string conn, child;
  bool operator==(const PolicyRecord&) const = default;
};

espgate_sa_entry to_abi(const SaRecord& record, std::uint32_t generation);
SaRecord from_abi(const espgate_sa_entry& entry);
espgate_policy_entry to_abi(const PolicyRecord& record);
PolicyRecord from_abi(const espgate_policy_entry& entry);

espgate_sa_key key_of(const espgate_sa_entry& entry);
espgate_sa_value value_of(const espgate_sa_entry& entry, std::uint32_t slot);

// Cookie of the network namespace that the calling thread is in; 0 where the kernel has none.
std::uint64_t netns_cookie();

}  // namespace espgate::maps
