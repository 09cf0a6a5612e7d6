#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do espgated's counts agree with every oracle, with GRO and GSO on and off, when the NIC skips, and when it drops?

tools/lab run --out DIR -- python3 tests/lab/gateway_accounting.py; rows in DIR/gateway_accounting.json. Two children against
strongSwan: one in hardware, one whose suite the NIC refuses. Counts are never reset: what holds of the sums holds of
each cell. Every cell proves its own precondition (batches seen or not, hardware and software used as it should).
"""
import sys
from dataclasses import dataclass

from demo import CBC, GCM, child, configs
from scenario import counters, daemon, hosts, identities, traffic
from scenario.exchange import Exchange
from scenario.results import run_scenario
from scenario.shell import Failed, ip_json, ns

NUMBER = {"demo/hw": 1, "demo/sw": 2}
CHILDREN = {"hw": child(1, GCM, "auto"), "sw": child(2, CBC, "auto")}
# Packets that a NIC skips go through asynchronous software crypto, and a burst of those it decrypted overtakes them by
# more than 128; without GRO the peer's end has lost a dozen the same way. That is the stack's own loss
# (XfrmInStateSeqError), which this scenario is not about: both ends look back 1024.
for end in CHILDREN["hw"]:
    end["replay_window"] = 1024
OCTETS = 1_000_000  # of TCP, each way
PATHS = ("hw", "sw")


@dataclass
class Snapshot:
    rows: dict
    peer: dict
    nic: dict


@dataclass
class Received:
    """IP packets that the gateway's stack received: on the wire, and after GRO merged them."""
    segments: int
    merged: int


def received(process):
    """From the files of a process in the gateway's namespace: costs no process."""
    values = {}
    for name in ("snmp", "netstat"):
        lines = [line.split() for line in open(f"/proc/{process.pid}/net/{name}", encoding="ascii")]
        for names, numbers in zip(lines[::2], lines[1::2]):
            values.update({names[0] + key: int(number) for key, number in zip(names[1:], numbers[1:])})
    marks = ("NoECT", "ECT1", "ECT0", "CE")
    return Received(sum(values[f"IpExt:In{mark}Pkts"] for mark in marks), values["Ip:InReceives"])


def packets(row, side, path):
    return int(row[side][path]["packets"])


def both_paths(row, side):
    return sum(packets(row, side, path) for path in PATHS)


class Cells:
    """One gateway, one peer; cells one after the other."""

    def __init__(self, results, gateway, exchange):
        self.results, self.gateway, self.exchange = results, gateway, exchange
        self.segments = ip_json(hosts.GW, "-d", "link", "show", "simnic0")[0]["gso_max_segs"]
        self.before = self.snapshot()

    def snapshot(self):
        traffic.quiesce()
        return Snapshot(self.gateway.children(), counters.kernel_sas(hosts.PEER), counters.nic_sas())

    def device(self, gro, gso):
        """`gso off` does nothing for TCP, which needs no feature for it; batches of one segment do."""
        traffic.gro(hosts.GW, "simnic0", gro)
        ns(hosts.GW, "ip", "link", "set", "simnic0", "gso_max_segs", self.segments if gso else 1)

    def identities(self, cell, label, after):
        self.results.checks(cell, identities.check_child(label, after.rows[label], after.peer, after.nic))
        row = after.rows[label]
        self.results.holds(f"{cell}: {label}: both directions are exact", row["in"]["exact"] and row["out"]["exact"])

    def used(self, cell, label, after, expected):
        """expected: {"in": paths, "out": paths} that this cell's packets took, and no other."""
        was, now = self.before.rows[label], after.rows[label]
        for side, paths in expected.items():
            taken = {path: packets(now, side, path) - packets(was, side, path) for path in PATHS}
            self.results.add(f"{cell}: {label} {side}: runs in {'+'.join(paths)}", "+".join(paths),
                             " + ".join(f"{taken[path]} {path}" for path in PATHS),
                             {path for path in PATHS if taken[path]} == set(paths))

    def batches(self, cell, label, after, expected):
        """A batch is one packet to the sender's GETSA and its segments to the counters."""
        was, now = self.before.rows[label], after.rows[label]
        on_wire = both_paths(now, "out") - both_paths(was, "out")
        given = int(now["out"]["kernel"]["packets"]) - int(was["out"]["kernel"]["packets"])
        self.results.add(f"{cell}: {label}: GSO {'seen' if expected else 'not seen'}", expected,
                         f"{given} packets of the stack, {on_wire} on the wire", (given < on_wire) == expected)

    def merged(self, cell, label, begin, end, expected):
        segments, merged = end.segments - begin.segments, end.merged - begin.merged
        self.results.add(f"{cell}: {label}: GRO {'seen' if expected else 'not seen'}", expected,
                         f"{segments} IP packets came as {merged}", (merged < segments) == expected)

    def matrix(self, gro, gso):
        cell = f"gro={'on' if gro else 'off'},gso={'on' if gso else 'off'}"
        self.results.section(cell)
        self.device(gro, gso)
        seen = {}
        for label, number in NUMBER.items():
            begin = received(self.gateway.process)
            self.exchange.carry(number, "ping=20x56", f"both={OCTETS}")
            seen[label] = begin, received(self.gateway.process)
        after = self.snapshot()
        for label in NUMBER:
            self.used(cell, label, after, {side: (label[-2:],) for side in ("in", "out")})
            self.batches(cell, label, after, gso)
            self.merged(cell, label, *seen[label], gro)
            self.identities(cell, label, after)
        self.before = after

    def skipping(self, gro):
        """Every third packet of a bulk flow is left to software: both kinds in one SA, and in one GRO batch."""
        cell = f"rx_skip=3,gro={'on' if gro else 'off'}"
        self.results.section(cell)
        self.device(gro, True)
        fault("rx_skip=3")
        begin = received(self.gateway.process)
        self.exchange.carry(1, f"both={OCTETS}")
        end = received(self.gateway.process)
        after = self.snapshot()
        fault("none")
        self.used(cell, "demo/hw", after, {"in": ("hw", "sw"), "out": ("hw",)})
        self.merged(cell, "demo/hw", begin, end, gro)
        was, now = self.before.rows["demo/hw"], after.rows["demo/hw"]
        skipped = counters.nic_counters()["fault_rx_skipped"]
        self.results.equal(f"{cell}: demo/hw in: sw = packets that the NIC skipped",
                           packets(now, "in", "sw") - packets(was, "in", "sw"), skipped - self.skipped)
        self.skipped = skipped
        self.results.equal(f"{cell}: demo/hw in: effective", now["in"]["offload"]["effective"], "mixed")
        self.identities(cell, "demo/hw", after)
        self.before = after

    skipped = 0

    def dropping(self):
        """What the NIC took and lost was encrypted and numbered: it counts here, and not at the peer."""
        cell = "tx_drop=50"
        self.results.section(cell)
        self.device(True, True)
        fault("tx_drop=50")
        self.exchange.carry(1, "both=400000")
        after = self.snapshot()
        lost = counters.nic_counters()["fault_tx_dropped"]
        fault("none")
        self.results.more(f"{cell}: the NIC dropped packets", lost)
        was, now = self.before.rows["demo/hw"], after.rows["demo/hw"]
        spi = now["out"]["spi"]
        sent = both_paths(now, "out") - both_paths(was, "out")
        self.used(cell, "demo/hw", after, {"in": ("hw",), "out": ("hw",)})
        arrived = after.peer[spi]["packets"] - self.before.peer[spi]["packets"]
        self.results.equal(f"{cell}: out hw + sw - the peer's inbound GETSA = dropped by the NIC", sent - arrived, lost)
        put = after.nic[("out", spi)]["packets"] - self.before.nic[("out", spi)]["packets"]
        self.results.equal(f"{cell}: out hw + sw - put on the wire by the NIC = dropped by it", sent - put, lost)
        for check in identities.check_child("demo/hw", now, after.peer, after.nic):
            if " in: " in check.what:
                self.results.checks(cell, [check])
        self.before = after


def in_bursts():
    """The router hands the gateway its packets in bursts, as a busy wire does: else GRO may find nothing to merge."""
    ns(hosts.WIRE, "tc", "qdisc", "add", "dev", "simnic1", "root", "netem", "slot", "2ms", "limit", 10000)


def fault(words):
    with open(f"{counters.SIMNIC}/simnic0/fault", "w", encoding="ascii") as knob:
        knob.write(words + "\n")


def scenario(directory, results):
    hosts.build()
    in_bursts()
    ours, theirs = configs(CHILDREN)
    charon = daemon.Charon(f"{directory}/peer").start(theirs)
    gateway = daemon.Gateway(f"{directory}/gw").start(ours)
    try:
        for label in NUMBER:
            gateway.cli("conn", "up", label)
        with Exchange() as exchange:
            cells = Cells(results, gateway, exchange)
            for gro in (True, False):
                for gso in (True, False):
                    cells.matrix(gro, gso)
            for gro in (True, False):
                cells.skipping(gro)
            cells.dropping()
        print(gateway.cli("sa", "show", "kernel").stdout)
        results.equal("replay and integrity errors of the peer", [sa["replay"] + sa["integrity"]
                      for sa in counters.kernel_sas(hosts.PEER).values()], [0] * len(counters.kernel_sas(hosts.PEER)))
        results.equal("the gateway's /proc/net/xfrm_stat", counters.stack_errors(hosts.GW), {})
        results.equal("the peer's /proc/net/xfrm_stat", counters.stack_errors(hosts.PEER), {})
        results.equal("espgated stops cleanly", gateway.stop(), 0)
    except Failed:
        print("espgated's log:\n" + gateway.log() + "\ncharon's log:\n" + charon.log()[-6000:])
        raise
    finally:
        gateway.stop()
        charon.stop()
        hosts.destroy()


if __name__ == "__main__":
    sys.exit(run_scenario("gateway_accounting", scenario))
