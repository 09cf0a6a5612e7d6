#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Twenty minutes of whatever goes wrong, at random and under traffic: espgated killed and started, link flaps, SAs and policies flushed,
single SAs deleted, reloads, rekeys, refusals of the device. After each: every SA that is installed is known, every one that is
known is installed, no policy is without an owner, counters never fall, and nothing was in the clear but while somebody else had
flushed the policies.

tools/lab run --out DIR -- python3 tests/lab/gateway_soak.py; rows in DIR/soak.json. ESPGATE_MINUTES (20), ESPGATE_SEED (1).
"""
import os
import random
import re
import signal
import sys
import time
from collections import Counter

from demo import CBC, GCM, child, configs
from scenario import counters, daemon, hosts
from scenario.footprint import LARVAL_SPI
from scenario.marked import Marked, WholeCapture, found
from scenario.results import run_scenario
from scenario.shell import Failed, ns, run, wait_for

MINUTES = float(os.environ.get("ESPGATE_MINUTES", 20))
SEED = int(os.environ.get("ESPGATE_SEED", 1))
FAULT = "/sys/kernel/debug/simnic/simnic0/fault"
NAMES = ("hw", "sw", "six", "trap")
WINDOW = 2.0  # seconds from a policy flush on, within which packets may be in the clear
SETTLE = 60


def children(pfs=False):
    out = {"hw": child(1, GCM, "auto"), "sw": child(2, CBC, "no"), "six": child(3, GCM, "auto"), "trap": child(4, GCM, "auto")}
    for name in ("hw", "sw", "six"):
        out[name][0]["start_action"] = "start"
    out["trap"][0]["start_action"] = "trap"
    out["six"][0].update(local_ts=hosts.network(1, 3, 6), remote_ts=hosts.network(2, 3, 6))
    out["six"][1].update(local_ts=hosts.network(2, 3, 6), remote_ts=hosts.network(1, 3, 6))
    for ours, theirs in out.values():
        theirs["esp_proposals"] = f"{ours['esp_proposals']},{ours['esp_proposals']}-x25519"
        ours["rekey_time"] = "90s"
        if pfs:
            ours["esp_proposals"] += "-x25519"
    return out


def series(text):
    """Counters per child of the Prometheus text: {series: value}."""
    return {name: float(value) for name, value in re.findall(r"(?m)^(espgate_child_\w+_total\{[^}]*\}) (\S+)$", text)}


class Soak:
    def __init__(self, directory, results):
        self.results, self.numbers = results, random.Random(SEED)
        self.peer = daemon.Charon(f"{directory}/peer").start(configs(children())[1])
        self.gateway = daemon.Gateway(f"{directory}/gw")
        self.gateway.patience = 120
        self.pfs = False
        self.totals, self.windows, self.done = {}, [], {}
        self.marked = Marked({name: (hosts.inner(1, number, 6 if name == "six" else 4), hosts.inner(2, number, 6 if name == "six" else 4))
                              for number, name in enumerate(NAMES, 1)})

    def config(self):
        return "gateway {\n  on_stop = keep\n  retransmit_timeout = 0.5\n}\n" + configs(children(self.pfs))[0]

    # -------------------------------------------------------------------------------------------- what goes wrong
    def kill(self):
        self.gateway.stop(signal.SIGKILL)
        time.sleep(self.numbers.choice((0, 0.5, 3)))
        self.gateway.start()

    def restart(self):
        self.gateway.stop()
        self.gateway.start()

    def flap(self):
        routes = {family: [re.sub("(metric|pref) .*", "", line).strip() for line in
                           ns(hosts.GW, "ip", family, "route", "show", "dev", "simnic0").stdout.splitlines()
                           if " proto kernel" not in line and "via" in line] for family in ("-4", "-6")}
        run("ip", "-n", hosts.GW, "link", "set", "simnic0", "down")
        time.sleep(self.numbers.choice((0, 0.3, 2)))
        run("ip", "-n", hosts.GW, "link", "set", "simnic0", "up")
        run("ip", "-n", hosts.GW, "address", "replace", f"{hosts.GW_ADDRESS[6]}/64", "dev", "simnic0", "nodad", ok=False)
        for family, lines in routes.items():
            run("ip", "-n", hosts.GW, family, "-batch", "-", stdin="".join(f"route replace {line} dev simnic0\n" for line in lines))

    def state_flush(self):
        run("ip", "-n", hosts.GW, "xfrm", "state", "flush")

    def policy_flush(self):
        begin = time.time()
        run("ip", "-n", hosts.GW, "xfrm", "policy", "flush")
        self.windows.append((begin, begin + WINDOW))

    def delete_one(self):
        held = [(spi, sa) for spi, sa in counters.kernel_sas(hosts.GW).items() if spi != LARVAL_SPI]
        if held:
            spi, sa = self.numbers.choice(held)
            run("ip", "-n", hosts.GW, "xfrm", "state", "delete", "src", sa["src"], "dst", sa["dst"], "proto", "esp", "spi", f"0x{spi}", ok=False)

    def reload(self):
        self.pfs = not self.pfs
        self.gateway.write_config(self.config())
        self.gateway.cli("conn", "reload")

    def rekey(self):
        self.gateway.cli("conn", "rekey", self.numbers.choice(("demo", "demo/hw", "demo/sw")), ok=False)

    def refuse(self):
        with open(FAULT, "w", encoding="ascii") as file:
            file.write(self.numbers.choice(("add_errno=28\n", "accept_silent\n", "add_delay=300\n", "none\n", "none\n")))

    # ------------------------------------------------------------------------------------------------- invariants
    def sas_agree(self):
        """None if what is installed is what is known, else what is odd."""
        done = self.gateway.cli("-j", "sa", "show", ok=False)
        if done.returncode != 0:
            return "no answer"
        known = {row[side]["spi"] for row in self.gateway.json("sa", "show") for side in ("in", "out") if row[side]}
        there = set(counters.kernel_sas(hosts.GW)) - {LARVAL_SPI}
        up = {row["child"] for row in self.gateway.json("conn", "show") if row["state"] == "up"}
        if known != there:
            return {"known, not installed": sorted(known - there), "installed, not known": sorted(there - known)}
        return None if set(NAMES) <= up else {"down": sorted(set(NAMES) - up)}

    def policies_owned(self):
        """None if the kernel's policies are those of `policy show`, one by one, and each that asks for ESP is a trap or has SAs."""
        def sight(row):
            return row["dir"], " ".join(row["selector"].split()[:3]), row["priority"], row["action"], row["esp"] or ""
        kernel, listed = counters.policy_rows(hosts.GW), self.gateway.json("policy", "show")
        there, known = Counter(map(sight, kernel)), Counter(map(sight, listed))
        if there != known or not kernel:
            return {"without an owner": list(there - known), "listed, not there": list(known - there)}
        traps = {sight(row) for row in listed if row["layer"] == "trap"}
        live = counters.reqids(hosts.GW)
        alone = [row for row in kernel if row["esp"] and row["reqid"] not in live and sight(row) not in traps]
        return {"with the reqid of no SA": alone} if alone else None

    def settles(self, what):
        last = {}

        def settled():
            last["SAs"] = self.sas_agree()
            last["policies"] = self.policies_owned() if last["SAs"] is None else "not looked at"
            return last["SAs"] is None and last["policies"] is None
        try:
            wait_for("it to settle", settled, SETTLE)
        except Failed:
            pass
        if last["SAs"] is not None or last["policies"] is not None:
            self.results.add(f"after {what}: SAs and policies", "known and installed alike", last, False)
        now = series(self.gateway.cli("export", "prometheus").stdout)
        fell = [f"{name}: {value} -> {now.get(name)}" for name, value in self.totals.items() if now.get(name, -1) < value]
        if fell:
            self.results.add(f"after {what}: counters that fell or vanished", [], fell, False)
        self.totals = now

    def play(self):
        self.gateway.start(self.config())
        self.marked.on.update(NAMES)
        self.settles("the start")
        weights = {self.kill: 5, self.restart: 2, self.flap: 4, self.state_flush: 2, self.policy_flush: 1, self.delete_one: 3,
                   self.reload: 2, self.rekey: 4, self.refuse: 3}
        end = time.monotonic() + MINUTES * 60
        while time.monotonic() < end:
            # Most come together with another one.
            steps = self.numbers.choices(list(weights), list(weights.values()), k=self.numbers.choice((1, 2, 2, 3)))
            names = ", ".join(step.__name__ for step in steps)
            for step in steps:
                self.done[step.__name__] = self.done.get(step.__name__, 0) + 1
                step()
                time.sleep(self.numbers.choice((0, 0.1, 1)))
            self.settles(names)
            print(f"  {time.monotonic() - self.results.started:.0f} s: {names}", flush=True)
        for step in weights:
            self.results.more(f"done: {step.__name__}", self.done.get(step.__name__, 0) if MINUTES >= 5 else 1)
        self.results.holds("SAs, policies and counters agreed after each", all(row["pass"] for row in self.results.rows))
        self.results.equal("stops cleanly", self.gateway.stop(), 0)

    def judge(self, capture):
        self.results.equal("capture: packets dropped", capture.dropped, 0)
        clear = [(name, round(at, 2)) for name, at, _ in found(capture.path)]
        outside = [each for each in clear if not any(begin <= each[1] <= end for begin, end in self.windows)]
        self.results.add("in the clear, but within 2 s of a flush of the policies", [], outside[:20], not outside)
        print(f"  {len(clear)} packets in the clear in {len(self.windows)} such windows", flush=True)
        self.results.more("packets sent by each child", min(self.marked.sent.values()), 500)


def scenario(directory, results):
    hosts.build()
    soak = Soak(directory, results)
    capture = WholeCapture(f"{directory}/wire.pcap")
    try:
        with capture, soak.marked:
            soak.play()
            soak.marked.on.clear()
        soak.judge(capture)
    except Failed as failure:
        results.holds("the scenario runs to its end", False, str(failure))
    finally:
        if any(not row["pass"] for row in results.rows):
            print("espgated's log:\n" + soak.gateway.log()[-20000:] + "\ncharon's log:\n" + soak.peer.log()[-3000:])
        soak.gateway.stop()
        soak.peer.stop()
        hosts.destroy()


if __name__ == "__main__":
    sys.exit(run_scenario("soak", scenario))
