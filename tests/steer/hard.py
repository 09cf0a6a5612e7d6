# SPDX-License-Identifier: Apache-2.0
"""Traces that are not kind, as lines t,sa,bytes: what an operator, or a doubter, might try. All by seed, 200 slots in mind."""
import random


def zipf(sas, rounds, dice, churn=0.0, noise=0.5, anew=0, duty=1.0):
    """Shuffled Zipf rates (alpha 1); each interval a share `churn` is replaced; all dealt anew every `anew` intervals;
    with `duty` an SA sends in that share of the intervals only."""
    rates = [1e6 / (i + 1) for i in range(sas)]
    dice.shuffle(rates)
    names, fresh = list(range(sas)), sas
    for t in range(rounds):
        if anew and t and t % anew == 0:
            dice.shuffle(rates)
        for _ in range(int(churn * sas)):
            one, other = dice.randrange(sas), dice.randrange(sas)
            names[one], fresh = fresh, fresh + 1
            rates[one], rates[other] = rates[other], rates[one]
        for i in range(sas):
            if duty == 1.0 or dice.random() < duty or t in (0, rounds - 1):
                yield t, names[i], int(rates[i] * (dice.lognormvariate(0, noise) if noise else 1))


def turns(groups, length, rounds, dice, size=200):
    """Groups as large as the device send by turns; they were installed mixed."""
    sas = [(group, i) for group in range(groups) for i in range(size)]
    dice.shuffle(sas)
    for t in range(rounds):
        for group, i in sas:
            on = group == t // length % groups
            if on or t in (0, rounds - 1):
                yield t, f"{group}/{i}", 1000 if on else 1


def by_chance(sas, rounds, dice):
    """Equal means, and each interval another amount."""
    for t in range(rounds):
        for i in range(sas):
            yield t, i, dice.randrange(1, 2000)


def elephant(sas, rounds, _dice):
    """One carries nearly all, and was installed when the device was full."""
    for t in range(rounds):
        for i in range(sas):
            yield t, i, 10**9 if i == sas - 1 else 1000


TRACES = {
    "Zipf, shuffled": lambda dice: zipf(5000, 200, dice),
    "bursts: each SA silent in nine intervals of ten": lambda dice: zipf(3000, 300, dice, duty=0.1, noise=0),
    "churn of 1 % an interval": lambda dice: zipf(5000, 200, dice, churn=0.01),
    "churn of 5 % an interval": lambda dice: zipf(5000, 200, dice, churn=0.05),
    "all rates dealt anew every 100 intervals": lambda dice: zipf(3000, 400, dice, anew=100),
    "equal means, noise alone": lambda dice: by_chance(1000, 200, dice),
    "one elephant": lambda dice: elephant(1000, 200, dice),
    "two groups, turns of 10": lambda dice: turns(2, 10, 600, dice),
    "two groups, turns of 50": lambda dice: turns(2, 50, 600, dice),
    "two groups, turns of 100": lambda dice: turns(2, 100, 600, dice),
    "two groups, turns of 150": lambda dice: turns(2, 150, 1200, dice),
    "five groups, turns of 10": lambda dice: turns(5, 10, 600, dice),
    "five groups, turns of 20": lambda dice: turns(5, 20, 600, dice),
    "four groups, turns of 60": lambda dice: turns(4, 60, 1200, dice),
}


def lines(name):
    for t, sa, octets in TRACES[name](random.Random(name)):
        yield f"{t},{sa},{octets}\n"
