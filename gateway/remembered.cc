// SPDX-License-Identifier: Apache-2.0
#include "gateway/remembered.h"

#include <algorithm>

namespace espgate::gateway {

void Remembered::take(std::uint64_t key, const control::vici::LoadedBy& what) {
  keys_.emplace(std::pair(what.command, what.name), key);
  last_ = std::max(last_, key);
}

ike::Record Remembered::set(const control::vici::LoadedBy& what, base::Secret octets) {
  ike::Record out;
  const std::pair name(what.command, what.name);
  const auto there = what.name.empty() ? keys_.end() : keys_.find(name);
  const auto key = there != keys_.end() ? there->second : keys_.emplace(name, ++last_)->second;
  out.entries.push_back({key, std::move(octets)});
  return out;
}

template <class Gone>
ike::Record Remembered::erase(Gone&& gone) {
  ike::Record out;
  std::erase_if(keys_, [&](const auto& entry) {
    if (!gone(entry.first)) return false;
    out.entries.push_back({entry.second, {}});
    return true;
  });
  return out;
}

ike::Record Remembered::forget(std::string_view command, const std::optional<std::string>& name) {
  return erase([&](const auto& what) { return what.first == command && (!name || what.second == *name); });
}

ike::Record Remembered::only_conns(const std::vector<std::string>& names) {
  return erase([&](const auto& what) {
    return what.first == "load-conn" && std::ranges::find(names, what.second) == names.end();
  });
}

}  // namespace espgate::gateway
