# SPDX-License-Identifier: Apache-2.0
"""What must hold of a cell's counts: the identities, and the cell's own preconditions. Pure."""
from . import identities
from .accounting_bench import IN_SLOT, OUT_SLOT, SPI
from .identities import Check
from .ledger import SIDES

NOTHING = {"packets": 0, "bytes": 0}


def by_getsa(sa):
    """In packet mode GETSA's counts are what there is: the driver told the stack."""
    return {"hw": {key: sa[key] for key in NOTHING}, "sw": dict(NOTHING), "why": {}, "exact": None}


def counted(seen, side, direction):
    """The counts of an SA as the product shows them."""
    slot = seen.slots[(OUT_SLOT if direction == "out" else IN_SLOT)[side]]
    spi = SPI[side if direction == "out" else 3 - side]
    return by_getsa(seen.sas[side][spi]) if seen.setup.how[side - 1] == "packet" else slot


def row(seen, side):
    """As `espgate -j sa show kernel` has a child, of what identities.check_child reads."""
    spis = {"out": SPI[side], "in": SPI[3 - side]}
    return {direction: counted(seen, side, direction) | {"spi": spi, "kernel": seen.sas[side][spi]}
            for direction, spi in spis.items()}


def peer_of(seen, side):
    """GETSA of the far side; sequence numbers from where they began."""
    return {spi: sa | {"oseq": sa["oseq"] - seen.setup.begin if spi == SPI[3 - side] else sa["oseq"]}
            for spi, sa in seen.sas[3 - side].items()}


def outcome_of(counts):
    """How the packets of a direction went, in the table's words."""
    taken = [path for path in SIDES if counts[path]["packets"]]
    why = "+".join(sorted(key for key, value in counts["why"].items() if value))
    words = "+".join(f"sw({why})" if path == "sw" else "hw" for path in taken) or "nothing"
    return words if counts["exact"] else f"{words} by GETSA" if counts["exact"] is None else f"{words}, not exact"


def outcome(seen, sender=1):
    """Of the SA that `sender` sends on: "OUT", or "OUT, in IN" if they differ."""
    out, into = (outcome_of(counted(seen, side, way)) for side, way in ((sender, "out"), (3 - sender, "in")))
    return out if out == into else f"{out}, in {into}"


def of_side(seen, side, without=()):
    """Checks of one side's two SAs, but those whose words have one of `without`."""
    label = f"side {side}"
    told = row(seen, side)
    checks = identities.check_child(label, told, peer_of(seen, side), seen.nic_sas[side])
    if seen.setup.how[side - 1] == "packet":  # the stack never sees a sequence number, and the programs no SA
        checks = [check for check in checks if "sequence numbers" not in check.what]
        programs = sum(total(seen.slots[slot[side]]) for slot in (OUT_SLOT, IN_SLOT))
        checks.append(Check(f"{label}: counted by the programs", programs, 0))
    else:
        used = seen.sas[side][SPI[side]]["oseq"] - seen.setup.begin
        checks.append(Check(f"{label} out: hw + sw packets = sequence numbers used", total(told["out"]), used))
        for way in ("out", "in"):
            checks.append(Check(f"{label} {way}: reasons = sw packets", sum(told[way]["why"].values()),
                                told[way]["sw"]["packets"]))
            checks.append(Check(f"{label} {way}: exact", told[way]["exact"], True))
    if not seen.setup.suite.startswith("ah-"):  # the NIC does not count AH
        checks.append(Check(f"{label} out: sw packets = ESP that passed through the NIC as it was",
                            told["out"]["sw"]["packets"], seen.nic[side]["sw_tx_esp"]))
    return [check for check in checks if not any(words in check.what for words in without)]


def lost_on_the_way(seen, sender, lost):
    """What left and did not arrive: `lost` packets."""
    arrived = seen.sas[3 - sender][SPI[sender]]["packets"]
    return Check(f"side {sender} out: hw + sw - the peer's inbound GETSA = what was lost", total(counted(seen, sender, "out")) - arrived,
                 lost)


def errors(seen):
    """xfrm_stat of both sides, as words; empty: none."""
    return " ".join(f"{key} {value} at side {side}" for side, added in seen.errors.items() for key, value in added.items())


def total(counts):
    return sum(counts[path]["packets"] for path in SIDES)


def batched(seen, side, local=True):
    """Whether the stack gave batches on. The NIC segmented some; or GETSA counts one packet and its segments were more; or, where
    the stack segments before the transformation, IP sent fewer packets of this host (`local`) than went out (IPv4 counts the outer
    ones, too)."""
    wire, packets = total(counted(seen, side, "out")), seen.packets[side]["out"]
    if seen.nic[side]["tx_esp_batches"] or seen.sas[side][SPI[side]]["packets"] < wire:
        return True
    return local and seen.setup.how[side - 1] != "packet" and packets < wire * (2 if seen.setup.family == 4 else 1)


def merged(seen, side):
    return seen.packets[side]["merged"] < seen.packets[side]["wire"]


def preconditions(seen, batches, merges):
    return [check for side in (1, 2) for check in (Check(f"side {side}: GSO seen", batched(seen, side), batches),
                                                   Check(f"side {side}: GRO seen", merged(seen, side), merges))]


def numbers(seen, sender=1):
    """What a table shows of the SA that `sender` sends on."""
    receiver, spi = 3 - sender, SPI[sender]
    sent, came = counted(seen, sender, "out"), counted(seen, receiver, "in")
    return {"out": {path: sent[path] for path in SIDES}, "in": {path: came[path] for path in SIDES},
            "nic_out": seen.nic_sas[sender].get(("out", spi), NOTHING), "nic_in": seen.nic_sas[receiver].get(("in", spi), NOTHING),
            "kernel_out": {key: seen.sas[sender][spi][key] for key in NOTHING},
            "kernel_in": {key: seen.sas[receiver][spi][key] for key in NOTHING},
            "errors": {key: seen.sas[receiver][spi][key] for key in ("integrity", "replay")}}
