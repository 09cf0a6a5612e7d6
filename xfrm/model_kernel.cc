// SPDX-License-Identifier: Apache-2.0
#include "xfrm/model_kernel.h"

#include <algorithm>
#include <cerrno>
#include <functional>

namespace espgate::xfrm {
namespace {

Result refuse(const Request& request, int code, std::string words = {}) {
  return std::unexpected(base::Error{describe(request), code, std::move(words)});
}

// The device of an SA in packet mode; 0: any other SA.
std::uint32_t packet_device(const SaState& state) {
  return state.offload && state.offload->kind == OffloadKind::packet ? state.offload->ifindex : 0;
}

bool matches(const PortMatch& match, std::uint16_t port) { return ((match.value ^ port) & match.mask) == 0; }

}  // namespace

std::vector<Result> ModelKernel::execute(std::span<const Request> requests) {
  std::vector<Result> out;
  out.reserve(requests.size());
  for (const auto& request : requests) {
    out.push_back(carry_out(request));
    if (keeps_journal) journal_.push_back((out.back() ? "" : "! ") + describe(request));
  }
  return out;
}

Result ModelKernel::carry_out(const Request& request) {
  if (fault) {
    if (auto error = fault(request)) return std::unexpected(*error);
  }
  auto result = std::visit([this](const auto& what) { return apply(what); }, request);
  if (!result) result.error().operation = describe(request);
  return result;
}

Result ModelKernel::apply(const AddSa& add) {
  const SaSpec& spec = add.spec;
  if (sas_.contains(spec.id())) return std::unexpected(base::Error{{}, EEXIST, {}});
  SaState state;
  state.id = spec.id();
  state.source = spec.source;
  state.reqid = spec.reqid;
  state.mode = spec.mode;
  state.replay_window = spec.direction == base::Direction::in ? spec.replay_window : 0;
  if (auto offloaded = offload(spec, state); !offloaded) return offloaded;
  const auto key = spec.cipher_key.view();
  const bool throw_away = std::ranges::all_of(key, [](auto octet) { return octet == 0; });
  if (keeps_keys && spec.direction == base::Direction::out && !throw_away) {
    const auto hash = std::hash<std::string_view>{}(base::as_text(key));
    if (std::ranges::find(outbound_keys_, hash) != outbound_keys_.end()) ++keys_reused_;
    outbound_keys_.push_back(hash);
  }
  sas_.insert({state, spec.direction, ++added_, std::hash<std::string_view>{}(base::as_text(key))});
  if (sas_.size() >= places) places *= 2;
  return Done{};
}

Result ModelKernel::offload(const SaSpec& spec, SaState& state) {
  if (!spec.offload) return Done{};
  const auto found = devices.find(spec.offload->ifindex);
  // net/xfrm/xfrm_device.c, xfrm_dev_state_add: packet mode is never silently something else.
  const bool packet = spec.offload->kind == OffloadKind::packet;
  if (found == devices.end()) return packet ? Result(std::unexpected(base::Error{{}, EINVAL, {}})) : Result(Done{});
  const auto used = static_cast<std::size_t>(std::ranges::count_if(
      sas_, [&](const Known& sa) { return sa.state.offload && sa.state.offload->ifindex == spec.offload->ifindex; }));
  const auto answer = found->second.answer ? found->second.answer(spec) : DeviceAnswer{};
  if (answer.kind == DeviceAnswer::Kind::refused) {
    return std::unexpected(base::Error{{}, answer.code, answer.words});
  }
  if (packet && !found->second.packet) {
    return std::unexpected(base::Error{{}, EINVAL, "Packet offload mode is not supported"});
  }
  if (answer.kind == DeviceAnswer::Kind::silent && packet) {
    return std::unexpected(base::Error{{}, EOPNOTSUPP, "Device failed to offload this state"});
  }
  if (answer.kind == DeviceAnswer::Kind::silent) return Done{};
  if (used >= found->second.slots) return std::unexpected(base::Error{{}, ENOSPC, "No space for SA in table!"});
  state.offload = spec.offload;
  return Done{};
}

Result ModelKernel::apply(const GetSa& get) {
  const SaState* state = find(get.id);
  if (state == nullptr) return refuse(get, ESRCH);
  return *state;
}

Result ModelKernel::apply(const DelSa& del) {
  const auto found = sas_.find(del.id);
  if (found == sas_.end()) return refuse(del, ESRCH);
  sas_.erase(found);
  return Done{};
}

// net/xfrm/xfrm_device.c, xfrm_dev_policy_add; that no device takes a forward policy is every driver's own refusal.
Result ModelKernel::offload(const PolicySpec& policy) {
  if (policy.device == 0) return Done{};
  const auto found = devices.find(policy.device);
  if (found == devices.end()) return std::unexpected(base::Error{{}, EINVAL, {}});
  if (!found->second.packet) return std::unexpected(base::Error{{}, EINVAL, "Policy offload is not supported"});
  if (policy.id.direction == PolicyDirection::forward) {
    return std::unexpected(base::Error{{}, EINVAL, "Cannot offload forward policy"});
  }
  const auto answer = found->second.policy_answer ? found->second.policy_answer(policy) : DeviceAnswer{};
  if (answer.kind != DeviceAnswer::Kind::taken) return std::unexpected(base::Error{{}, answer.code, answer.words});
  return Done{};
}

void ModelKernel::flap(std::uint32_t ifindex) {
  std::erase_if(sas_, [&](const Known& sa) { return sa.state.offload && sa.state.offload->ifindex == ifindex; });
  std::erase_if(policies_, [&](const auto& entry) { return entry.second.device == ifindex; });
}

Result ModelKernel::apply(const PutPolicy& put) {
  if (auto held = offload(put.policy); !held) return held;
  policies_[put.policy.id] = put.policy;
  return Done{};
}

Result ModelKernel::apply(const DelPolicy& del) {
  if (policies_.erase(del.id) == 0) return refuse(del, ENOENT);
  return Done{};
}

std::expected<std::vector<SaState>, base::Error> ModelKernel::dump_sas() {
  std::vector<SaState> out;
  for (const auto& sa : sas_) out.push_back(sa.state);
  return out;
}

std::expected<std::vector<PolicySpec>, base::Error> ModelKernel::dump_policies() {
  std::vector<PolicySpec> out;
  for (const auto& [id, policy] : policies_) out.push_back(policy);
  return out;
}

const SaState* ModelKernel::find(const SaId& id) const {
  const auto found = sas_.find(id);
  return found == sas_.end() ? nullptr : &found->state;
}

const PolicySpec* ModelKernel::lookup(PolicyDirection direction, const base::Address& source,
                                      const base::Address& destination, std::uint8_t protocol,
                                      std::uint16_t source_port, std::uint16_t destination_port, Scope scope) const {
  const PolicySpec* best = nullptr;
  for (const auto& [id, policy] : policies_) {
    const Selector& selector = id.selector;
    if (id.direction != direction || !selector.source.contains(source) || !selector.destination.contains(destination) ||
        (selector.protocol != 0 && selector.protocol != protocol) || !matches(selector.source_port, source_port) ||
        !matches(selector.destination_port, destination_port) || id.if_id != scope.if_id ||
        (scope.mark & id.mark.mask) != id.mark.value) {
      continue;
    }
    if (best == nullptr || policy.priority < best->priority) best = &policy;
  }
  return best;
}

std::optional<SaId> ModelKernel::outbound_for(const Template& esp, std::uint32_t device) const {
  const SaState* best = nullptr;
  std::uint64_t newest = 0;
  for (const auto& sa : sas_) {
    const auto& [state, direction, order, key] = sa;
    const bool fits = direction == base::Direction::out && state.reqid == esp.reqid && state.mode == esp.mode &&
                      state.id.ah == esp.ah && state.id.destination == esp.destination && state.source == esp.source &&
                      packet_device(state) == device;
    if (!fits || order < newest) continue;
    newest = order;
    best = &state;
  }
  return best == nullptr ? std::nullopt : std::optional(best->id);
}

std::size_t ModelKernel::key_mark(const SaId& id) const {
  const auto found = sas_.find(id);
  return found == sas_.end() ? 0 : found->key;
}

bool ModelKernel::outbound(const SaId& id) const {
  const auto found = sas_.find(id);
  return found != sas_.end() && found->direction == base::Direction::out;
}

void ModelKernel::carry(const SaId& id, std::uint64_t packets, std::uint64_t bytes) {
  const auto found = sas_.find(id);
  if (found == sas_.end()) return;
  auto node = sas_.extract(found);
  node.value().state.packets += packets;
  node.value().state.bytes += bytes;
  sas_.insert(std::move(node));
}

}  // namespace espgate::xfrm
