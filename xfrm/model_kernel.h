// SPDX-License-Identifier: Apache-2.0
// A kernel in memory: the SAD and SPD that requests would leave behind, and devices that do as they are told. The null
// kernel (`espgated --kernel null`) is one without devices; tests and the simulation give it some.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "xfrm/api.h"

namespace espgate::xfrm {

// What a model device says to an SA that is to be offloaded to it.
struct DeviceAnswer {
  enum class Kind : std::uint8_t { taken, silent, refused };  // silent: the add succeeds and it is software
  Kind kind = Kind::taken;
  int code = 0;       // refused: errno
  std::string words;  // refused: the extended ack
};

struct ModelDevice {
  std::function<DeviceAnswer(const SaSpec&)> answer;  // empty: takes everything
  std::size_t slots = ~std::size_t{0};                // beyond them: ENOSPC
  bool packet = false;                                // packet mode: SAs (that `answer` takes), and policies
  // What it says to a policy in packet mode; empty: takes it. `silent` is no answer of the kernel's here.
  std::function<DeviceAnswer(const PolicySpec&)> policy_answer{};
};

class ModelKernel : public Kernel {
 public:
  std::vector<Result> execute(std::span<const Request> requests) override;
  std::expected<std::vector<SaState>, base::Error> dump_sas() override;
  std::expected<std::vector<PolicySpec>, base::Error> dump_policies() override;
  base::Result<std::uint32_t> sa_places() override { return places; }

  std::uint32_t places = 8;  // of its table
  // Asking for an ifindex that is not there is answered as the kernel does: silently in software.
  std::map<std::uint32_t, ModelDevice> devices;
  // Looked at first; an error from here is the answer and nothing happens.
  std::function<std::optional<base::Error>(const Request&)> fault;

  [[nodiscard]] std::size_t sa_count() const { return sas_.size(); }
  [[nodiscard]] const SaState* find(const SaId& id) const;
  // The policy that a packet meets; nullptr: none, it passes in the clear. Ports in host order, ICMP as in Selector.
  // `scope`: its mark, and the XFRM interface it is on.
  struct Scope {
    std::uint32_t mark = 0, if_id = 0;
  };
  [[nodiscard]] const PolicySpec* lookup(PolicyDirection direction, const base::Address& source,
                                         const base::Address& destination, std::uint8_t protocol = 0,
                                         std::uint16_t source_port = 0, std::uint16_t destination_port = 0,
                                         Scope scope = {0, 0}) const;
  // The outbound SA that a packet of this policy is sent on: the newest that fits (net/xfrm/xfrm_state.c:
  // xfrm_state_look_at). nullopt: there is none, the packet is dropped. `device`: the one that holds the policy; then
  // only its packet-mode SAs are looked at, else only the others.
  [[nodiscard]] std::optional<SaId> outbound_for(const Template& esp, std::uint32_t device = 0) const;
  // The link went down: the kernel drops the device's SAs and policies and tells no one.
  void flap(std::uint32_t ifindex);
  // Stands for the key of an SA, to compare both ends'; 0 if there is no such SA.
  [[nodiscard]] std::size_t key_mark(const SaId& id) const;
  [[nodiscard]] bool outbound(const SaId& id) const;
  // Traffic on an SA, as if it had been carried.
  void carry(const SaId& id, std::uint64_t packets, std::uint64_t bytes);
  // One line per request, in order, with "!" before those that failed.
  [[nodiscard]] const std::vector<std::string>& journal() const { return journal_; }
  bool keeps_journal = true;  // false: for long runs, whose memory is looked at
  bool keeps_keys = true;     // false: likewise; no outbound key is told from an earlier one then
  // How often an outbound SA was added with a key that an earlier one had: each is a reused GCM nonce.
  [[nodiscard]] std::size_t outbound_keys_reused() const { return keys_reused_; }

 private:
  Result carry_out(const Request& request);
  Result apply(const AddSa& add);
  Result apply(const GetSa& get);
  Result apply(const DelSa& del);
  Result apply(const PutPolicy& put);
  Result apply(const DelPolicy& del);
  Result offload(const SaSpec& spec, SaState& state);
  Result offload(const PolicySpec& policy);

  static std::vector<std::size_t> reserved(std::size_t count) {
    std::vector<std::size_t> out;
    out.reserve(count);
    return out;
  }

  struct Known {
    SaState state;
    // What SaState does not say.
    base::Direction direction = base::Direction::in;
    std::uint64_t order = 0;
    std::size_t key = 0;
  };
  struct ById {
    using is_transparent = void;
    bool operator()(const Known& a, const Known& b) const { return a.state.id < b.state.id; }
    bool operator()(const Known& a, const SaId& b) const { return a.state.id < b; }
    bool operator()(const SaId& a, const Known& b) const { return a < b.state.id; }
  };
  std::set<Known, ById> sas_;  // by their own ids: the null kernel has hundreds of thousands
  std::uint64_t added_ = 0;
  std::map<PolicyId, PolicySpec> policies_;
  std::vector<std::string> journal_;
  // Hashes of keys that are not all zeros; eight octets a key, as the memory of long runs is looked at.
  std::vector<std::size_t> outbound_keys_ = reserved(4096);
  std::size_t keys_reused_ = 0;
};

}  // namespace espgate::xfrm
