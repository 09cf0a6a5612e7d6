// SPDX-License-Identifier: Apache-2.0
// What was loaded over vici and is to outlive this process, in the same memory as the records of IKE SAs: which of
// their keys each has. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "control/vici/load_again.h"
#include "ike/api.h"

namespace espgate::gateway {

class Remembered {
 public:
  // Keys of records: 0 is the engine's, from here on they are SPIs of IKE SAs (Context::new_ike_spi).
  static constexpr std::uint64_t kEnd = std::uint64_t{1} << 32U;
  static bool is_one(std::uint64_t key) { return key != 0 && key < kEnd; }

  // A former process had it.
  void take(std::uint64_t key, const control::vici::LoadedBy& what);
  // In the place of an earlier one of that command and name, if it has a name; so the order stays that of the first.
  ike::Record set(const control::vici::LoadedBy& what, base::Secret octets);
  // nullopt: all of that command.
  ike::Record forget(std::string_view command, const std::optional<std::string>& name);
  // Connections that are not among these went otherwise: the file has their names now.
  ike::Record only_conns(const std::vector<std::string>& names);

 private:
  template <class Gone>
  ike::Record erase(Gone&& gone);

  std::multimap<std::pair<std::string, std::string>, std::uint64_t> keys_;  // by command and name
  std::uint64_t last_ = 0;
};

}  // namespace espgate::gateway
