// SPDX-License-Identifier: Apache-2.0
// `esp_proposals = default`: in which order suites are offered and chosen. First what the devices take, the strongest
// first; then the others, in their usual order. Nothing below the operator's floor. ESN goes before the same suite
// without, and is left out for offload if that is allowed and the child is slow enough (sad/pace.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/esp.h"
#include "ike/proposal.h"
#include "sad/device_table.h"

namespace espgate::sad {

// Whether a suite that the device takes without ESN alone goes before what it does not take.
enum class WithoutEsn : std::uint8_t { allowed, forbidden, too_fast };

// The child that the order is for, as far as it is known before it is negotiated.
struct OfferShape {
  base::OffloadWanted wanted = base::OffloadWanted::automatic;
  base::SaMode mode = base::SaMode::tunnel;
  base::Family family = base::Family::ipv4;  // of the outer or the only header
  bool encap = false;
  WithoutEsn without_esn = WithoutEsn::allowed;
};

enum class Carrier : std::uint8_t { hardware, software, unknown };
std::string_view to_string(Carrier carrier);  // "hardware", "software", "unknown"

struct SuiteOffer {
  base::EspSuite suite;    // with ESN, or without
  ike::Proposal proposal;  // of this suite alone
  Carrier carrier = Carrier::unknown;
  bool first = false;  // hardware is what gave it its place
  std::string why;     // one sentence, with the driver's words where it refused
};

// Bits an attacker has to search, as esp_floor counts them: those of the cipher's key.
std::uint32_t strength(const base::EspSuite& suite);
inline constexpr std::uint32_t kLeastFloor = 128, kMostFloor = 256;

// In the order of preference. `devices`: those by which the child may leave; a suite counts as taken if all of them
// take it. An empty span: there is none. If offload is strict, nothing is left in that would end in software.
std::vector<SuiteOffer> order_suites(std::span<const DeviceRecord* const> devices, const OfferShape& shape,
                                     std::uint32_t floor);

// What is offered then: a proposal a suite, so that their order is plain; neighbours that differ in ESN alone share
// one. Where nothing is taken the usual few proposals, less what is below the floor.
std::vector<ike::Proposal> proposals_of(std::span<const SuiteOffer> offers);

// "aes256gcm16, aes128gcm16 (nic0 takes it), chacha20poly1305 (...)": for the log; neighbours share a reason.
std::string text_of(std::span<const SuiteOffer> offers);

}  // namespace espgate::sad
