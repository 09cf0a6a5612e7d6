#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/interop.md from the rows of a run: tests/interop/table.py build/results/interop.json > docs/interop.md"""
import json
import sys

HEAD = """<!-- SPDX-License-Identifier: Apache-2.0 -->
<!-- Made by tests/interop/table.py from build/results/interop.json; not typed. -->
# espgate and strongSwan's charon

Made by `tools/lab run --out build/results -- python3 tests/lab/interop.py`: espgated behind an emulated offload NIC, charon
of Debian's strongSwan behind a router. `init-` and `resp-` say what espgate was; then the IKE proposal and the ESP suite;
`4in6` is IPv4 within an IPv6 tunnel.
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


def main():
    rows = json.load(open(sys.argv[1], encoding="utf-8"))
    passed = sum(1 for row in rows if row["pass"])
    skipped = sum(1 for row in rows if row["skipped_reason"])
    print(HEAD)
    print(f"{passed} of {len(rows)} checks passed, {len(rows) - passed - skipped} failed, {skipped} skipped.\n")
    print("| cell | checks | passed |\n|---|---|---|")
    cells = grouped(rows)
    for cell, members in cells.items():
        print(f"| {cell} | {len(members)} | {sum(1 for _, row in members if row['pass'])} |")
    for cell, members in cells.items():
        print(f"\n## {cell}\n\n| check | expected | found | as expected |\n|---|---|---|---|")
        for what, row in members:
            print(f"| {words(what)} | {words(row['expected'])} | {words(row['actual'])} | {mark(row)} |")


if __name__ == "__main__":
    main()
