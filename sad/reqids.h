// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "sad/child.h"

namespace espgate::sad {

// Children between the same ends with the same selectors share a reqid, as generations of one child do: whichever of
// their SAs the peer uses, the policies take it. Inside sad/ only.
class Reqids {
 public:
  std::optional<std::uint32_t> take(const ike::ChildSpec& spec) {
    Use& use = uses_[key(spec)];
    if (use.count == 0) {
      const auto fresh = free();
      if (!fresh) return std::nullopt;
      use.reqid = *fresh;
      taken_.insert(*fresh);
    }
    ++use.count;
    return use.reqid;
  }
  void give_back(const ike::ChildSpec& spec) {
    const auto found = uses_.find(key(spec));
    if (found == uses_.end() || --found->second.count != 0) return;
    taken_.erase(found->second.reqid);
    uses_.erase(found);
  }

 private:
  struct Key {
    base::Address local, remote;
    base::SaMode mode{};
    std::vector<base::TrafficSelector> local_ts, remote_ts;
    auto operator<=>(const Key&) const = default;
  };
  struct Use {
    std::uint32_t reqid = 0;
    std::size_t count = 0;
  };
  static Key key(const ike::ChildSpec& spec) {
    return {spec.local.address, spec.remote.address, spec.mode, spec.local_ts, spec.remote_ts};
  }
  // Each number in turn, so that one just given up is not at once somebody else's.
  std::optional<std::uint32_t> free() {
    constexpr std::uint32_t kLast = 0xffff;
    for (std::uint32_t tries = 0; tries < kLast; ++tries) {
      last_ = last_ == kLast ? 2 : last_ + 1;
      if (!taken_.contains(kReqidBase + last_)) return kReqidBase + last_;
    }
    return std::nullopt;
  }

  std::map<Key, Use> uses_;
  std::set<std::uint32_t> taken_;
  std::uint32_t last_ = 1;  // 1 is for trials
};

}  // namespace espgate::sad
