# SPDX-License-Identifier: Apache-2.0
"""Cells of a table, of which every pair of values that goes together is in some. Pure: no process, no clock, no randomness."""
import collections
import itertools
from dataclasses import dataclass


@dataclass(frozen=True)
class Excluded:
    """Cells with all of `values` ({dimension: value or tuple of them}) are not run, and why."""
    why: str
    values: dict

    def covers(self, cell):
        """Whether a cell, or a pair of it, has all of them."""
        return all(name in cell and cell[name] in (value if isinstance(value, tuple) else (value,))
                   for name, value in self.values.items())


def pairs_of(cell):
    """All pairs ((dimension, value), (dimension, value)) of a whole cell."""
    return set(itertools.combinations(cell.items(), 2))


class Design:
    """table: {dimension: values}; excluded: what does not go together; closely: the dimensions that even a short run has in every
    pair."""

    def __init__(self, table, excluded, closely=()):
        self.table, self.excluded, self.closely = table, excluded, closely

    def allowed(self, cell):
        """Whether a cell, whole or in part, may be run."""
        return not any(rule.covers(cell) for rule in self.excluded)

    def whole(self):
        """Every allowed cell."""
        cells = (dict(zip(self.table, values)) for values in itertools.product(*self.table.values()))
        return [cell for cell in cells if self.allowed(cell)]

    def possible(self):
        """Every pair of values that some allowed cell has."""
        out = set()
        for (one, values), (two, others) in itertools.combinations(self.table.items(), 2):
            for a, b in itertools.product(values, others):
                if self._complete({one: a, two: b}, set(), {}) is not None:
                    out.add(((one, a), (two, b)))
        return out

    def _complete(self, cell, wanted, used):
        """Fills a part of a cell dimension by dimension, each time with the value that covers most of `wanted` (of several, the
        one whose pairs were `used` least); goes back where the rules leave none. None if there is no such cell."""
        free = [name for name in self.table if name not in cell]
        if not self.allowed(cell):
            return None
        if not free:
            return {name: cell[name] for name in self.table}
        # The dimension with most to cover is chosen first, while there is most freedom.
        name = max(free, key=lambda name: (len(self.table[name]), -list(self.table).index(name)))

        def worth(value):
            pairs = [self._pair(name, value, other, chosen) for other, chosen in cell.items()]
            return (-sum(pair in wanted for pair in pairs), sum(used.get(pair, 0) for pair in pairs),
                    self.table[name].index(value))
        for value in sorted(self.table[name], key=worth):
            done = self._complete({**cell, name: value}, wanted, used)
            if done is not None:
                return done
        return None

    def _pair(self, one, a, two, b):
        first = list(self.table).index(one) < list(self.table).index(two)
        return ((one, a), (two, b)) if first else ((two, b), (one, a))

    def pairwise(self):
        """Cells that together have every possible pair: the greedy way, each begun with a pair not covered yet."""
        left, used, cells = self.possible(), collections.Counter(), []
        order = {pair: at for at, pair in enumerate(sorted(left, key=str))}
        while left:
            seeds = sorted(left, key=order.get)[:: max(1, len(left) // 12)][:12]
            made = [self._complete(dict(seed), left, used) for seed in seeds]
            best = max(made, key=lambda cell: len(pairs_of(cell) & left))
            cells.append(best)
            left -= pairs_of(best)
            used.update(pairs_of(best))
        return cells

    def short(self, cells):
        """The fewest of those cells, greedily, that have every value that any of them has, and every pair of the dimensions
        `closely`: for a run in a hurry."""
        def wanted(cell):
            return set(cell.items()) | {pair for pair in pairs_of(cell) if {key for key, _ in pair} <= set(self.closely)}
        left, out = set().union(*map(wanted, cells)), []
        while left:
            best = max(cells, key=lambda cell: len(wanted(cell) & left))
            out.append(best)
            left -= wanted(best)
        return out

    def coverage(self, cells):
        """(pairs that the cells have, pairs that are possible)."""
        there = self.possible()
        return len(set().union(*(pairs_of(cell) for cell in cells)) & there), len(there)
