#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/interop.md from the rows of a run: tests/interop/table.py build/results/interop.json > docs/interop.md"""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from scenario import matrix  # noqa: E402  pylint: disable=wrong-import-position

HEAD = """<!-- SPDX-License-Identifier: Apache-2.0 -->
<!-- Made by tests/interop/table.py from build/results/interop.json; not typed. -->
# espgate and other IKEv2 daemons

Made by `tools/lab run --out build/results -- python3 tests/lab/interop.py` (with `ESPGATE_INTEROP_WHOLE=1`: the whole matrix):
espgated behind an emulated offload NIC, a router, and beyond it charon of Debian's strongSwan 5.9.8 and pluto of Debian's
libreswan 4.10.
"""

MATRIX = """
## The matrix

Every cell comes up, has the same keys and the suite it asked for in both kernels, carries pings, UDP and TCP, has its child and
its IKE SA rekeyed by either side under pings of which none may be lost, answers signs of life, and goes down with nothing left
on either side and no error counted by either stack. `role` is espgate's; `nat`: the initiator is behind one that changes its
port, and where that is the peer, the NAT takes other ports in the middle, which espgate has to follow; `encap`: ESP in UDP without
a NAT; `fragments`: both messages of IKE_AUTH went in fragments (RFC 7383), as seen on the wire; `4in6`: IPv4 within an IPv6 tunnel;
`asks`: who asked for signs of life. Between them the cells of a whole run have every pair of values that may be had.

Seen on the way: pluto, asked for a rekey, sends on the new SA before its answer has arrived (RFC 7296 2.8 lets it); such packets
are counted, and must be exactly those that our stack found no SA for. It asks for no certificate if it is not told an authority:
its cells have `send_cert = always` at espgate. It takes RSA with PKCS#1 v1.5 and SHA-2 only if SHA-1 is admitted, too. After the peer
has closed a connection it keeps a trap policy of its own until the connection is unloaded: policies are looked at after that.
"""


def words(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return " ".join(text.split()).replace("|", "\\|")


def grouped(rows):
    """Rows by the cell they belong to: what stands before the first slash; the rest are of the whole run."""
    out = {}
    for row in rows:
        cell, slash, what = row["id"].partition("/")
        out.setdefault(cell if slash else "the whole run", []).append((what if slash else cell, row))
    return out


def mark(row):
    if row["skipped_reason"]:
        return f"skipped: {row['skipped_reason']}"
    return "yes" if row["pass"] else "**no**"


def sum_of(members):
    passed = sum(1 for _, row in members if row["pass"])
    return str(passed) if passed == len(members) else f"**{passed}**"


def details(cell, members):
    print(f"\n## {cell}\n\n| check | expected | found | as expected |\n|---|---|---|---|")
    for what, row in members:
        print(f"| {words(what)} | {words(row['expected'])} | {words(row['actual'])} | {mark(row)} |")


def print_matrix(run, groups):
    """run: {name: cell} of the cells that were run."""
    covered, possible = matrix.coverage(run.values())
    print(MATRIX)
    print("| what differs | values |\n|---|---|")
    for name, values in matrix.TABLE.items():
        print(f"| {name} | {', '.join(map(str, values))} |")
    print("\n| not run | why |\n|---|---|")
    for rule in matrix.EXCLUDED:
        print(f"| {', '.join(f'{key} {words(value)}' for key, value in rule.values.items())} | {rule.why} |")
    print(f"\nCells: {len(run)}. Pairs covered: {covered} of {possible} possible.\n")
    print("| peer | role | auth | IKE | key exchange | ESP | ESN | PFS | families | path | size | asks | checks | passed |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name, cell in run.items():
        shown = [cell[key] for key in ("peer", "role", "auth", "ike", "group", "esp")]
        shown += ["yes" if cell["esn"] == "esn" else "no", "yes" if cell["pfs"] == "pfs" else "no"]
        shown += [f"{cell['inner']}in{cell['outer']}", cell["path"], cell["size"], cell["asks"]]
        print(f"| {' | '.join(shown)} | {len(groups[name])} | {sum_of(groups[name])} |")


def main():
    rows = json.load(open(sys.argv[1], encoding="utf-8"))
    passed = sum(1 for row in rows if row["pass"])
    skipped = sum(1 for row in rows if row["skipped_reason"])
    print(HEAD)
    print(f"{passed} of {len(rows)} checks passed, {len(rows) - passed - skipped} failed, {skipped} skipped.")
    groups = grouped(rows)
    run = {matrix.name(cell): cell for cell in matrix.pairwise() if matrix.name(cell) in groups}
    if run:
        print_matrix(run, groups)
        # One cell stands for all, and whichever was not as expected.
        for number, name in enumerate(run):
            if number == 0 or not all(row["pass"] for _, row in groups[name]):
                details(name, groups[name])
    others = {cell: members for cell, members in groups.items() if cell not in run}
    print("\n## Against charon alone\n\n`init-` and `resp-` say what espgate was.\n\n| cell | checks | passed |\n|---|---|---|")
    for cell, members in others.items():
        print(f"| {cell} | {len(members)} | {sum_of(members)} |")
    for cell, members in others.items():
        details(cell, members)


if __name__ == "__main__":
    main()
