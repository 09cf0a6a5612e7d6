// SPDX-License-Identifier: Apache-2.0
// THE key table: every key of swanctl.conf (5.9.8) and of our `gateway` section, what it is and whether espgate honours
// it. --check-config, the model and the documentation all read this table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "control/config/tree.h"

namespace espgate::control {

enum class KeyType : std::uint8_t {
  section,    // a section with known keys below it
  text,       // any string
  boolean,    // yes true enabled 1 / no false disabled 0
  integer,    // decimal, not negative
  number,     // decimal fraction, not negative
  duration,   // 90, 90s, 5m, 4h, 1d, also "1h 30m"
  size,       // octets: 10000, 10k, 1M, 2G (powers of 1024)
  choice,     // one of `choices`
  list,       // comma-separated
  addresses,  // list of addresses, prefixes and ranges
  selectors,  // list of traffic selectors
  proposals,  // list of proposals
  identity,   // an IKE identity
  secret,     // key material: plain text, 0x hex or 0s base64
};

enum class KeyStatus : std::uint8_t {
  honoured,
  ignored,  // accepted with a warning: `why` says what does not happen
  refused,  // an error: `why` says what is missing
};

struct Key {
  std::string_view path;  // "connections.<conn>.local*.auth": <x> any name, * any suffix
  KeyType type{};
  std::string_view default_value;  // as it would be written; empty: none
  std::string_view description;    // one line
  KeyStatus status = KeyStatus::honoured;
  std::string_view why{};
  std::string_view choices{};   // "tunnel transport"
  std::string_view unit{};      // "s", "octets", "packets"
  std::string_view harmless{};  // an ignored or refused key says nothing if its value is this (blank-separated)
};

std::span<const Key> all_keys();

// The entry for a path such as "connections.site-a.children.net.mode"; nullptr if there is none.
const Key* find_key(std::string_view path);

// Checks names and status of everything in a resolved tree, and the form of every value. Unknown names are errors with
// the nearest known one.
void check_keys(const Section& root, Report& report);

// A few plain types, read as the table says. nullopt: not of that form.
std::optional<bool> read_boolean(std::string_view text);
std::optional<std::uint64_t> read_integer(std::string_view text);
std::optional<double> read_number(std::string_view text);
std::optional<std::uint64_t> read_duration(std::string_view text);  // seconds
std::optional<std::uint64_t> read_size(std::string_view text);      // octets

}  // namespace espgate::control
