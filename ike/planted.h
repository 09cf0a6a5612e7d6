// SPDX-License-Identifier: Apache-2.0
// Bugs that a build can be told to have, so that the simulation proves that it would find them. Never in a product:
// espgated does not start with one. They live in engines of id 0 alone, so that a sound engine stands on the other
// side.
#pragma once

#include <cstdint>

namespace espgate::ike {

enum class Planted : std::uint8_t {
  none,
  early_delete,    // the old inbound SA goes as soon as the new one is there
  reversed_nonce,  // of two rekeys that met, the one with the highest nonce goes
  answered_anew,   // a repeated request is worked on once more
};

#if defined(ESPGATE_PLANT_EARLY_DELETE)
inline constexpr Planted kPlanted = Planted::early_delete;
#elif defined(ESPGATE_PLANT_REVERSED_NONCE)
inline constexpr Planted kPlanted = Planted::reversed_nonce;
#elif defined(ESPGATE_PLANT_ANSWERED_ANEW)
inline constexpr Planted kPlanted = Planted::answered_anew;
#else
inline constexpr Planted kPlanted = Planted::none;
#endif

constexpr bool planted(Planted bug, std::uint32_t engine) { return kPlanted == bug && engine == 0; }

}  // namespace espgate::ike
