#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of the accounting matrix: whole, without a hole, and its rules are the ones that hold."""
import itertools
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from scenario import accounting_table as table  # noqa: E402  pylint: disable=wrong-import-position
from scenario import pairwise  # noqa: E402  pylint: disable=wrong-import-position


def cell(words):
    return dict(zip(table.TABLE, words.split("-")))


class Table(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.whole = table.DESIGN.whole()

    def test_only_what_is_refused_is_left_out_and_is_tried_once(self):
        everything = [dict(zip(table.TABLE, values)) for values in itertools.product(*table.TABLE.values())]
        left_out = [each for each in everything if each not in self.whole]
        self.assertTrue(left_out)
        for each in left_out:
            self.assertIsNotNone(table.refusal(each), table.name(each))
            self.assertIn({**each, "gro": "gro", "gso": "gso"}, self.whole)

    def test_names_are_different_and_read_back(self):
        names = {table.name(each) for each in self.whole}
        self.assertEqual(len(names), len(self.whole))
        self.assertFalse(names & (set(table.SHAPES) | set(table.SOAKS)))
        for each in self.whole:
            self.assertEqual(cell(table.name(each)), each)

    def test_the_short_run_has_every_pair(self):
        short = table.DESIGN.pairwise()
        covered, possible = table.DESIGN.coverage(short)
        self.assertEqual(covered, possible)
        self.assertEqual(possible, len(set().union(*map(pairwise.pairs_of, self.whole))))
        self.assertLess(table.DESIGN.coverage(short[1:])[0], possible)

    def test_outcomes(self):
        for words, outcome in (("v4-tunnel-esp-crypto-gro-gso-esn", "hw"),
                               ("v6-transport-esp-packet-nogro-nogso-noesn", "hw by GETSA"),
                               ("v6-tunnel-udp-software-gro-gso-esn", "sw(none-wanted)"),
                               ("v4-transport-ah-crypto-gro-gso-noesn", "refused(Type doesn't support offload), sw(not-held)"),
                               ("v4-tunnel-udp-packet-gro-gso-noesn",
                                "refused(Encapsulated xfrm states cannot be offloaded), sw(not-held)")):
            self.assertEqual(table.expected(cell(words)), outcome)

    def test_a_switch_that_is_off_is_never_expected_to_do_something(self):
        for each in self.whole:
            self.assertFalse(each["gso"] == "nogso" and table.batches(each))
            self.assertFalse(each["gro"] == "nogro" and table.merges(each))
        self.assertFalse(table.merges(cell("v4-transport-ah-software-gro-gso-esn")))
        self.assertTrue(table.merges(cell("v4-tunnel-ah-software-gro-gso-esn")))
        self.assertFalse(table.batches(cell("v4-tunnel-ah-software-gro-gso-esn")))
        self.assertTrue(table.batches(cell("v4-tunnel-udp-software-gro-gso-esn")))

    def test_every_rule_covers_a_cell(self):
        for rule in (*table.REFUSED, *table.PATHS, *table.NO_BATCHES, *table.NO_MERGING):
            self.assertTrue(any(rule.covers(each) for each in self.whole), rule)

    def test_every_reason_appears_where_packets_go_out_or_come_in(self):
        outcomes = [table.expected(each) for each in self.whole]
        outcomes += [outcome for shape in table.SHAPES.values() for outcome in (shape.path, shape.way_back)]
        for reason in ("none-wanted", "not-held", "other-device", "not-eligible", "feature-off", "not-decrypted"):
            self.assertTrue(any(f"({reason})" in outcome for outcome in outcomes), reason)


if __name__ == "__main__":
    unittest.main()
