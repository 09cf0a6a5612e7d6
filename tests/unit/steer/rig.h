// SPDX-License-Identifier: Apache-2.0
// A Steer with named children that send at fixed rates, and a clock.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "steer/steer.h"

namespace espgate::steer {

class Rig {
 public:
  explicit Rig(const Config& config) : steer(config), interval_(config.interval) {}

  bool place(const std::string& name, const Newcomer& newcomer = {}) {
    const auto placed = steer.place(newcomer);
    children[name] = placed.child;
    why = placed.why;
    return placed.hardware;
  }
  void depart(const std::string& name) {
    steer.depart(children.at(name));
    children.erase(name);
    sends.erase(name);
  }
  // An interval in which each child sends what `sends` says, and its moves: "+a" to hardware, "-b" to software.
  std::vector<std::string> round() {
    for (const auto& [name, octets] : sends) steer.count(children.at(name), octets);
    now += interval_;
    const auto moves = steer.round(now);
    last.assign(moves.begin(), moves.end());
    std::vector<std::string> out;
    for (const auto& move : last) out.push_back((move.to_hardware ? "+" : "-") + name_of(move.child));
    return out;
  }
  [[nodiscard]] bool in_hardware(const std::string& name) const { return steer.in_hardware(children.at(name)); }
  [[nodiscard]] std::string name_of(ChildRef child) const {
    for (const auto& [name, ref] : children) {
      if (ref == child) return name;
    }
    return "?";
  }

  Steer steer;
  base::Instant now{};
  std::map<std::string, ChildRef> children;
  std::map<std::string, std::uint64_t> sends;
  std::vector<Move> last;
  Reason why{};

 private:
  base::Duration interval_;
};

}  // namespace espgate::steer
