// SPDX-License-Identifier: Apache-2.0
// Children that the records of a process before this one tell of: for sad/, which looks what became of their SAs.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <vector>

#include "ike/api.h"
#include "ike/config.h"

namespace espgate::ike {

// A child as it was for that process.
struct KeptChild {
  enum class Was : std::uint8_t {
    installing,  // its SAs were asked for; perhaps they are there
    up,
    waiting,    // inbound alone; `spec` has the outbound keys
    switching,  // its outbound SA was asked for; `spec` has the keys
    retiring,   // replaced; its outbound SA goes by and by
    retired,    // replaced; its outbound SA is to be gone
  } was = Was::up;
  bool announced = false;  // child_up or child_rekeyed was said of it
  ChildSpec spec;          // without keys, but for the outbound ones where it is said above
};

// In the order of their numbers: the older generation first. Error: a sentence; one record that cannot be read spoils
// all, for whatever spoilt it.
std::expected<std::vector<KeptChild>, std::string> children_of(std::span<const Record::Entry> records,
                                                               const Config& config);

}  // namespace espgate::ike
