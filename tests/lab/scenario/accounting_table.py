# SPDX-License-Identifier: Apache-2.0
"""What traffic of an SA may look like, and where it must be counted: one table of rules. Pure: no process, no clock.

An outcome reads: hw; sw(reason of the fallback); hw+sw(reason); hw by GETSA (packet mode: no program sees a packet);
refused(the kernel's or the driver's words). "A, in B": out A, in B."""
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
NO_MERGING = ()

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
