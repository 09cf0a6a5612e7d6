// SPDX-License-Identifier: Apache-2.0
#include "control/doctor/advice.h"

#include <algorithm>
#include <array>

namespace espgate::control::doctor {
namespace {

struct Advice {
  std::string_view code, text;
};

constexpr std::array kByNotify{
    Advice{"AUTHENTICATION_FAILED",
           "the peer does not believe us: compare the secret, or the certificate and its CA, "
           "and the ids of both ends; the peer's log says which it was"},
    Advice{"NO_PROPOSAL_CHOSEN",
           "the peer takes none of our suites: compare proposals and esp_proposals of both ends, "
           "the key exchange method, too"},
    Advice{"TS_UNACCEPTABLE",
           "the peer takes none of our selectors: its local_ts must overlap our remote_ts, and its "
           "remote_ts our local_ts"},
    Advice{"INVALID_KE_PAYLOAD", "the peer wants another key exchange method: put it into proposals"},
};

constexpr std::array kByCode{
    Advice{"auth-failed",
           "the secrets of both ends differ, or the peer has another certificate than we expect: compare "
           "them, and the ids"},
    Advice{"no-secret",
           "there is no secret, or no private key, for these identities: an entry in `secrets` must have "
           "the ids of both ends, or the key must lie in the folder private"},
    Advice{"no-config",
           "the peer comes with addresses or an identity that no connection has: compare remote_addrs and "
           "remote.id with what the text names"},
    Advice{"bad-certificate",
           "the peer's certificate is expired, not trusted or not for its identity: its CA must lie "
           "in x509ca, and `timedatectl` must be right"},
    Advice{"no-proposal", "no suite is common to both ends: compare proposals and esp_proposals"},
    Advice{"ts-unacceptable",
           "no selectors are common to both ends: local_ts here must overlap remote_ts there, and the "
           "other way round"},
    Advice{"invalid-ke", "no key exchange method is common to both ends: compare the last words of proposals"},
    Advice{"install-refused",
           "the kernel or the device did not take the SA; the text has its words: `espgate offload "
           "probe dev D`, or hw_offload = auto, which falls back to software"},
    Advice{"install-timeout",
           "the kernel did not answer in time: `dmesg` may say why; gateway.install_timeout gives it "
           "longer"},
    Advice{"timeout",
           "the peer is silent: is it running, are UDP 500 and 4500 open both ways, is remote_addrs right? "
           "`tcpdump -ni any 'udp port 500 or udp port 4500'` shows whether anything comes back"},
    Advice{"peer-deleted", "the peer closed it: its log says why"},
    Advice{"peer-refused", "the peer's log says why"},
    Advice{"no-additional-sas", "the peer takes no more children: give each its own connection, or fewer"},
    Advice{"not-unique", "another IKE SA of the same identity is there: two peers share an id, or see `unique`"},
    Advice{"expired", "it outlived its hard lifetime: rekeying failed before; the log has the reason"},
};

constexpr std::array kCounters{
    KernelCounter{"XfrmInNoStates", "ESP came with an SPI that no SA here has: the peer still uses one that is gone",
                  "it passes with the peer's next rekey; `espgate conn down` and `up` end it now"},
    KernelCounter{"XfrmInStateProtoError", "ESP failed its integrity check, or is malformed",
                  "`espgate sa show kernel` says of which SA"},
    KernelCounter{"XfrmInStateSeqError", "ESP came twice, or later than the replay window allows",
                  "raise replay_window if the network reorders"},
    KernelCounter{"XfrmInStateExpired", "ESP came for an SA whose lifetime is over",
                  "rekeying came too late: see the log"},
    KernelCounter{"XfrmInTmplMismatch", "packets came in the clear, or by another SA than their policy asks for",
                  "both ends' selectors must agree; the sender must have the tunnel up"},
    KernelCounter{"XfrmInNoPols", "packets came out of a tunnel that no policy allows them from",
                  "the peer's selectors cover more than ours"},
    KernelCounter{"XfrmInPolBlock", "packets came in the clear for a child that is not up, and were blocked",
                  "`espgate conn show` says why it is down; when_down = pass would let them through"},
    KernelCounter{"XfrmOutPolBlock", "packets for a child that is not up were blocked, not sent in the clear",
                  "`espgate conn show` says why it is down"},
    KernelCounter{"XfrmOutNoStates", "packets met a policy without an SA", "`espgate conn show`; a trap brings it up"},
    KernelCounter{"XfrmOutStateExpired", "packets met an SA whose lifetime is over", "see the log for the rekey"},
    KernelCounter{"XfrmOutStateProtoError", "the kernel could not encrypt: the device or the cipher failed", "`dmesg`"},
    KernelCounter{"XfrmFwdHdrError", "packets to be forwarded had headers that the kernel could not read",
                  "`tcpdump` on the inner network shows who sends them"},
};

// RFC 7296 2.23: from here on it is port 4500 that matters, if either end is behind a NAT; and messages get large.
constexpr std::string_view kSilentAfterInit =
    "the peer answered IKE_SA_INIT, and then no more. Behind a NAT the exchange goes on by UDP 4500: is it open both "
    "ways? With certificates messages are large: does the way drop fragments (fragmentation = yes, a smaller "
    "gateway.fragment_size)? The peer's log says whether IKE_AUTH came";

template <std::size_t N>
const Advice* find(const std::array<Advice, N>& table, std::string_view code) {
  const auto found = std::ranges::find(table, code, &Advice::code);
  return found == table.end() ? nullptr : &*found;
}

}  // namespace

std::string_view advice_for(std::string_view code, std::string_view notify, std::string_view step) {
  if (code == "timeout" && step == "IKE_AUTH") return kSilentAfterInit;
  if (const auto* advice = find(kByNotify, notify)) return advice->text;
  if (const auto* advice = find(kByCode, code)) return advice->text;
  return "the log of espgated, and the peer's, say more";
}

std::span<const KernelCounter> kernel_counters() { return kCounters; }

}  // namespace espgate::control::doctor
