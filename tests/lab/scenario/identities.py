# SPDX-License-Identifier: Apache-2.0
"""The identities that hold per SA and direction after quiescence (packets: ESP packets on the wire)."""
from dataclasses import dataclass


@dataclass
class Check:
    what: str
    left: object
    right: object

    @property
    def holds(self):
        return self.left == self.right

    def line(self):
        mark, sign = ("ok  ", "=") if self.holds else ("FAIL", "!=")
        return f"  {mark} {self.what}: {_words(self.left)} {sign} {_words(self.right)}"


def _words(value):
    return f"{value['packets']} packets, {value['bytes']} octets" if isinstance(value, dict) else str(value)


def _sum(side):
    return {key: int(side["hw"][key]) + int(side["sw"][key]) for key in ("packets", "bytes")}


def _pick(counts):
    return {"packets": int(counts["packets"]), "bytes": int(counts["bytes"])}


def check_child(label, row, peer, nic, sequences=None):
    """row: of `espgate -j sa show kernel`; peer: kernel_sas() of the far side; nic: nic_sas() or {}."""
    checks = []
    inbound, outbound = row["in"], row["out"]
    spi_in, spi_out = inbound["spi"], outbound["spi"]
    nothing = {"packets": 0, "bytes": 0}
    checks.append(Check(f"{label} in:  hw + sw = own GETSA", _sum(inbound), _pick(inbound["kernel"])))
    checks.append(Check(f"{label} out: hw + sw = the peer's inbound GETSA", _sum(outbound), _pick(peer[spi_out])))
    checks.append(Check(f"{label} in:  hw + sw packets = sequence numbers the peer used", _sum(inbound)["packets"],
                        peer[spi_in]["oseq"]))
    checks.append(Check(f"{label} in:  hw = the NIC's", _pick(inbound["hw"]), nic.get(("in", spi_in), nothing)))
    checks.append(Check(f"{label} out: hw = the NIC's", _pick(outbound["hw"]), nic.get(("out", spi_out), nothing)))
    if sequences is not None:
        for direction, side in (("in: ", inbound), ("out:", outbound)):
            seen = sequences.get(side["spi"], [])
            checks.append(Check(f"{label} {direction} hw + sw packets = ESP packets captured on the wire",
                                _sum(side)["packets"], len(seen)))
            checks.append(Check(f"{label} {direction} captured sequence numbers are 1..n", seen[-1] if seen else 0,
                                len(set(seen))))
    return checks
