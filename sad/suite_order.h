// SPDX-License-Identifier: Apache-2.0
// `esp_proposals = default`: in which order suites are offered and chosen. First what the devices take, the strongest
// first; then the others, in their usual order. Nothing below the operator's floor.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/esp.h"
#include "ike/proposal.h"
#include "sad/device_table.h"

namespace espgate::sad {

// The child that the order is for, as far as it is known before it is negotiated.
struct OfferShape {
  base::OffloadWanted wanted = base::OffloadWanted::automatic;
  base::SaMode mode = base::SaMode::tunnel;
  base::Family family = base::Family::ipv4;  // of the outer or the only header
  bool encap = false;
};

enum class Carrier : std::uint8_t { hardware, software, unknown };
std::string_view to_string(Carrier carrier);  // "hardware", "software", "unknown"

struct SuiteOffer {
  base::EspSuite suite;    // without ESN
  ike::Proposal proposal;  // of this suite alone
  Carrier carrier = Carrier::unknown;
  std::string why;  // one sentence, with the driver's words where it refused
};

// Bits an attacker has to search, as esp_floor counts them: those of the cipher's key.
std::uint32_t strength(const base::EspSuite& suite);
inline constexpr std::uint32_t kLeastFloor = 128, kMostFloor = 256;

// In the order of preference. `devices`: those by which the child may leave; a suite counts as taken if all of them
// take it. An empty span: there is none.
std::vector<SuiteOffer> order_suites(std::span<const DeviceRecord* const> devices, const OfferShape& shape,
                                     std::uint32_t floor);

// What is offered then: a proposal a suite, so that their order is plain. Where nothing is taken the usual few
// proposals, less what is below the floor.
std::vector<ike::Proposal> proposals_of(std::span<const SuiteOffer> offers);

// "aes256gcm16 (nic0 takes it), aes128gcm16 (...)": for the log.
std::string text_of(std::span<const SuiteOffer> offers);

}  // namespace espgate::sad
