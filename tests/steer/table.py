#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs espgate-steer-sim over the traces of docs/steering.md and puts the numbers there, between its markers.

Usage: tests/steer/table.py [--render] [PROGRAM]; --render: no run, what build/results/steering has.
Writes build/results/steering/NAME.json (the program's own) and build/results/steering.json (what was promised, and whether
it holds); exit 1 if it does not. PROGRAM: build/release/bin/espgate-steer-sim. Takes some twenty minutes and one core.
"""
import json
import pathlib
import re
import subprocess
import sys

import hard

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs/steering.md"
RESULTS = ROOT / "build/results"
LARGE = ["--sas", "1000000", "--slots", "10000", "--rounds", "600"]
RUNS = {
    f"{kind}-{alpha}": ["--generate", kind, "--alpha", alpha, *LARGE]
    for kind in ("churn", "diurnal", "storm") for alpha in ("1.0", "1.2")
}
RUNS["adversary"] = ["--generate", "adversary", "--sas", "40000", "--slots", "10000", "--rounds", "1600", "--no-optimum"]
RUNS["bench"] = ["--bench"]


def run(program):
    (RESULTS / "steering").mkdir(parents=True, exist_ok=True)
    for name, words in RUNS.items():
        print(name, "...", file=sys.stderr, flush=True)
        out = subprocess.run([program, *words, "--json"], check=True, capture_output=True, text=True).stdout
        (RESULTS / "steering" / f"{name}.json").write_text(out, encoding="utf-8")


def run_hard(program):
    rows = {}
    for name in hard.TRACES:
        out = subprocess.run([program, "--trace", "-", "--slots", "200", "--json"], check=True, capture_output=True,
                             text=True, input="".join(hard.lines(name))).stdout
        rows[name] = json.loads(out)
    (RESULTS / "steering" / "hard.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")


def load():
    paths = {name: RESULTS / "steering" / f"{name}.json" for name in RUNS}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()}


def percent(ratio):
    return "-" if ratio is None else f"{100 * ratio:.1f} %"


def shares(found):
    yield ("| trace | in hardware: Steer | first come first served | top-k of the last interval | of the optimum | of the one "
           "that places newcomers, too |")
    yield "|---|---|---|---|---|---|"
    for one in found.values():
        if one["ratio_to_optimum"] is None:
            continue
        base = one["baselines"]
        yield (f"| {one['trace']} | {percent(one['share'])} | {percent(base['fcfs']['share'])} "
               f"| {percent(base['topk_no_hysteresis']['share'])} | {percent(one['ratio_to_optimum'])} "
               f"| {percent(one['ratio_to_free_optimum'])} |")


def moves(found):
    yield "| trace | moves an interval, at most (budget) | on average | top-k of the last interval: at most | on average |"
    yield "|---|---|---|---|---|"
    for name, one in found.items():
        if name == "bench":
            continue
        top = one["baselines"]["topk_no_hysteresis"]
        yield (f"| {one['trace']} | {one['max_moves_per_interval']} ({one['budget']}) | {one['moves'] / one['rounds']:.1f} "
               f"| {top['max_moves_per_interval']} | {top['moves'] / one['rounds']:.1f} |")


def adversary(found):
    one = found["adversary"]
    yield (f"{one['sas']} SAs, {one['slots']} slots, {one['rounds']} intervals: {percent(one['ratio_to_best_static'])} of the "
           f"best static set, {one['max_moves_per_interval']} moves an interval at most (budget {one['budget']}), "
           f"{one['moves'] / one['rounds']:.1f} on average. First come first served has "
           f"{percent(one['baselines']['fcfs']['share'])} of all octets in hardware, Steer {percent(one['share'])}.")


def cost(found):
    one = found["bench"]
    yield (f"{one['sas']} SAs in all, 1000000 at a time, {one['slots']} slots, {one['rounds']} rounds: "
           f"{one['round_ms_median']:.1f} ms (median), {one['round_ms_p99']:.1f} ms (99th percentile), "
           f"{one['round_ms_max']:.1f} ms (most).")


def hard_ones(rows):
    yield ("| trace (200 slots, budget 2) | in hardware: Steer | first come first served | of the optimum | of the one that "
           "places newcomers, too | of the best static set |")
    yield "|---|---|---|---|---|---|"
    for name, one in rows.items():
        yield (f"| {name} | {percent(one['share'])} | {percent(one['baselines']['fcfs']['share'])} "
               f"| {percent(one['ratio_to_optimum'])} | {percent(one['ratio_to_free_optimum'])} "
               f"| {percent(one['ratio_to_best_static'])} |")


def promises(found):
    for name, one in found.items():
        small = one["max_moves_per_interval"] <= one["slots"] / 100
        yield name + "-budget", "at most 1 % of the slots", one["max_moves_per_interval"], small
        if one["ratio_to_optimum"] is not None:
            yield name + "-optimum", "at least 0.95", one["ratio_to_optimum"], one["ratio_to_optimum"] >= 0.95
    ratio = found["adversary"]["ratio_to_best_static"]
    yield "adversary-static", "at least 0.95", ratio, ratio >= 0.95
    yield "round-cost", "below 100 ms", found["bench"]["round_ms_p99"], found["bench"]["round_ms_p99"] < 100


def put(text, name, lines):
    new = f"<!-- {name}: begin -->\n" + "\n".join(lines) + f"\n<!-- {name}: end -->"
    return re.sub(rf"<!-- {name}: begin -->\n.*?<!-- {name}: end -->", lambda _: new, text, flags=re.S)


def main():
    words = [word for word in sys.argv[1:] if word != "--render"]
    program = words[0] if words else str(ROOT / "build/release/bin/espgate-steer-sim")
    if "--render" not in sys.argv:
        run(program)
        run_hard(program)
    found = load()
    text = DOCUMENT.read_text(encoding="utf-8")
    for part in (shares, moves, adversary, cost):
        text = put(text, part.__name__, part(found))
    unkind = RESULTS / "steering" / "hard.json"
    if unkind.exists():
        text = put(text, "hard_ones", hard_ones(json.loads(unkind.read_text(encoding="utf-8"))))
    DOCUMENT.write_text(text, encoding="utf-8")
    rows = [{"id": f"steering-{name}", "expected": wanted, "actual": actual, "pass": good, "skipped_reason": None}
            for name, wanted, actual, good in promises(found)]
    (RESULTS / "steering.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        if not row["pass"]:
            print(f"{row['id']}: expected {row['expected']}, found {row['actual']}", file=sys.stderr)
    return 0 if all(row["pass"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
