// SPDX-License-Identifier: Apache-2.0
// sad/ over a model kernel, with a ledger that checks every write: what espgated is to it, in memory.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "sad/pump.h"
#include "xfrm/model_kernel.h"

namespace espgate::sad {

inline constexpr std::uint32_t kNic = 3;  // ifindex of nic0

// Tells after each single request.
struct WatchedKernel : xfrm::ModelKernel {
  std::vector<xfrm::Result> execute(std::span<const xfrm::Request> requests) override;
  std::function<void()> after;
};

struct World {
  WatchedKernel kernel;
  Sad sad;
  std::map<std::uint32_t, maps::SaRecord> ledger_sas;
  // Of these, the slots whose packets are handed to other CPUs, as loader/ledger.cc has it.
  std::set<std::uint32_t> spread;
  std::map<std::uint32_t, maps::PolicyRecord> ledger_policies;
  std::vector<ike::ChildAnswer> answers;
  std::vector<Notice> notices;
  std::size_t released = 0;
  std::function<void(const Output&)> told;  // of each output, after it was looked at
  Options options;

  explicit World(Options with = {}) : sad(with), options(with) {
    kernel.after = [this] { expect_spread_apart(); };
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() = default;

  void plan(const std::vector<ChildPlan>& children);
  // The answer to it; a failed expectation if there was not exactly one.
  ike::ChildAnswer install(ike::InstallChild what, InstallContext context = {"nic0", kNic, 1000, {}});
  // As the responder of a rekey; the answer to it.
  ike::ChildAnswer add_inbound(ike::InstallChild what, InstallContext context = {"nic0", kNic, 1000, {}});
  ike::ChildAnswer switch_outbound(base::ChildId id);
  void retire(base::ChildId id, ike::RetireSa::Part part);
  void remove(base::ChildId id);
  void stop();
  // As after kill -9: a new Sad over the same kernel and ledger.
  void reborn(bool ledger_lost = false, std::vector<ike::KeptChild> children = {}, std::vector<ChildPlan> plans = {});
  bool believed = false;  // the kernel is one that forgets

  void carry_out(Outputs outputs);
  // Ledger and kernel tell the same story: each SA and policy of ours is in both, and sad/ agrees.
  void expect_consistent() const;
  // No device holds an SA that takes part in the spread: what it decrypted would be lost in the CPU map. Looked at
  // after each request and each write.
  void expect_spread_apart() const;
  [[nodiscard]] std::string log() const;  // all notices
  [[nodiscard]] std::size_t policies(xfrm::Layer layer) const;

 private:
  void take(Output&& output);
};

base::Address address(std::string_view text);
std::vector<base::TrafficSelector> nets(std::initializer_list<std::string_view> prefixes);
ChildPlan plan_for(std::string_view child, std::string_view local = "10.1.0.0/16",
                   std::string_view remote = "10.2.0.0/16");
// A child with keys of its own, matching plan_for(name).
ike::InstallChild child(std::uint64_t id, base::OffloadWanted wanted, std::string_view name = "net",
                        std::string_view local = "10.1.0.0/16", std::string_view remote = "10.2.0.0/16");
// A generation that replaces child `old`.
ike::InstallChild generation(std::uint64_t id, std::uint64_t old, base::OffloadWanted wanted,
                             std::string_view local = "10.1.0.0/16");

inline const ike::ChildInstalled* installed(const ike::ChildAnswer& answer) {
  return std::get_if<ike::ChildInstalled>(&answer.result);
}
inline const ike::ChildRefused* refused(const ike::ChildAnswer& answer) {
  return std::get_if<ike::ChildRefused>(&answer.result);
}

}  // namespace espgate::sad
