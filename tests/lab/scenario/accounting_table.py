# SPDX-License-Identifier: Apache-2.0
"""What traffic of an SA may look like, and where it must be counted: one table of rules. Pure: no process, no clock.

An outcome reads: hw; sw(reason of the fallback); hw+sw(reason); hw by GETSA (packet mode: no program sees a packet); refused(the
kernel's or the driver's words); dropped(what the kernel counts instead); "not exact": counted by tc alone. "A, in B": out A, in B."""
from dataclasses import dataclass

from .pairwise import Design, Excluded

TABLE = {
    "family": ("v4", "v6"),
    "mode": ("tunnel", "transport"),
    "proto": ("esp", "udp", "ah"),  # udp: ESP in UDP
    "offload": ("crypto", "packet", "software"),
    "gro": ("gro", "nogro"),
    "gso": ("gso", "nogso"),
    "esn": ("esn", "noesn"),
}


@dataclass(frozen=True)
class Rule:
    """What becomes of cells with all of `values`, and why."""
    outcome: str
    why: str
    values: dict

    def covers(self, cell):
        return Excluded(self.why, self.values).covers(cell)


ASKED = {"offload": ("crypto", "packet")}

# Where an SA can be: the first rule that covers a cell holds. A refused one is put up in software then, wanted all the same.
REFUSED = (
    Rule("Type doesn't support offload", "the kernel offloads ESP alone: AH has no xfrm_type_offload", {"proto": "ah", **ASKED}),
    Rule("Encapsulated xfrm states cannot be offloaded", "the driver's rule", {"proto": "udp", **ASKED}),
)
PATHS = (
    *(Rule("sw(not-held)", f"refused: {rule.why}", rule.values) for rule in REFUSED),
    Rule("hw", "crypto mode: the device does the cipher, the stack the rest", {"offload": "crypto"}),
    Rule("hw by GETSA", "packet mode: no skb ever names the SA", {"offload": "packet"}),
    Rule("sw(none-wanted)", "no offload was asked for", {"offload": "software"}),
)

# What the kernel does not do whatever the device's features say: then none is seen where the switch is on.
NO_BATCHES = (
    Rule("no batches", "a socket sends none through a type without offload (xfrm_dst_offload_ok)", {"proto": "ah"}),
)
NO_MERGING = (
    Rule("no merging", "has no GRO of its own (a UDP socket would have to ask for it), and what comes out of a transport-mode SA "
         "meets GRO no more", {"proto": ("udp", "ah"), "mode": "transport"}),
)

# Asked for once: a refusal does not look at the traffic.
ONCE = tuple(Excluded(f"refused whatever {dimension} is: tried once", {**rule.values, dimension: value})
             for rule in REFUSED for dimension, value in (("gro", "nogro"), ("gso", "nogso")))

DESIGN = Design(TABLE, ONCE)


def first(rules, cell):
    """The first rule that covers it, or None."""
    return next((rule for rule in rules if rule.covers(cell)), None)


def refusal(cell):
    """The words that the offload of this cell is refused with, or None."""
    rule = first(REFUSED, cell)
    return rule.outcome if rule else None


def expected(cell):
    path = first(PATHS, cell).outcome
    return f"refused({refusal(cell)}), {path}" if refusal(cell) else path


def batches(cell):
    """Whether GSO batches must be seen on their way out."""
    return cell["gso"] == "gso" and not first(NO_BATCHES, cell)


def merges(cell):
    """Whether GRO must be seen to merge packets that come in."""
    return cell["gro"] == "gro" and not first(NO_MERGING, cell)


def name(cell):
    return "-".join(cell.values())


@dataclass(frozen=True)
class Shape:
    """Traffic that is not of the product: where it is counted, and why there. `back`: the SA of the way back, if it differs.
    `said`: what the kernel makes of the offload that is asked for first."""
    path: str
    why: str
    back: str = ""
    said: str = ""

    @property
    def way_back(self):
        return self.back or self.path

    @property
    def expected(self):
        return ", ".join(filter(None, (self.said, self.path)))


SOFT = "sw(not-held)"
STAGED = {"crypto": "hw", "packet": "hw by GETSA", "software": "sw(none-wanted)"}
SHAPES = {
    **{f"one-sided-{family}-{mode}": Shape(f"hw, in {SOFT}", "one end in hardware, the other in software", f"{SOFT}, in hw")
       for family in TABLE["family"] for mode in TABLE["mode"]},
    **{f"sizes-{family}-{mode}": Shape("hw", "a datagram of nearly every size: every padding there is") for family in TABLE["family"]
       for mode in TABLE["mode"]},
    "refused-cbc": Shape(SOFT, "the driver's rule", said="refused(Cannot offload authenticated xfrm states)"),
    **{f"half-received-{mode}-{gro}": Shape("hw, in hw+sw(not-decrypted)", "the NIC leaves every third packet of a TCP flow to the "
                                           "stack", "hw") for mode in TABLE["mode"] for gro in TABLE["gro"]},
    **{f"half-sent-{mode}": Shape("hw+sw(feature-off), in hw", "esp-hw-offload goes off in the middle of a TCP flow", "hw")
       for mode in TABLE["mode"]},
    "exchange-crypto": Shape("hw", "a loader starts four times over and exchanges the programs, with traffic running"),
    "exchange-software": Shape("sw(none-wanted)", "a loader starts four times over and exchanges the programs, with traffic running"),
    **{f"spread-{family}": Shape("sw(none-wanted)", "inbound ESP is handed to one CPU, to the other, to both") for family in TABLE["family"]},
    "stack-segments": Shape("hw", "tx-esp-segmentation off: batches are segmented before the device encrypts them"),
    "lost-by-nic": Shape("hw", "every 50th transmit is lost behind the stack: it was encrypted and numbered"),
    "handed-back": Shape("hw", "every 5th transmit is handed back for want of room, and comes again"),
    "batch-wraps": Shape("hw+sw(not-eligible), in hw", "a batch whose extended sequence numbers pass 2^32 is segmented and encrypted "
                         "by the stack, which then numbers a segment wrongly: its ICV fails at the far side"),
    "flows": Shape(f"hw, in {SOFT}", "a datagram each of more inner flows than `flow show` has room for: it stays within it, and has no "
                   "flow wrongly", f"{SOFT}, in hw"),
    "jumbo-crypto": Shape("hw", "an MTU of 9,000"),
    "jumbo-packet": Shape("hw by GETSA", "an MTU of 9,000"),
    "jumbo-software": Shape("sw(none-wanted)", "an MTU of 9,000"),
    **{f"too-large-{family}": Shape("sw(not-eligible), in sw(not-decrypted)", "crypto mode takes nothing above the MTU but batches; a "
                                    "device decrypts no fragments") for family in TABLE["family"]},
    "too-large-packet": Shape("dropped(XfrmOutError)", "packet mode never falls back and fragments nothing"),
    "vlan-on-top": Shape("sw(other-device), in sw(not-decrypted)", "the route leaves by a VLAN device on top of the one that holds the SA"),
    "vlan-asked": Shape(SOFT, "crypto mode asked of the VLAN device, which has no offload: the kernel says yes and does it in software",
                        said="silently software"),
    "vlan-packet": Shape(SOFT, "packet mode asked of the VLAN device: it never falls back, and the kernel says no more than EINVAL",
                         said="refused(Invalid argument)"),
    "bridge-on-top": Shape("sw(other-device), in hw", "the NIC is a port of a bridge: it decrypts, the route leaves by the bridge",
                           "hw"),
    "bond-on-top": Shape("hw", "the SA is the bond's, and its slave does the cipher: counted once, on the bond"),
    "bond-as-it-comes": Shape("sw(feature-off), in hw", "a bond's own esp-hw-offload is off until it is switched on; its slave decrypts all "
                              "the same", "hw"),
    **{f"forwarded-{family}-{offload}-{way}": Shape(STAGED[offload], "between networks behind both ends" + (
        ", which send batches" if way == "gso" else ", GRO merges what comes in")) for family in TABLE["family"]
       for offload in TABLE["offload"] for way in ("gso", "gro")},
    "forwarded-ah": Shape("sw(none-wanted)", "AH, from a network that sends batches"),
    "forwarded-too-large": Shape("sw(not-eligible), in sw(not-decrypted)", "a packet without DF that is too large for the tunnel: ESP "
                                 "leaves in fragments"),
    "integrity-hw": Shape("hw", "every 7th ICV is wrong, found by the NIC"),
    "integrity-sw": Shape(f"hw, in {SOFT}", "every 7th ICV is wrong, found by the stack", f"{SOFT}, in hw"),
    "replay-hw": Shape(f"{SOFT}, in hw", "frames come twice; the NIC decrypts, the stack refuses them", f"hw, in {SOFT}"),
    "replay-sw": Shape("sw(none-wanted)", "frames come twice"),
    **{f"shown-{how}": Shape(STAGED[how], "what `espgate sa show kernel` says, with no daemon there") for how in STAGED},
    "no-state": Shape("hw", "the receiver's SA is gone: nothing is there to count for, the class is unknown-spi"),
    "tc-alone": Shape("hw, not exact", "where tracing cannot be attached tc counts, and says that it is not exact"),
}

# A run of its own: a million packets between them.
SOAKS = {f"soak-{how}": Shape(STAGED[how], "half a million packets one way, in segments of 288 octets")
         for how in ("crypto", "software")}
