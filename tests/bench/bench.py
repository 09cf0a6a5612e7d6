#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What espgate costs, natively on this machine, each number beside its peer's in the same run; started by tools/bench.

Rows {what, unit, better, espgate, peer, peer_name, ratio, floor, goal, met}: `ratio` is espgate/peer, `floor` what the
same takes with nothing of ours nor the peer's in it, `goal` the ratio that was promised, null where nothing was; `part` as --only
has it, `on` the day, and how busy the machine was by then. With --only the other parts stay as they were measured last.
--write puts the table into docs/performance.md; needs root, and namespaces of its own (unshare -mn).
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

import ike
import throughput
from timing import measured

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = ROOT / "build/release/bin"
DOCUMENT = ROOT / "docs/performance.md"
RESULTS = ROOT / "build/results/perf.json"
SAS = 1_000_000
ROUNDS = 3
PARTS = ("core", "shield", "show", "throughput", "ike", "hooks")


def row(what, unit, espgate, peer, peer_name, floor=None, goal=None, better="lower"):
    """The goal is of the ratio: at most so much where lower is better, at least where higher is."""
    ratio = None if not peer else round(espgate / peer, 3)
    met = None if goal is None or ratio is None else (ratio <= goal if better == "lower" else ratio >= goal)
    return {"what": what, "unit": unit, "better": better, "espgate": espgate, "peer": peer, "peer_name": peer_name,
            "ratio": ratio, "floor": floor, "goal": goal, "met": met}


def plural(sas):
    return "1 SA" if sas == 1 else f"{sas:,} SAs"


def core_rows(core):
    """Of the facts of a packet, which a hook has for nothing, both sides are free."""
    name = "one increment in a hash of as many"
    net = {sas: {key: max(1, ns - found["facts"]) for key, ns in found.items()} for sas, found in core.items()}
    for sas, found in net.items():
        yield row(f"counting core, {plural(int(sas))}", "ns/packet", found["core"], found["one_hash"], name, 0, 2.0)
    few, many = net["1"], net[str(SAS)]
    yield row(f"counting core, its growth from 1 to {SAS:,} SAs", "ns/packet", many["core"] - few["core"],
              many["one_hash"] - few["one_hash"], "the hash's growth", 0, 1.0)
    for sas, found in net.items():
        yield row(f"counting core, {plural(int(sas))} that do not say their slots", "ns/packet", found["core_hash"],
                  found["one_hash"], name, 0)


def shield_among_rows(core):
    """Inbound ESP of one SA of so many after the other. Of the packet's making both sides are free."""
    net = {sas: {key: max(1, found[f"arrivals_{key}"] - found["arrivals"]) for key in ("shield", "hash")} for sas, found in core.items()}
    for sas, found in net.items():
        yield row(f"shield, esp of {plural(int(sas))}", "ns/packet", found["shield"], found["hash"],
                  "one increment in a hash of as many", 0, 2.0 if int(sas) == SAS else None)
    few, many = net["1"], net[str(SAS)]
    yield row(f"shield, its growth from 1 to {SAS:,} SAs", "ns/packet", many["shield"] - few["shield"], many["hash"] - few["hash"],
              "the hash's growth", 0, 1.0)


def shield_rows(shield):
    for name in ("esp", "esp-udp", "unknown-spi", "ike", "plain", "plain IPv6"):
        yield row(f"shield, {name}", "ns/packet", shield[name], shield["one_hash"], "XDP, one hash increment",
                  shield["pass"])


def hook_rows():
    """What tests/bench/hooks.py found in the lab: without what the kernel itself takes to call a program, both sides."""
    subprocess.run([ROOT / "tools/lab", "run", "--out", RESULTS.parent, "--timeout", "900", "--", "python3", "tests/bench/hooks.py"],
                   check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    found = json.loads((RESULTS.parent / "hooks.json").read_text(encoding="utf-8"))
    for hook, took in found["hooks"].items():
        yield row(f"{hook}, emulated {found['machine']}", "ns/run", max(1, took["ours"] - took["empty"]), max(1, took["hash"] - took["empty"]),
                  "one hash increment on the same hook", took["empty"])


def datapath(bpffs):
    subprocess.run("ip link add bench0 type veth peer name bench1 && ip link set bench0 up && ip link set bench1 up",
                   shell=True, check=True)
    out = subprocess.run([BIN / "espgate-bench-datapath", bpffs, "bench0"], check=True, capture_output=True, text=True)
    subprocess.run("ip link del bench0", shell=True, check=True)
    return json.loads(out.stdout)


def show_rows(bpffs):
    """The SAs of half as many children, both directions, without a daemon and with nothing in the kernel."""
    subprocess.run([BIN / "espgate-bench-ledger", bpffs, str(SAS)], check=True)
    espgate = [BIN / "espgate", "--bpffs", bpffs, "--vici", "unix:///nonexistent", "-j", "sa", "show"]
    dump = {name: ["bpftool", "-j", "map", "dump", "pinned", f"{bpffs}/espgate/{name}"] for name in ("sa_dir", "sa_slot")}
    found = measured({"espgate": espgate, **dump}, ROUNDS)
    fast = 0.1  # at least ten times as fast
    yield row(f"espgate -j sa show, {plural(SAS)}", "s", found["espgate"].seconds, found["sa_dir"].seconds,
              "bpftool map dump -j of the same records (sa_dir)", goal=fast)
    yield row(f"espgate -j sa show, {plural(SAS)}, beside less", "s", found["espgate"].seconds, found["sa_slot"].seconds,
              "bpftool map dump -j of as many short entries (sa_slot), without names, reasons and counts")
    yield row("memory of espgate -j sa show, with the maps it has mapped", "MB", found["espgate"].megabytes, found["sa_dir"].megabytes,
              "bpftool, which prints entry by entry")
    memory = json.loads(subprocess.run([BIN / "espgate", "--bpffs", bpffs, "-j", "map", "show"], check=True,
                                       capture_output=True, text=True).stdout)
    for one in memory:
        if int(one["octets"]) > SAS and one["name"] not in {"flows", "shield_sources"}:  # whose size is their own
            yield row(f"memory of the map {one['name']}, {plural(SAS)}, {os.cpu_count()} CPUs", "octets/SA",
                      round(int(one["octets"]) / SAS), None, None)
    shutil.rmtree(f"{bpffs}/espgate")


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="ascii")
                  if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} CPUs, {model}, Linux {platform.release()}"


def number(value):
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}" if value < 100 else f"{value:,.0f}"


def words(one):
    goal = "-" if one["goal"] is None else \
        f"{'at most' if one['better'] == 'lower' else 'at least'} {one['goal']}: {'met' if one['met'] else 'MISSED'}"
    return [one["what"], one["unit"], number(one["espgate"]), number(one["peer"]), one["peer_name"] or "-",
            number(one["ratio"]), number(one["floor"]), goal]


HEAD = ["what", "unit", "espgate", "peer", "who that is", "ratio", "floor", "goal of the ratio"]


def table(rows):
    lines = [HEAD, *map(words, rows)]
    wide = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, wide)).rstrip() for line in lines)


def days(rows):
    """What was measured when: 'core, shield: 2026-11-30, load 1 on 2 CPUs; ...'."""
    parts = {}
    for one in rows:
        parts.setdefault(one["on"], dict())[one["part"]] = None
    return "; ".join(f"{', '.join(names)}: {on}" for on, names in parts.items())


def write(found):
    lines = [f"{found['machine']}. Medians; what is side by side is of one run of `tools/bench`. {days(found['rows'])}.", "",
             f"| {' | '.join(HEAD)} |", "|" + "---|" * len(HEAD)]
    lines += [f"| {' | '.join(words(one))} |" for one in found["rows"]]
    head, rest = DOCUMENT.read_text(encoding="utf-8").split("<!-- table -->\n")
    _, tail = rest.split("<!-- end -->")
    DOCUMENT.write_text(head + "<!-- table -->\n" + "\n".join(lines) + "\n<!-- end -->" + tail, encoding="utf-8")


def tagged(part, rows):
    """`rows` is a generator: the load is that after the work."""
    rows = list(rows)
    on = f"{datetime.date.today()}, load {os.getloadavg()[1]:.0f} on {os.cpu_count()} CPUs"
    return [one | {"part": part, "on": on} for one in rows]


def run(only):
    rows = tagged("hooks", hook_rows()) if "hooks" in only else []
    with tempfile.TemporaryDirectory() as bpffs:
        subprocess.run(["mount", "-t", "bpf", "bpf", bpffs], check=True)
        try:
            if only & {"core", "shield"}:
                numbers = datapath(bpffs)
                rows += tagged("core", core_rows(numbers["core"]))
                rows += tagged("shield", [*shield_among_rows(numbers["core"]), *shield_rows(numbers["shield"])])
            if "show" in only:
                rows += tagged("show", show_rows(bpffs))
            if "throughput" in only:
                rows += tagged("throughput", (row(*each) for each in throughput.rows(BIN, bpffs)))
            if "ike" in only:
                rows += tagged("ike", (row(*each) for each in ike.rows(BIN, bpffs)))
        finally:
            subprocess.run(["umount", bpffs], check=True)
    return {"machine": machine(), "rows": in_order(rows + kept(rows))}


def kept(rows):
    """Of parts that were not measured now, what was found last on this machine."""
    now = {one["part"] for one in rows}
    if not RESULTS.exists():
        return []
    last = json.loads(RESULTS.read_text(encoding="utf-8"))
    return [one for one in last["rows"] if one.get("part") in set(PARTS) - now] if last["machine"] == machine() else []


def in_order(rows):
    return sorted(rows, key=lambda one: PARTS.index(one["part"]))


def main():
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="rows, for programs")
    parser.add_argument("--only", default=",".join(PARTS), help=f"a part: {', '.join(PARTS)}")
    parser.add_argument("--write", action="store_true", help="the table goes into docs/performance.md")
    parser.add_argument("--render", action="store_true", help="no run: what build/results/perf.json has")
    arguments = parser.parse_args()
    found = json.loads(RESULTS.read_text(encoding="utf-8")) if arguments.render else run(set(arguments.only.split(",")))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1), encoding="utf-8")
    if arguments.write:
        write(found)
    print(json.dumps(found["rows"], indent=1) if arguments.json else f"{found['machine']}\n{table(found['rows'])}")
    return 1 if any(one["met"] is False for one in found["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
