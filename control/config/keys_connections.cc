// SPDX-License-Identifier: Apache-2.0
// connections.<conn>, but for its children.
#include "control/config/keys_tables.h"

namespace espgate::control {
namespace {

using enum KeyType;
using enum KeyStatus;

constexpr auto no_policies = "certificate policies are not checked yet";
constexpr auto no_raw_keys = "raw public keys are not supported yet, certificates are";
constexpr auto no_tokens = "PKCS#11 tokens are not supported, files are";
constexpr auto no_eap = "EAP and XAuth are not supported yet, auth = psk and pubkey are";
constexpr auto no_virtual_ips = "virtual IPs are not supported yet";
constexpr auto ikev1_only = "it has a meaning in IKEv1 only, which is not supported";
constexpr auto no_mediation = "mediation is not supported";
constexpr auto off = "no false disabled 0";
constexpr auto zero = "0 0s";

// clang-format off
constexpr Key table[] = {
    {"connections", section, "", "IKE connections, one section each"},
    {"connections.<conn>", section, "", "an IKE connection and its name"},
    {"connections.<conn>.version", choice, "2", "IKE version: 2, or 0 for any (IKEv2 is what is spoken)", honoured, "", "0 1 2"},
    {"connections.<conn>.local_addrs", addresses, "%any", "addresses, prefixes or ranges IKE is spoken from; the first single address is initiated from"},
    {"connections.<conn>.remote_addrs", addresses, "%any", "addresses, prefixes or ranges of the peer; the first single address is initiated to"},
    {"connections.<conn>.local_port", integer, "500", "our UDP port; 500 floats to 4500 behind a NAT"},
    {"connections.<conn>.remote_port", integer, "500", "the peer's UDP port"},
    {"connections.<conn>.proposals", proposals, "default", "IKE proposals, in order of preference; -ke1_mlkem768 (to ke7) is an additional key exchange (RFC 9370), with -ke1_none an optional one"},
    {"connections.<conn>.vips", list, "", "virtual IPs to ask for", refused, no_virtual_ips},
    {"connections.<conn>.aggressive", boolean, "no", "IKEv1 aggressive mode", ignored, ikev1_only, "", "", off},
    {"connections.<conn>.pull", boolean, "yes", "IKEv1 mode config: pull or push", ignored, ikev1_only, "", "", "yes true enabled 1"},
    {"connections.<conn>.dscp", text, "000000", "DSCP of the IKE packets we send, six binary digits", ignored, "DSCP marking is not supported yet", "", "", "000000"},
    {"connections.<conn>.encap", boolean, "no", "ESP in UDP even without a NAT on the path"},
    {"connections.<conn>.mobike", boolean, "yes", "keep an IKE SA when an address changes (RFC 4555)", ignored, "MOBIKE is not supported yet: a changed address needs a new IKE SA", "", "", off},
    {"connections.<conn>.dpd_delay", duration, "0s", "ask the peer whether it lives after this much silence; 0: never", honoured, "", "", "s"},
    {"connections.<conn>.dpd_timeout", duration, "0s", "IKEv1: how long to wait for the answer", ignored, ikev1_only, "", "s", zero},
    {"connections.<conn>.fragmentation", choice, "yes", "IKE fragmentation (RFC 7383); accept: the peer may, we do not; force is yes", honoured, "", "yes accept force no"},
    {"connections.<conn>.childless", choice, "allow", "IKE SAs without a child (RFC 6023): allow: the peer may; prefer: ours begin so if the peer can, their children follow with a key exchange of their own; force: no others, neither way; never: none", honoured, "", "allow prefer force never"},
    {"connections.<conn>.send_certreq", boolean, "yes", "send certificate requests"},
    {"connections.<conn>.send_cert", choice, "ifasked", "when to send our certificate", honoured, "", "always never ifasked"},
    {"connections.<conn>.ppk_id", identity, "", "identity of a post-quantum preshared key (RFC 8784), from secrets { ppk-x { } }; used if the peer has it, too"},
    {"connections.<conn>.ppk_required", boolean, "no", "whether an IKE SA without such a key is refused"},
    {"connections.<conn>.keyingtries", integer, "1", "sequences of retransmissions when a connection starts; 0: for ever"},
    {"connections.<conn>.unique", choice, "no", "several IKE SAs of one peer, by identities: never: all stay; no: all stay unless the peer says INITIAL_CONTACT; replace: the new one takes the place of the old; keep: the new one is refused. never also keeps us from saying INITIAL_CONTACT", honoured, "", "never no keep replace"},
    {"connections.<conn>.reauth_time", duration, "0s", "make the IKE SA anew after this time, make-before-break; without rekey_time it is not rekeyed then", honoured, "", "", "s"},
    {"connections.<conn>.rekey_time", duration, "4h", "rekey the IKE SA after this time", honoured, "", "", "s"},
    {"connections.<conn>.over_time", duration, "", "close the IKE SA when it is this much late; default: a tenth", honoured, "", "", "s"},
    {"connections.<conn>.rand_time", duration, "", "take a random part of this off those times; default: over_time", honoured, "", "", "s"},
    {"connections.<conn>.pools", list, "", "pools to take the peer's virtual IP from", refused, no_virtual_ips},
    {"connections.<conn>.if_id_in", text, "0", "XFRM interface id of inbound policies and SAs of all children"},
    {"connections.<conn>.if_id_out", text, "0", "XFRM interface id of outbound policies and SAs of all children"},
    {"connections.<conn>.mediation", boolean, "no", "mediate between peers", refused, no_mediation, "", "", off},
    {"connections.<conn>.mediated_by", text, "", "the connection that mediates", refused, no_mediation},
    {"connections.<conn>.mediation_peer", identity, "", "the peer at the other end of a mediation", refused, no_mediation},

    {"connections.<conn>.local*", section, "", "how we authenticate; several are rounds, of which one is supported"},
    {"connections.<conn>.local*.round", integer, "0", "sorts the rounds"},
    {"connections.<conn>.local*.certs", list, "", "certificates to show, files in x509; default: those in x509 that have a key and the id"},
    {"connections.<conn>.local*.cert*", section, "", "a certificate to show"},
    {"connections.<conn>.local*.cert*.file", text, "", "its file"},
    {"connections.<conn>.local*.cert*.handle", text, "", "its CKA_ID on a token, in hex", refused, no_tokens},
    {"connections.<conn>.local*.cert*.slot", text, "", "the token's slot", refused, no_tokens},
    {"connections.<conn>.local*.cert*.module", text, "", "the PKCS#11 module", refused, no_tokens},
    {"connections.<conn>.local*.pubkeys", list, "", "raw public keys to show", refused, no_raw_keys},
    {"connections.<conn>.local*.auth", text, "pubkey", "psk; or pubkey, rsa, rsa/pss, ecdsa, ed25519 with key sizes and hashes, e.g. rsa-3072-sha256; eap and xauth are not supported yet"},
    {"connections.<conn>.local*.id", identity, "", "our identity; default: the certificate's subject, with psk the tunnel end's address"},
    {"connections.<conn>.local*.eap_id", identity, "", "our EAP identity", ignored, no_eap},
    {"connections.<conn>.local*.aaa_id", identity, "", "the EAP server's identity", ignored, no_eap},
    {"connections.<conn>.local*.xauth_id", identity, "", "our XAuth user name", ignored, no_eap},

    {"connections.<conn>.remote*", section, "", "how the peer must authenticate; several are rounds, of which one is supported"},
    {"connections.<conn>.remote*.round", integer, "0", "sorts the rounds"},
    {"connections.<conn>.remote*.id", identity, "%any", "the identity the peer must show; %any, a leading *, subnets, and * in a distinguished name match more"},
    {"connections.<conn>.remote*.eap_id", identity, "", "the peer's EAP identity", ignored, no_eap},
    {"connections.<conn>.remote*.groups", list, "", "groups the peer must be in", refused, "authorization groups are not supported yet"},
    {"connections.<conn>.remote*.cert_policy", list, "", "policy OIDs its certificate must have", refused, no_policies},
    {"connections.<conn>.remote*.certs", list, "", "certificates to accept, files in x509; no others are"},
    {"connections.<conn>.remote*.cert*", section, "", "a certificate to accept"},
    {"connections.<conn>.remote*.cert*.file", text, "", "its file"},
    {"connections.<conn>.remote*.cert*.handle", text, "", "its CKA_ID on a token, in hex", refused, no_tokens},
    {"connections.<conn>.remote*.cert*.slot", text, "", "the token's slot", refused, no_tokens},
    {"connections.<conn>.remote*.cert*.module", text, "", "the PKCS#11 module", refused, no_tokens},
    {"connections.<conn>.remote*.cacerts", list, "", "CA certificates to accept, files in x509ca; default: all there"},
    {"connections.<conn>.remote*.cacert*", section, "", "a CA certificate to accept"},
    {"connections.<conn>.remote*.cacert*.file", text, "", "its file"},
    {"connections.<conn>.remote*.cacert*.handle", text, "", "its CKA_ID on a token, in hex", refused, no_tokens},
    {"connections.<conn>.remote*.cacert*.slot", text, "", "the token's slot", refused, no_tokens},
    {"connections.<conn>.remote*.cacert*.module", text, "", "the PKCS#11 module", refused, no_tokens},
    {"connections.<conn>.remote*.ca_id", identity, "", "identity of the CA to accept", refused, "CAs are chosen by cacerts alone"},
    {"connections.<conn>.remote*.pubkeys", list, "", "raw public keys to accept", refused, no_raw_keys},
    {"connections.<conn>.remote*.revocation", choice, "relaxed", "what it means if the state of revocation is not known: strict refuses, ifuri for certificates with a distribution point, relaxed does not", honoured, "", "strict ifuri relaxed"},
    {"connections.<conn>.remote*.auth", text, "pubkey", "psk; or pubkey, rsa, rsa/pss, ecdsa, ed25519 with key sizes and hashes, e.g. rsa-3072-sha256; eap and xauth are not supported yet"},
};
// clang-format on

}  // namespace

std::span<const Key> connection_keys() { return table; }

}  // namespace espgate::control
