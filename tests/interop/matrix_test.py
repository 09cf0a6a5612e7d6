#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The matrix's generator: every pair that the rules leave is in some cell, no cell breaks a rule, and the test could fail."""
import itertools
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from scenario import matrix, pairwise  # noqa: E402  pylint: disable=wrong-import-position


def possible_by_hand():
    """The pairs once more, without the generator's search: whatever the rules speak of is tried in all combinations."""
    spoken_of = sorted({name for rule in matrix.EXCLUDED for name in rule.values})
    out = set()
    for values in itertools.product(*(matrix.TABLE[name] for name in spoken_of)):
        part = dict(zip(spoken_of, values))
        if not matrix.allowed(part):
            continue
        for (one, first), (two, second) in itertools.combinations(matrix.TABLE.items(), 2):
            for a, b in itertools.product(first, second):
                if part.get(one, a) == a and part.get(two, b) == b:
                    out.add(((one, a), (two, b)))
    return out


class Generator(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cells = matrix.pairwise()

    def test_every_pair_that_the_rules_leave_is_covered(self):
        covered = set().union(*(pairwise.pairs_of(cell) for cell in self.cells))
        self.assertEqual(possible_by_hand() - covered, set())
        self.assertEqual(matrix.coverage(self.cells), (len(possible_by_hand()), len(possible_by_hand())))

    def test_cells_are_whole_and_keep_the_rules(self):
        for cell in self.cells:
            self.assertEqual(list(cell), list(matrix.TABLE))
            self.assertTrue(all(value in matrix.TABLE[name] for name, value in cell.items()))
            self.assertTrue(matrix.allowed(cell), matrix.name(cell))

    def test_it_is_small_and_always_the_same(self):
        sizes = sorted((len(values) for values in matrix.TABLE.values()), reverse=True)
        self.assertLessEqual(len(self.cells), sizes[0] * sizes[1] + 10)
        self.assertEqual(self.cells, matrix.pairwise())
        self.assertEqual(len({matrix.name(cell) for cell in self.cells}), len(self.cells))

    def test_a_missing_cell_is_noticed(self):
        covered, possible = matrix.coverage(self.cells[1:])
        self.assertLess(covered, possible)

    def test_a_rule_keeps_its_pairs_out(self):
        for rule in matrix.EXCLUDED:
            if all(not isinstance(value, tuple) for value in rule.values.values()) and len(rule.values) == 2:
                pair = tuple(sorted(rule.values.items(), key=lambda item: list(matrix.TABLE).index(item[0])))
                self.assertNotIn(pair, matrix.possible(), rule.why)

    def test_the_short_run_has_every_value(self):
        short = matrix.short(self.cells)
        values = {item for cell in self.cells for item in cell.items()}
        self.assertEqual({item for cell in short for item in cell.items()}, values)
        wanted = {pair for pair in matrix.possible() if {name for name, _ in pair} <= set(matrix.CLOSELY)}
        self.assertEqual(wanted - set().union(*(pairwise.pairs_of(cell) for cell in short)), set())
        self.assertLess(len(short), len(self.cells) / 3)


if __name__ == "__main__":
    unittest.main()
