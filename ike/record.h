// SPDX-License-Identifier: Apache-2.0
// The record of an IKE SA: everything that another process needs to go on with it, keys included, as octets. Made after
// each input that changed the SA (Record in ike/api.h), read once by the next process.
//
// A record says of which version it is and from which version on it can be read. Later versions append to blocks, which
// earlier ones skip: a version reads its own records, those of the version before, and those of the one after that do
// not say otherwise.
//
// Not in it: half-open IKE SAs; replies that wait for the kernel, as the peer repeats its request; who waits for the
// end of a command; fragments of which some are missing.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/bytes.h"
#include "base/secret.h"
#include "ike/ike_sa.h"

namespace espgate::ike::record {

// ESPGATE_RECORD_NEXT builds the version after this one, for tests of upgrades and downgrades.
#ifdef ESPGATE_RECORD_NEXT
inline constexpr bool kNext = true;
#else
inline constexpr bool kNext = false;
#endif
inline constexpr std::uint8_t kVersion = kNext ? 3 : 2;
inline constexpr std::uint8_t kReadableFrom = 1;  // the oldest version that reads what is written here
inline constexpr std::uint8_t kOldestRead = 1;    // the version before this one: it knew no PPK

// IVs are promised to the record so many at a time.
inline constexpr std::uint64_t kIvReserve = 256;

// Who waits beside whom (Context::besides), the other way round.
using Besides = std::map<base::ChildId, base::ChildId>;

// Whether an IKE SA is to be recorded now.
bool worthy(const IkeSa& sa);

// Reserves IVs, if those that were are spent. Empty: the SA is too large for a record.
base::Secret encode(IkeSa& sa, const Besides& besides);

struct Decoded {
  std::unique_ptr<IkeSa> sa;
  bool orphan = false;                // its connection is not configured any more; `sa` has one that has only a name
  std::set<base::ChildId> orphans;    // children of which that is true
  std::set<base::ChildId> undecided;  // responder's children whose reply had not gone: as if they had never been
  Besides besides;
};
// nullopt: it is no record, or not one that this version reads. Configurations are found by their names.
std::optional<Decoded> decode(base::ByteView octets, const Config& config);

// The engine's own record: the numbers of IKE SAs and children that may have been given out.
struct Numbers {
  std::uint64_t ike = 0, child = 0;
};
inline constexpr std::uint64_t kNumbersReserve = 4096;
base::Secret encode(const Numbers& numbers);
std::optional<Numbers> decode_numbers(base::ByteView octets);

}  // namespace espgate::ike::record
