// SPDX-License-Identifier: Apache-2.0
// SAs and policies as the kernel keeps them: what is asked of it and what it answers, as plain values.
// Addresses are in network order inside base::Address; ports, SPIs and counts are in host order. Errors carry errno and
// the kernel's extended ack, verbatim, in base::Error::detail.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "base/esp.h"
#include "base/ids.h"
#include "base/secret.h"

namespace espgate::xfrm {

// ------------------------------------------------------------------------------------------------ SAs

enum class OffloadKind : std::uint8_t { crypto, packet };

// An offload wished for (SaSpec) or held (SaState). The kernel knows the device by its index alone.
struct Offload {
  OffloadKind kind = OffloadKind::crypto;
  std::uint32_t ifindex = 0;
  bool operator==(const Offload&) const = default;
};

// ESP in UDP (RFC 3948): ports as in the outer UDP header of this direction's packets.
struct Encap {
  std::uint16_t source_port = 0, destination_port = 0;
  bool operator==(const Encap&) const = default;
};

// A port (or, for ICMP, a type or code) compared under a mask; mask 0 matches every one.
struct PortMatch {
  std::uint16_t value = 0, mask = 0;
  auto operator<=>(const PortMatch&) const = default;
};

// What struct xfrm_selector can say. For ICMP and ICMPv6 the source port is the type, the destination port the code.
struct Selector {
  base::Prefix source, destination;
  std::uint8_t protocol = 0;  // IP protocol, 0 any
  PortMatch source_port, destination_port;
  [[nodiscard]] std::string text() const;  // "10.1.0.0/16 -> 10.2.0.0/16", "... proto 17 dport 53"
  auto operator<=>(const Selector&) const = default;
};

// Lifetimes; 0 is "no limit". Soft ones raise an EXPIRE, hard ones end the SA.
struct Limits {
  std::uint64_t soft_packets = 0, hard_packets = 0;
  std::uint64_t soft_bytes = 0, hard_bytes = 0;
  std::chrono::seconds soft_age{0}, hard_age{0};
};

// Names an SA as the kernel does: destination, SPI, protocol (ESP or AH), and the mark it was added with.
struct SaId {
  base::Address destination;
  base::Spi spi;
  base::Mark mark{};
  bool ah = false;
  auto operator<=>(const SaId&) const = default;
};

// What of an inner header goes to the outer one and back (tunnel mode).
struct Copied {
  bool df = true;   // out; IPv4
  bool ecn = true;  // in
  bool dscp_out = true, dscp_in = false;
};

struct SaSpec {
  base::Direction direction = base::Direction::in;
  base::Address source, destination;  // of the outer (tunnel) or the only (transport) header
  base::Spi spi;
  base::EspSuite suite;     // with `esn`
  base::Secret cipher_key;  // AEAD: the salt is at its end (RFC 4106 8.1)
  base::Secret auth_key;    // empty for AEAD
  base::SaMode mode = base::SaMode::tunnel;
  std::uint32_t reqid = 0;
  std::uint32_t replay_window = 128;  // packets; inbound only, an outbound SA has none
  std::optional<Encap> encap;
  std::optional<Offload> offload;  // absent: software, explicitly
  Limits limits;
  std::uint32_t sequence_notice =
      0;  // an event (xfrm/events.h) each time so many more sequence numbers are used; 0: none
  std::optional<Selector> selector;  // transport mode: what the SA may carry
  base::Mark mark, set_mark;         // asked of packets; given to packets that it has carried
  std::uint32_t if_id = 0;           // of an XFRM interface; 0: none
  std::uint32_t acquire = 0;         // of the Notification that this SA answers: the larval one goes; 0: none
  std::uint32_t number = 0;  // unless it answers one: kept by the kernel with the SA, for BPF (xfrm_state.km.seq)
  Copied copied;

  [[nodiscard]] SaId id() const { return {destination, spi, mark, suite.ah()}; }
  [[nodiscard]] SaSpec clone() const;  // with its keys: named, because it copies secrets
};

// An SA as read back.
struct SaState {
  SaId id;
  base::Address source;
  std::uint32_t reqid = 0;
  base::SaMode mode = base::SaMode::tunnel;
  std::optional<Offload> offload;                      // held by a device; absent: software
  std::uint64_t packets = 0, bytes = 0;                // GETSA's own counts (outbound: a GSO batch counts once)
  std::uint64_t replay_errors = 0, window_errors = 0;  // replayed; older than the window
  std::uint64_t integrity_errors = 0;
  std::uint64_t sequence_in = 0, sequence_out = 0;  // highest seen, last used; 64 bits with ESN
  std::uint32_t replay_window = 0;
};

// ------------------------------------------------------------------------------------------------ policies

enum class PolicyDirection : std::uint8_t { in, out, forward };
enum class PolicyAction : std::uint8_t { allow, block };

// What an allowed packet must be (in, forward) or become (out): ESP, or AH, between these ends.
struct Template {
  base::Address source, destination;  // not looked at in transport mode
  std::uint32_t reqid = 0;
  base::SaMode mode = base::SaMode::tunnel;
  bool ah = false;
  bool operator==(const Template&) const = default;
};

// The kernel tells policies of one direction apart by their selector, not by their priority, so that a block policy
// could not stand beneath a template policy for the same traffic. struct xfrm_selector::user is compared with the rest
// but plays no part in matching packets (net/xfrm/xfrm_policy.c: selector_cmp, xfrm_selector_match): we keep our layer
// in it. It also marks a policy as ours.
// guard: blocks beneath a policy that a device holds, since the kernel drops such policies when the link goes down.
enum class Layer : std::uint8_t { foreign, bypass, child, floor, trap, shunt, guard };

struct PolicyId {
  PolicyDirection direction = PolicyDirection::out;
  Selector selector;
  Layer layer = Layer::foreign;
  base::Mark mark{};
  std::uint32_t if_id = 0;
  auto operator<=>(const PolicyId&) const = default;
};

struct PolicySpec {
  PolicyId id;
  std::uint32_t priority = 0;  // the lower number wins
  PolicyAction action = PolicyAction::allow;
  std::optional<Template> esp;  // absent: in the clear (allow) or not at all (block)
  // The device that holds it, too (packet mode); 0: none. In and out only. It finds packet-mode SAs of that device, and
  // nothing else does.
  std::uint32_t device = 0;
  bool operator==(const PolicySpec&) const = default;
};

// ------------------------------------------------------------------------------------------------ requests

struct AddSa {
  SaSpec spec;
};
struct GetSa {
  SaId id;
};
struct DelSa {
  SaId id;
};
// Adds the policy, or replaces in one step the one with the same id.
struct PutPolicy {
  PolicySpec policy;
};
struct DelPolicy {
  PolicyId id;
};
using Request = std::variant<AddSa, GetSa, DelSa, PutPolicy, DelPolicy>;

struct Done {};
// GetSa is answered by SaState, the others by Done.
using Result = std::expected<std::variant<Done, SaState>, base::Error>;

// "add SA c0ffee01 to 192.0.2.1", "put out policy 10.1.0.0/16 -> 10.2.0.0/16": for errors and logs; no key in it.
std::string describe(const Request& request);
std::string_view to_string(PolicyDirection direction);  // "in", "out", "fwd"

// So many requests at most go to the kernel in one system call, which carries them all out whatever signal comes: what
// is added and deleted within one of them is not there when the program dies.
inline constexpr std::size_t kRequestsPerSend = 64;

class Kernel {
 public:
  virtual ~Kernel() = default;
  // Carries the requests out in order; one result each, in the same order. A failed one does not stop the next.
  virtual std::vector<Result> execute(std::span<const Request> requests) = 0;
  virtual std::expected<std::vector<SaState>, base::Error> dump_sas() = 0;
  virtual std::expected<std::vector<PolicySpec>, base::Error> dump_policies() = 0;
  // Places of the kernel's table of SAs in this network namespace (XFRM_MSG_GETSADINFO). It doubles, a moment later,
  // when an SA is added to a place that is taken and there are as many SAs as places; it never shrinks.
  virtual base::Result<std::uint32_t> sa_places() = 0;
};

}  // namespace espgate::xfrm
