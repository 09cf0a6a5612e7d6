// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sad/child.h"

namespace espgate::sad {

// Children with the same selectors share a reqid if they have one name (the peer may have moved between one and the
// next) or the same ends, and so do the generations of one child, whatever their selectors: whichever of their SAs the
// peer uses, the policies take it. Inside sad/ only.
class Reqids {
 public:
  std::optional<std::uint32_t> take(const ike::ChildSpec& spec) {
    auto reqid = known(by_name(spec));
    if (!reqid) reqid = known(by_ends(spec));
    if (!reqid) reqid = free();
    if (reqid) share(*reqid, spec);
    return reqid;
  }
  // One that no SA has.
  std::optional<std::uint32_t> take() {
    const auto reqid = free();
    if (reqid) ++uses_[*reqid].count;
    return reqid;
  }
  // One more user of a reqid that is in use.
  void share(std::uint32_t reqid, const ike::ChildSpec& spec) {
    Use& use = uses_[reqid];
    ++use.count;
    for (auto key : {by_name(spec), by_ends(spec)}) {
      const auto [at, fresh] = by_key_.try_emplace(std::move(key), reqid);
      if (fresh) use.keys.push_back(at);
    }
  }
  void give_back(std::uint32_t reqid) {
    const auto found = uses_.find(reqid);
    if (found == uses_.end() || --found->second.count != 0) return;
    for (const auto key : found->second.keys) by_key_.erase(key);
    uses_.erase(found);
  }

 private:
  struct Key {
    std::string conn, child;
    base::Address local, remote;
    base::SaMode mode{};
    std::vector<base::TrafficSelector> local_ts, remote_ts;
    auto operator<=>(const Key&) const = default;
  };
  static Key by_name(const ike::ChildSpec& spec) {
    return {spec.conn, spec.child, {}, {}, spec.mode, spec.local_ts, spec.remote_ts};
  }
  static Key by_ends(const ike::ChildSpec& spec) {
    return {{}, {}, spec.local.address, spec.remote.address, spec.mode, spec.local_ts, spec.remote_ts};
  }
  std::optional<std::uint32_t> known(const Key& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? std::nullopt : std::optional(found->second);
  }
  // Each number in turn, so that one just given up is not at once somebody else's.
  std::optional<std::uint32_t> free() {
    constexpr std::uint32_t kLast = kReqids - 1;
    for (std::uint32_t tries = 0; tries < kLast; ++tries) {
      last_ = last_ == kLast ? 2 : last_ + 1;
      if (!uses_.contains(kReqidBase + last_)) return kReqidBase + last_;
    }
    return std::nullopt;
  }

  using ByKey = std::map<Key, std::uint32_t>;
  struct Use {
    std::size_t count = 0;
    std::vector<ByKey::iterator> keys;  // that it was given for
  };
  ByKey by_key_;
  std::map<std::uint32_t, Use> uses_;
  std::uint32_t last_ = 1;  // 1 is for trials
};

}  // namespace espgate::sad
