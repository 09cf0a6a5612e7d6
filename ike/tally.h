// SPDX-License-Identifier: Apache-2.0
// How exchanges ended, counted: of those that we began and of those that peers began.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace espgate::ike {

enum class Exchange : std::uint8_t {
  ike_sa_init,
  ike_auth,
  create_child_sa,
  informational,
  ike_intermediate,
  ike_followup_ke
};
enum class Role : std::uint8_t { initiator, responder };  // of the exchange, not of the IKE SA
// error: the answer has an error notify, or could not be read; timeout: there was none (initiator only).
enum class Ending : std::uint8_t { done, error, timeout };

inline constexpr std::array<std::string_view, 6> kExchanges{"ike_sa_init",   "ike_auth",         "create_child_sa",
                                                            "informational", "ike_intermediate", "ike_followup_ke"};
inline constexpr std::array<std::string_view, 2> kRoles{"initiator", "responder"};
inline constexpr std::array<std::string_view, 3> kEndings{"done", "error", "timeout"};

// Since the engine began. Another engine's may be added.
struct Tally {
  std::array<std::array<std::array<std::uint64_t, kEndings.size()>, kRoles.size()>, kExchanges.size()> ended{};
  std::uint64_t retransmits = 0;  // requests of ours that were sent again, each time

  std::uint64_t& at(Exchange exchange, Role role, Ending ending) {
    return ended[static_cast<std::size_t>(exchange)][static_cast<std::size_t>(role)][static_cast<std::size_t>(ending)];
  }
  Tally& operator+=(const Tally& more) {
    for (std::size_t e = 0; e < ended.size(); ++e) {
      for (std::size_t r = 0; r < kRoles.size(); ++r) {
        for (std::size_t i = 0; i < kEndings.size(); ++i) ended[e][r][i] += more.ended[e][r][i];
      }
    }
    retransmits += more.retransmits;
    return *this;
  }
};

}  // namespace espgate::ike
