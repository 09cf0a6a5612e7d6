# SPDX-License-Identifier: Apache-2.0
"""The interoperability matrix as one table: what may differ between cells, what does not go together and why, and the
cells that cover every pair of values that goes together. Pure: no process, no clock, no randomness."""
import collections
import itertools
from dataclasses import dataclass

TABLE = {
    "peer": ("strongswan", "libreswan"),
    "role": ("initiator", "responder"),  # espgate's
    "auth": ("psk", "rsa", "rsa-pss", "ecdsa256", "ecdsa384", "ecdsa521", "ed25519"),  # rsa: PKCS#1 v1.5
    "group": ("x25519", "ecp256", "ecp384", "ecp521", "x448", "modp2048", "modp3072", "modp4096"),
    "ike": ("aes128gcm16-prfsha256", "aes256gcm16-prfsha384", "chacha20poly1305-prfsha512", "aes128-sha256",
            "aes256-sha384", "aes256-sha512"),
    "esp": ("aes128gcm16", "aes256gcm16", "chacha20poly1305", "aes128-sha256", "aes256-sha384", "aes256-sha512"),
    "esn": ("noesn", "esn"),
    "pfs": ("nopfs", "pfs"),  # a key exchange of its own, of the IKE SA's group, when a child is rekeyed
    "outer": (4, 6),
    "inner": (4, 6),
    "path": ("direct", "nat", "encap"),  # nat: the initiator stands behind one; encap: ESP in UDP without one
    "size": ("whole", "fragments"),      # of IKE_AUTH's two messages: RFC 7383
    "asks": ("espgate", "peer"),         # who asks whether the other lives
}

CLOSELY = ("peer", "role", "path", "size")  # what even a short run has in every pair


@dataclass(frozen=True)
class Excluded:
    """Cells with all of `values` ({dimension: value or tuple of them}) are not run, and why."""
    why: str
    values: dict

    def covers(self, cell):
        """Whether a cell, or a pair of it, has all of them."""
        return all(name in cell and cell[name] in (value if isinstance(value, tuple) else (value,))
                   for name, value in self.values.items())


EXCLUDED = (
    Excluded("libreswan 4.10 has no Ed25519", {"peer": "libreswan", "auth": "ed25519"}),
    Excluded("libreswan 4.10 has no X448", {"peer": "libreswan", "group": "x448"}),
)


def allowed(cell):
    """Whether a cell, whole or in part, may be run."""
    return not any(rule.covers(cell) for rule in EXCLUDED)


def pairs_of(cell):
    """All pairs ((dimension, value), (dimension, value)) of a whole cell."""
    return set(itertools.combinations(cell.items(), 2))


def possible():
    """Every pair of values that some allowed cell has."""
    out = set()
    for (one, values), (two, others) in itertools.combinations(TABLE.items(), 2):
        for a, b in itertools.product(values, others):
            if _complete({one: a, two: b}, set(), {}) is not None:
                out.add(((one, a), (two, b)))
    return out


def _complete(cell, wanted, used):
    """Fills a part of a cell dimension by dimension, each time with the value that covers most of `wanted` (of several, the one
    whose pairs were `used` least); goes back where the rules leave none. None if there is no such cell."""
    free = [name for name in TABLE if name not in cell]
    if not allowed(cell):
        return None
    if not free:
        return {name: cell[name] for name in TABLE}
    # The dimension with most to cover is chosen first, while there is most freedom.
    name = max(free, key=lambda name: (len(TABLE[name]), -list(TABLE).index(name)))

    def worth(value):
        pairs = [_pair(name, value, other, chosen) for other, chosen in cell.items()]
        return -sum(pair in wanted for pair in pairs), sum(used.get(pair, 0) for pair in pairs), TABLE[name].index(value)
    for value in sorted(TABLE[name], key=worth):
        done = _complete({**cell, name: value}, wanted, used)
        if done is not None:
            return done
    return None


def _pair(one, a, two, b):
    first = list(TABLE).index(one) < list(TABLE).index(two)
    return ((one, a), (two, b)) if first else ((two, b), (one, a))


def pairwise():
    """Cells that together have every possible pair: the greedy way, each begun with a pair not covered yet."""
    left, used, cells = possible(), collections.Counter(), []
    order = {pair: at for at, pair in enumerate(sorted(left, key=str))}
    while left:
        seeds = sorted(left, key=order.get)[:: max(1, len(left) // 12)][:12]
        made = [_complete(dict(seed), left, used) for seed in seeds]
        best = max(made, key=lambda cell: len(pairs_of(cell) & left))
        cells.append(best)
        left -= pairs_of(best)
        used.update(pairs_of(best))
    return cells


def short(cells):
    """The fewest of those cells, greedily, that have every value that any of them has, and every pair of the dimensions CLOSELY:
    for a run in a hurry."""
    def wanted(cell):
        return set(cell.items()) | {pair for pair in pairs_of(cell) if {key for key, _ in pair} <= set(CLOSELY)}
    left, out = set().union(*map(wanted, cells)), []
    while left:
        best = max(cells, key=lambda cell: len(wanted(cell) & left))
        out.append(best)
        left -= wanted(best)
    return out


def name(cell):
    """A cell's name: all its values."""
    families = f"{cell['inner']}in{cell['outer']}"
    return "-".join([cell["peer"], cell["role"][:4], cell["auth"], cell["ike"], cell["group"], "esp", cell["esp"], cell["esn"],
                     cell["pfs"], families, cell["path"], cell["size"], f"{cell['asks']}.asks"])


def coverage(cells):
    """(pairs that the cells have, pairs that are possible)."""
    there = possible()
    return len(set().union(*(pairs_of(cell) for cell in cells)) & there), len(there)


def text(cells):
    """The table, the rules and the cells, for people."""
    lines = [f"{key:6} {', '.join(map(str, values))}" for key, values in TABLE.items()]
    lines += [f"not run: {' '.join(f'{k}={v}' for k, v in rule.values.items())}: {rule.why}" for rule in EXCLUDED]
    covered, there = coverage(cells)
    whole = 1
    for values in TABLE.values():
        whole *= len(values)
    lines.append(f"{len(cells)} cells of {whole}; pairs covered: {covered} of {there}")
    return "\n".join(lines + [f"  {name(cell)}" for cell in cells])


if __name__ == "__main__":
    print(text(pairwise()))
    print("a short run:")
    print(text(short(pairwise())))
