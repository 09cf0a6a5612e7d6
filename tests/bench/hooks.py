#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What each of our programs costs on its hook in the kernel, by the kernel's own run times, beside an empty program and one hash
increment on the same hook, for the same packets.

tools/lab run --out build/results -- python3 tests/bench/hooks.py; tools/bench does so, and has the table. To hooks.json there:
{"machine", "hooks": {"receive, crypto mode": {"ours": ns, "empty": ns, "hash": ns}, ...}}, medians of rounds. Tracing and tc have all
three at once; a device has one XDP program, so there they take turns.
"""
import json
import pathlib
import platform
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

from scenario.accounting_bench import NAMES, NICS, Bench, Setup  # noqa: E402
from scenario.ledger import BPFFS  # noqa: E402
from scenario.shell import ns  # noqa: E402

ROUNDS = 3
TRAFFIC = ("ping=100x1000", "both=1500000")
HOOKS = ("arrive", "accept", "receive", "transmit", "transmit_hit", "tc_ingress", "tc_egress")
SIDE = 2  # whose device is looked at
WAYS = ("ours", "empty", "hash")


class Beside:
    """The programs beside ours."""

    def __init__(self):
        command = ["nsenter", f"--net=/run/netns/{NAMES[SIDE]}", "--", "espgate-bench-hooks", NICS[SIDE]]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def ask(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        return list(iter(lambda: self.process.stdout.readline().strip(), "ok"))

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


def times(beside):
    """{(hook, way): (runs, nanoseconds)} so far."""
    out = {}
    for line in beside.ask("show"):
        name, runs, spent = line.split()
        way, hook = name.split("_", 1)
        out[hook, way] = (int(runs), int(spent))
    shown = ns(NAMES[SIDE], "espgate", "--bpffs", BPFFS, "-j", "prog", "show").stdout  # devices have their names there alone
    for one in json.loads(shown):
        if one["type"] == "tracing" or any(NICS[SIDE] in place for place in one["attached"]):
            out[one["name"], "ours"] = (int(one["run_count"]), int(one["run_ns"]))
    return out


def round_of(bench, setup, beside):
    """Nanoseconds a run, of what ran."""
    before = times(beside)
    bench.carry(setup, *TRAFFIC)
    after = times(beside)
    out = {}
    for key, (runs, spent) in after.items():
        ran, took = runs - before.get(key, (0, 0))[0], spent - before.get(key, (0, 0))[1]
        if ran > 0:
            out[key] = took / ran
    return out


def shield(bench, beside, way):
    """Which of the three is on the device."""
    if way == "ours":
        beside.ask("xdp", "none")
        bench.ledger.ask(NAMES[SIDE], "device", NICS[SIDE], "native")
    else:
        bench.ledger.ask(NAMES[SIDE], "device", NICS[SIDE], "off")
        beside.ask("xdp", way)


def measure(bench, beside, setup):
    found = {(hook, way): [] for hook in (*HOOKS, "shield") for way in WAYS}
    for _ in range(ROUNDS):
        for way in WAYS:
            shield(bench, beside, way)
            took = round_of(bench, setup, beside)
            found["shield", way].append(took["shield", way])
            if way == "ours":  # as in a gateway: without ours, tc does XDP's work, too
                for hook in HOOKS:
                    for each in WAYS:
                        found[hook, each].append(took[hook, each])
    shield(bench, beside, "ours")
    return {hook: {way: round(statistics.median(found[hook, way])) for way in WAYS} for hook in (*HOOKS, "shield")}


def main():
    bench = Bench()
    beside = Beside()
    hooks = {}
    for how, words in (("crypto", "crypto mode"), ("software", "software")):
        setup = Setup(family=4, mode="tunnel", how=(how, how), wanted="auto" if how == "crypto" else "no")
        bench.install(setup)
        bench.register(setup)
        bench.carry(setup, "ping=20x100")
        hooks |= {f"{hook}, {words}": took for hook, took in measure(bench, beside, setup).items()}
    beside.close()
    bench.close()
    out = pathlib.Path("/run/lab/out")
    found = {"machine": f"Linux {platform.release()}", "hooks": hooks}
    if out.is_dir():
        (out / "hooks.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
