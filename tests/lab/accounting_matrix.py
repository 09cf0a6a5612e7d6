#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is every packet of every SA counted once, in the right place, in every shape of traffic? The table: scenario/accounting_table.py.

tools/lab run --out build/results -- python3 tests/lab/accounting_matrix.py [WORD...]; rows go to accounting.json there, and
tests/accounting/table.py makes docs/accounting.md of them. WORDs choose cells by parts of their names. Without any: cells that
have every pair of the table's values between them; with ESPGATE_ACCOUNTING_WHOLE=1 every cell. SAs are put up by `ip xfrm` over the
emulated NIC and registered by espgate-ledger-test: no daemon, for gateway_accounting.py has one. The word `soak` alone: a million
packets, to accounting_soak.json.
"""
import os
import sys

from scenario import accounting_cells, accounting_table
from scenario.accounting_bench import NAMES, Bench
from scenario.accounting_cells import Rows
from scenario.accounting_shapes import Shapes
from scenario.accounting_stacks import Forwarded, Stacks
from scenario.results import Results
from scenario.shell import Failed, run

WHOLE = os.environ.get("ESPGATE_ACCOUNTING_WHOLE") == "1"
SOAK = "soak"  # the one word that is not part of a name of the table's: a run of its own


def chosen(words):
    design = accounting_table.DESIGN
    cells = design.whole() if WHOLE or words else design.pairwise()
    return [cell for cell in cells if not words or any(word in accounting_table.name(cell) for word in words)]


def cells_and_shapes(bench, rows, words):
    if words == [SOAK]:
        Shapes(bench, rows).run([], accounting_table.SOAKS)
        return
    accounting_cells.run(bench, rows, chosen(words))
    for side in NAMES:
        for feature in ("gro", "gso"):
            bench.switch(side, feature, True)
    for kind in (Shapes, Stacks, Forwarded):  # the last leaves the hosts otherwise than it found them
        kind(bench, rows).run(words)


def complaints():
    return [line for line in run("dmesg").stdout.splitlines()
            if any(word in line for word in ("WARNING:", "BUG:", "Oops", "Call Trace"))]


def main():
    words = sys.argv[1:]
    results = Results("accounting_soak" if words == [SOAK] else "accounting")
    try:
        bench = Bench()
        cells_and_shapes(bench, Rows(results), words)
        bench.close()
    except Failed as failure:
        results.holds("the run comes to its end", False, str(failure))
    results.equal("complaints of the kernel", complaints(), [])
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
