# SPDX-License-Identifier: Apache-2.0
"""Runs cells of accounting_table.py."""
import time
import traceback

from . import accounting_checks as checks
from . import accounting_table as table
from .accounting_bench import GCM, NAMES, Setup
from .identities import Check
from .shell import Failed

# Enough for twenty segments in batches, and small packets before them.
TRAFFIC = ("sizes=1,100,1200", "ping=10x56", "both=100000")
SUITES = {"esp": GCM, "udp": GCM, "ah": "ah-sha256"}
PAST_32_BITS = (1 << 32) + 1000  # where extended sequence numbers begin, so that their high half matters


class Rows:
    """Rows of cells: what was expected, what was seen, and which identities do not hold."""

    def __init__(self, results):
        self.results = results

    def add(self, name, expected, actual, found, seen=None, note=""):
        """`found`: identities.Check of this cell."""
        broken = [check.line().strip() for check in found if not check.holds]
        measured = {"identities": len(found), "broken": len(broken), "note": note, **(checks.numbers(seen) if seen else {})}
        self.results.add(name, expected, "; ".join([actual, *broken]), actual == expected and not broken, measured=measured)

    def guarded(self, name, expected, run):
        """One cell's failure is its own; says how long it took."""
        begin = time.monotonic()
        try:
            run()
        except (Failed, OSError, KeyError, ValueError) as failure:
            traceback.print_exc()
            self.add(name, expected, f"{type(failure).__name__}: {failure}", [])
        print(f"       ({time.monotonic() - begin:.1f} s)", flush=True)


def setup_of(cell):
    esn = cell["esn"] == "esn"
    how = "software" if table.refusal(cell) else cell["offload"]
    return Setup(family=int(cell["family"][1]), mode=cell["mode"], how=(how, how), suite=SUITES[cell["proto"]],
                 wanted="no" if cell["offload"] == "software" else cell["offload"], encap=cell["proto"] == "udp", esn=esn,
                 begin=PAST_32_BITS if esn else 0)


def refused(bench, cell, setup):
    """What the kernel says to the offload that the cell asks for; it must leave nothing behind."""
    asked = Setup(**{**vars(setup), "how": (cell["offload"], "software")})
    status, said = bench.host(asked, 1)
    left = len(bench.kernels[1].counts())
    if not status or left:
        return f"taken: {left} SAs" if not status else f"refused, {left} SAs left: {said}"
    return next((f"refused({rule.outcome})" for rule in table.REFUSED if rule.outcome in said), f"refused({said})")


def matrix_cell(bench, rows, cell):
    """One cell of the product."""
    setup = setup_of(cell)
    for side in (1, 2):
        bench.switch(side, "gro", cell["gro"] == "gro")
        bench.switch(side, "gso", cell["gso"] == "gso")
    said = f"{refused(bench, cell, setup)}, " if table.refusal(cell) else ""
    bench.install(setup)
    bench.register(setup)
    before = bench.marks(setup.family)
    bench.carry(setup, *TRAFFIC)
    seen = bench.seen(setup, before)
    found = [check for side in (1, 2) for check in checks.of_side(seen, side)]
    found += checks.preconditions(seen, table.batches(cell), table.merges(cell))
    found.append(Check("xfrm_stat", checks.errors(seen), ""))
    found.append(Check("the way back", checks.outcome(seen, 2), checks.outcome(seen, 1)))
    if setup.esn and cell["offload"] != "packet":  # there the device alone knows
        found.append(Check("sequence numbers are past 32 bits", seen.sas[1][checks.SPI[1]]["oseq"] >> 32, 1))
    rows.add(table.name(cell), table.expected(cell), said + checks.outcome(seen), found, seen)


def in_order(cells):
    """Switches are thrown as seldom as can be."""
    return sorted(cells, key=lambda cell: (cell["gro"], cell["gso"]))


def run(bench, rows, cells):
    for cell in in_order(cells):
        rows.guarded(table.name(cell), table.expected(cell), lambda cell=cell: matrix_cell(bench, rows, cell))


class Shaped:
    """Shapes of accounting_table.py, each by a method that its name begins with."""

    def __init__(self, bench, rows):
        self.bench, self.rows, self.shapes = bench, rows, table.SHAPES

    def run(self, words, shapes=None):
        """The shapes whose names have one of the words (none: all)."""
        self.shapes = table.SHAPES if shapes is None else shapes
        for name in self.shapes:
            kind = getattr(self, name.replace("-", "_"), None) or self.family_of(name)
            if kind and (not words or any(word in name for word in words)):
                self.rows.guarded(name, self.shapes[name].expected, lambda kind=kind, name=name: kind(name))

    def family_of(self, name):
        """The longest method that a name begins with."""
        words = name.split("-")
        return next((found for end in range(len(words), 0, -1) if (found := getattr(self, "_".join(words[:end]), None))), None)

    def begin(self, setup):
        self.bench.install(setup)
        self.bench.register(setup)
        return self.bench.marks(setup.family)

    def end(self, name, setup, before, found=None, without=(), said="", quiet=True, note=""):
        """Reads all counters, and adds the row. `found`: makes more checks of what was seen."""
        shape, seen = self.shapes[name], self.bench.seen(setup, before)
        all_found = [check for side in NAMES for check in checks.of_side(seen, side, without)] + (found(seen) if found else [])
        all_found.append(Check("the way back", checks.outcome(seen, 2), shape.way_back))
        if quiet:
            all_found.append(Check("xfrm_stat", checks.errors(seen), ""))
        self.rows.add(name, shape.expected, ", ".join(filter(None, (said, checks.outcome(seen)))), all_found, seen, note)

    def plain(self, name, setup, *what, **how):
        """SAs, traffic, and what was counted; `how` as `end` has it."""
        before = self.begin(setup)
        self.bench.carry(setup, *what)
        self.end(name, setup, before, **how)
