// SPDX-License-Identifier: Apache-2.0
// connections.<conn>.children.<child>
#include "control/config/keys_tables.h"

namespace espgate::control {
namespace {

using enum KeyType;
using enum KeyStatus;

constexpr auto no_labels = "security labels are not supported";
constexpr auto off = "no false disabled 0";
constexpr auto on = "yes true enabled 1";
constexpr auto zero = "0 0s";

// clang-format off
constexpr Key table[] = {
    {"connections.<conn>.children", section, "", "the connection's child SAs, one section each"},
    {"connections.<conn>.children.<child>", section, "", "a child SA and its name"},
    {"connections.<conn>.children.<child>.ah_proposals", proposals, "", "AH proposals, in order of preference, behind the ESP ones if both are said; AH is never offloaded and does not pass a NAT"},
    {"connections.<conn>.children.<child>.esp_proposals", proposals, "default", "ESP proposals, in order of preference; default: what the device takes comes first, nothing below gateway.esp_floor; additional key exchanges as in proposals, behind a group"},
    {"connections.<conn>.children.<child>.sha256_96", boolean, "no", "SHA-256 cut to 96 bits, as old kernels did", refused, "the cut to 96 bits breaks RFC 4868", "", "", off},
    {"connections.<conn>.children.<child>.local_ts", selectors, "dynamic", "local traffic selectors: prefix, range or dynamic, each with an optional [proto/port]"},
    {"connections.<conn>.children.<child>.remote_ts", selectors, "dynamic", "remote traffic selectors, written alike"},
    {"connections.<conn>.children.<child>.rekey_time", duration, "1h", "rekey after this time", honoured, "", "", "s"},
    {"connections.<conn>.children.<child>.life_time", duration, "", "close after this time; default: rekey_time and a tenth", honoured, "", "", "s"},
    {"connections.<conn>.children.<child>.rand_time", duration, "", "take a random part of this off rekey_time; default: what lies between the two", honoured, "", "", "s"},
    {"connections.<conn>.children.<child>.rekey_bytes", size, "0", "rekey after so many octets", honoured, "", "", "octets"},
    {"connections.<conn>.children.<child>.life_bytes", size, "", "close after so many octets; default: rekey_bytes and a tenth", honoured, "", "", "octets"},
    {"connections.<conn>.children.<child>.rand_bytes", size, "", "take a random part of this off rekey_bytes", honoured, "", "", "octets"},
    {"connections.<conn>.children.<child>.rekey_packets", integer, "0", "rekey after so many packets", honoured, "", "", "packets"},
    {"connections.<conn>.children.<child>.life_packets", integer, "", "close after so many packets; default: rekey_packets and a tenth", honoured, "", "", "packets"},
    {"connections.<conn>.children.<child>.rand_packets", integer, "", "take a random part of this off rekey_packets", honoured, "", "", "packets"},
    {"connections.<conn>.children.<child>.updown", text, "", "script to run when the child comes up or goes down", ignored, "no script is run"},
    {"connections.<conn>.children.<child>.hostaccess", boolean, "no", "a word for that script", ignored, "no script is run", "", "", off},
    {"connections.<conn>.children.<child>.mode", choice, "tunnel", "tunnel or transport (a peer that declines it gets no child); pass or drop: no SA, what the selectors cover passes in the clear or is dropped from the load on (start_action = trap), unless a narrower child covers it", honoured, "", "tunnel transport transport_proxy beet pass drop"},
    {"connections.<conn>.children.<child>.policies", boolean, "yes", "install policies", refused, "policies are always installed: they keep covered traffic from leaving in the clear", "", "", on},
    {"connections.<conn>.children.<child>.policies_fwd_out", boolean, "no", "forward policies for outbound traffic, too", ignored, "no such policies are installed", "", "", off},
    {"connections.<conn>.children.<child>.dpd_action", choice, "clear", "when the peer does not answer: close (clear, none), wait for traffic (trap, hold) or call it again (restart, start)", honoured, "", "clear trap start none restart hold"},
    {"connections.<conn>.children.<child>.ipcomp", boolean, "no", "IP compression", ignored, "IP compression is not supported", "", "", off},
    {"connections.<conn>.children.<child>.inactivity", duration, "0s", "close when idle for this time", ignored, "idle children are not closed yet", "", "s", zero},
    {"connections.<conn>.children.<child>.reqid", integer, "0", "a reqid of one's own choice", refused, "espgate chooses reqids itself: by them it knows what is its own", "", "", "0"},
    {"connections.<conn>.children.<child>.priority", integer, "0", "priority of the policies, the lower first (a trap stands 1, the block policies 2 above it); 0: the narrower selector first"},
    {"connections.<conn>.children.<child>.interface", text, "", "interface the policies are limited to", refused, "policies limited to an interface are not supported yet"},
    {"connections.<conn>.children.<child>.mark_in", text, "0/0x00000000", "mark of inbound policies: value/mask; %unique is refused"},
    {"connections.<conn>.children.<child>.mark_in_sa", boolean, "no", "that mark on the inbound SA, too"},
    {"connections.<conn>.children.<child>.mark_out", text, "0/0x00000000", "mark of outbound policies and SAs: value/mask; %unique is refused"},
    {"connections.<conn>.children.<child>.set_mark_in", text, "0/0x00000000", "mark set on packets after inbound processing: value/mask; %unique and %same are refused"},
    {"connections.<conn>.children.<child>.set_mark_out", text, "0/0x00000000", "mark set on packets after outbound processing: value/mask; %unique and %same are refused"},
    {"connections.<conn>.children.<child>.if_id_in", text, "0", "XFRM interface id of inbound policies and SAs; %unique is refused; default: the connection's"},
    {"connections.<conn>.children.<child>.if_id_out", text, "0", "XFRM interface id of outbound policies and SAs; %unique is refused; default: the connection's"},
    {"connections.<conn>.children.<child>.label", text, "", "security label", refused, no_labels},
    {"connections.<conn>.children.<child>.label_mode", choice, "system", "how the label is used", ignored, no_labels, "system simple selinux", "", "system"},
    {"connections.<conn>.children.<child>.tfc_padding", text, "0", "pad packets to this size, or mtu", ignored, "traffic flow confidentiality is not supported", "", "octets", "0"},
    {"connections.<conn>.children.<child>.replay_window", integer, "128", "replay window; 32 loses packets under asynchronous crypto", honoured, "", "", "packets"},
    {"connections.<conn>.children.<child>.hw_offload", choice, "no", "offload to the NIC: no, crypto, packet, yes (crypto), or auto: the best that works, and why not more", honoured, "", "no auto crypto packet yes"},
    {"connections.<conn>.children.<child>.copy_df", boolean, "yes", "copy the DF bit to the outer header"},
    {"connections.<conn>.children.<child>.copy_ecn", boolean, "yes", "copy ECN bits to the inner header"},
    {"connections.<conn>.children.<child>.copy_dscp", choice, "out", "copy DSCP to the outer header (out), from it (in), both (yes), neither (no)", honoured, "", "out in yes no"},
    {"connections.<conn>.children.<child>.start_action", choice, "none", "at load: nothing, initiate (start), or wait for traffic (trap, route); with trap, outbound packets bring the child up, whatever when_down says", honoured, "", "none start trap trap|start route add"},
    {"connections.<conn>.children.<child>.close_action", choice, "none", "when the peer closes the child: nothing (none, clear), wait for traffic (trap) or call it again (start)", honoured, "", "none start trap trap|start clear route add"},
    {"connections.<conn>.children.<child>.when_down", choice, "block", "what happens to covered traffic while the child is not up", honoured, "", "block pass"},
};
// clang-format on

}  // namespace

std::span<const Key> child_keys() { return table; }

}  // namespace espgate::control
