// SPDX-License-Identifier: Apache-2.0
// Our own section: what strongSwan keeps in strongswan.conf, and what it does not have.
#include "control/config/keys_tables.h"

namespace espgate::control {
namespace {

using enum KeyType;
using enum KeyStatus;

constexpr auto no_routes = "espgate installs no routes yet";

// clang-format off
constexpr Key table[] = {
    {"gateway", section, "", "the gateway itself"},
    {"gateway.interfaces", list, "auto", "devices to work on; auto: those that hold a local_addrs address or route to remote_addrs"},
    {"gateway.hw_offload", choice, "no", "hw_offload of children that do not say", honoured, "", "no auto crypto packet yes"},
    {"gateway.esp_floor", integer, "128", "least strength, 128 to 256, of what esp_proposals = default offers and takes", honoured, "", "", "bits"},
    {"gateway.offload_without_esn", boolean, "yes", "esp_proposals = default leaves ESN out where the device takes nothing else, and 2^32 packets last ten minutes"},
    {"gateway.probe", boolean, "yes", "find out what devices take, with SAs that are added and deleted at once, ten a second"},
    {"gateway.workers", integer, "1", "IKE engines, each a thread", ignored, "one engine runs, whatever is asked for"},
    {"gateway.max_sas", integer, "2048", "child SAs that there is room for in the BPF maps, generations of a rekey counted apart; takes effect after a clean stop", honoured, "", "", "child SAs"},
    {"gateway.spread", list, "none", "CPUs that inbound ESP in software is spread over, each SA on one of them, where XDP runs natively; none: it stays where it comes in"},
    {"gateway.on_stop", choice, "close", "a clean stop closes what is up, or keeps it in the kernel", honoured, "", "close keep"},
    {"gateway.cookie_threshold", integer, "30", "half-open IKE SAs above which peers must return a cookie; 0: never"},
    {"gateway.half_open_limit", integer, "10000", "half-open IKE SAs above which new ones are dropped; 0: no limit"},
    {"gateway.half_open_per_source", integer, "10", "the same, of one address; 0: no limit"},
    {"gateway.half_open_timeout", duration, "30s", "an IKE SA that is not up after this time is given up", honoured, "", "", "s"},
    {"gateway.keep_alive", duration, "20s", "behind a NAT an octet is sent so often, that it keeps its mapping; 0: never", honoured, "", "", "s"},
    {"gateway.install_timeout", duration, "2s", "a child that the kernel has not taken by then is refused to the peer", honoured, "", "", "s"},
    {"gateway.retransmit_tries", integer, "5", "retransmissions of a request before the peer is given up"},
    {"gateway.retransmit_timeout", number, "4.0", "time before the first retransmission", honoured, "", "", "s"},
    {"gateway.retransmit_base", number, "1.8", "each wait is this many times the one before"},
    {"gateway.retransmit_limit", number, "0", "longest wait between retransmissions; 0: none", honoured, "", "", "s"},
    {"gateway.fragment_size", integer, "1280", "largest IP packet with an IKE message, longer messages go in fragments (RFC 7383)", honoured, "", "", "octets"},
    {"gateway.install_routes", boolean, "yes", "install routes for remote selectors, with a source address from the local ones", ignored, no_routes},
    {"gateway.routing_table", integer, "220", "the table they go to", ignored, no_routes},
    {"gateway.routing_table_prio", integer, "220", "priority of the rule that looks there", ignored, no_routes},
    {"gateway.steer", section, "", "which children are in hardware when a device has less room than there are"},
    {"gateway.steer.slots", text, "learned", "slots a direction to use of each device; learned: what it is seen to have room for"},
    {"gateway.steer.reserve", integer, "0", "slots to keep free for rekeys, if more than the 2, and 1 %, that always are"},
    {"gateway.steer.interval", duration, "10s", "time between decisions, at least a second", honoured, "", "", "s"},
    {"gateway.steer.factor", number, "1.25", "a child gets another's slot if it carries so many times as much"},
    {"gateway.steer.cooldown", integer, "20", "intervals in which a child that was moved stays where it is"},
    {"gateway.steer.budget", number, "1", "moves in an interval at most, but always one", honoured, "", "", "% of the slots"},
    {"gateway.shield", section, "", "what the XDP program keeps away, beyond counting (docs/shield.md)"},
    {"gateway.shield.mode", choice, "off", "off: it only counts; native: where the driver runs XDP; generic: anywhere, at the price of GRO", honoured, "", "off generic native"},
    {"gateway.shield.dispatcher", boolean, "no", "yes: XDP is attached natively beside the programs of others, through libxdp's dispatcher"},
    {"gateway.shield.unknown_spi", choice, "count", "ESP and AH for this host that the kernel has no SA for: only counted, or dropped", honoured, "", "count drop"},
    {"gateway.shield.cookie_rate", integer, "200", "IKE_SA_INIT requests that pass without a cookie; those above it are asked for one; 0: no limit", honoured, "", "", "packets a second"},
    {"gateway.shield.fragment_rate", integer, "100", "IP fragments of IKE that pass; 0: no limit", honoured, "", "", "packets a second"},
    {"gateway.shield.source_rate", integer, "1000", "other IKE packets of one /24 or /56 that pass; 0: no limit", honoured, "", "", "packets a second"},
    {"gateway.shield.allow", addresses, "", "addresses, prefixes or ranges that are never challenged nor limited, besides the remote_addrs of all connections"},
};
// clang-format on

}  // namespace

std::span<const Key> gateway_keys() { return table; }

}  // namespace espgate::control
