#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/accounting.md from the rows of runs: tests/accounting/table.py build/results/accounting*.json > docs/accounting.md"""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from scenario import accounting_table as table  # noqa: E402  pylint: disable=wrong-import-position

HEAD = """<!-- SPDX-License-Identifier: Apache-2.0 -->
<!-- Made by tests/accounting/table.py from build/results/accounting*.json; not typed. -->
# Is every packet counted once, and in the right place?

Two hosts on a wire of emulated NICs, their SAs put up by hand, espgate's programs on both; traffic both ways, of which every octet is
compared. Then the programs' counts are held against the NIC's own (`ethtool -S`), GETSA of both ends, and the sequence numbers used.

    ESPGATE_ACCOUNTING_WHOLE=1 tools/lab run --out build/results -- python3 tests/lab/accounting_matrix.py
    tools/lab run --out build/results -- python3 tests/lab/accounting_matrix.py soak

What must hold of each SA once nothing is under way: inbound, hw + sw = its own GETSA, and hw = the NIC's; outbound, hw = the NIC's, and
hw + sw = the peer's inbound GETSA = the sequence numbers used; in packets and in octets. The reasons add up to the software packets. No
counter of /proc/net/xfrm_stat moves that the cell does not mean to move. Where GSO or GRO is on it must have been seen at work, and where
it is off, not. In packet mode no program sees an SA: they must have counted nothing, and GETSA stands for them.

`hw`: the NIC did the cipher. `sw(why)`: the stack did, and why. `refused(words)`: that offload was asked for once and refused in these
words; then the same SA went up in software. "A, in B": A where it was sent, B where it was received. Packets are ESP packets on the wire,
octets what is left after decapsulation; shown is the SA from side 1 to side 2, checked are both. GETSA out counts a batch once.
"""

REASONS = """
## Why software

| reason | when |
|---|---|
| none-wanted | no offload was asked for |
| not-held | asked for, but no device holds the SA: refused, or silently in software |
| other-device | out: the route leaves by another device than the SA's |
| not-eligible | out: held, the right device, and not offered to it: above the MTU and no batch, or a batch whose sequence numbers wrap |
| feature-off | out: esp-hw-offload of the SA's device is off |
| not-decrypted | in: held, and the packet came up from the NIC still encrypted |

Errors belong to the SA as well: `sa show` has its wrong ICVs and its replays, which count neither as hardware's nor as software's. A packet
for an SA that is gone has none to be counted for: it is `unknown-spi` in `stats show`, and XfrmInNoStates in the kernel.
"""


def cell_text(value):
    return " ".join(str(value).split()).replace("|", "\\|")


def amount(counts):
    return f"{counts['packets']}/{counts['bytes']}"


def both(counts):
    """"N/M hw + N/M sw", of what there is."""
    return " + ".join(f"{amount(counts[path])} {path}" for path in ("hw", "sw") if counts[path]["packets"]) or "none"


def columns(row):
    """What was counted: out, the NIC's out, GETSA out; in, the NIC's in, GETSA in."""
    seen = row["measured"]
    if "out" not in seen:
        return ["", "", "", "", "", ""]
    return [both(seen["out"]), amount(seen["nic_out"]), amount(seen["kernel_out"]),
            both(seen["in"]), amount(seen["nic_in"]), amount(seen["kernel_in"])]


def mark(row):
    return f"{row['measured']['identities']}" if row["pass"] else f"**{cell_text(row['actual'])}**"


NUMBERS = "out | NIC out | GETSA out | in | NIC in | GETSA in | checks that hold |"


def print_product(rows):
    names = list(table.TABLE)
    print(f"\n| {' | '.join(names)} | expected | {NUMBERS}")
    print("|" + "---|" * (len(names) + 1 + NUMBERS.count("|")))
    for cell in table.DESIGN.whole():
        if (row := rows.get(table.name(cell))) is not None:
            print(f"| {' | '.join([*cell.values(), cell_text(row['expected']), *columns(row), mark(row)])} |")


def errors(row):
    """Of the receiver's SA."""
    return ", ".join(f"{value} {key}" for key, value in row["measured"].get("errors", {}).items() if value)


def print_shapes(rows, shapes):
    print(f"\n| shape | what it is | expected | errors | {NUMBERS}")
    print("|" + "---|" * (4 + NUMBERS.count("|")))
    for name, shape in shapes.items():
        if (row := rows.get(name)) is not None:
            print(f"| {' | '.join([name, shape.why, cell_text(row['expected']), errors(row), *columns(row), mark(row)])} |")


def print_rules():
    print("\n| of the product | outcome | why |\n|---|---|---|")
    for rule in (*table.REFUSED, *table.PATHS, *table.NO_BATCHES, *table.NO_MERGING):
        values = ", ".join(f"{key} {value if isinstance(value, str) else '/'.join(value)}" for key, value in rule.values.items())
        outcome = f"refused({rule.outcome})" if rule in table.REFUSED else rule.outcome
        print(f"| {values} | {outcome} | {rule.why} |")


def summary(rows):
    cells = [row for row in rows if "measured" in row]
    checks = sum(row["measured"]["identities"] for row in cells)
    broken = sum(row["measured"]["broken"] for row in cells)
    packets = sum(row["measured"][way][path]["packets"] for row in cells if "out" in row["measured"]
                  for way in ("out", "in") for path in ("hw", "sw"))
    failed = [row["id"] for row in rows if not row["pass"]]
    print(f"**{len(cells)} cells, {checks} checks, {broken} of them broken; {packets} packets in the columns below.** "
          + (f"Not as expected: {', '.join(failed)}." if failed else "Every cell is as the rules expect."))


def main():
    rows = [row for path in sys.argv[1:] for row in json.load(open(path, encoding="utf-8"))]
    by_name = {row["id"]: row for row in rows if "measured" in row}
    print(HEAD)
    summary(rows)
    print(REASONS)
    print("## The rules\n\nThe first that covers a cell holds.")
    print_rules()
    print("\n## The product\n\nPackets/octets.")
    print_product(by_name)
    print("\n## Other shapes")
    print_shapes(by_name, table.SHAPES)
    if set(by_name) & set(table.SOAKS):
        print("\n## A million packets")
        print_shapes(by_name, table.SOAKS)


if __name__ == "__main__":
    main()
