#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""espgated killed, started again, started twice, without rights, reloaded and stopped: what stays, what goes, what it says.

tools/lab run --out DIR -- python3 tests/lab/gateway_life.py; rows in DIR/life.json. In one boot, against strongSwan: a
child that is up (1), and one that never is (4), whose traffic must not leave in the clear at any time.
"""
import os
import re
import signal
import socket
import sys
import time

from demo import GCM, child, configs
from scenario import counters, daemon, hosts, identities, traffic
from scenario.exchange import Exchange
from scenario.footprint import add_foreign, floor_of, footprint, foreign, pins
from scenario.results import run_scenario
from scenario.shell import Failed, ns, ns_start, run, wait_for

UP, IDLE, UNCOVERED = 1, 4, 9  # child numbers; nothing of the configuration covers the last
CHILDREN = {"hw": child(UP, GCM, "auto"), "idle": child(IDLE, GCM, "auto")}
FLOOR = ["fwd", "in", "out"]
BROKEN = "connections {\n  demo {\n    version = 2\n    local_adrs = 198.51.100.1\n  }\n}\n"


def sentences(process):
    return [line for line in (process.stdout + process.stderr).splitlines() if line.strip()]


def series(text):
    """Counters of the Prometheus text: {series: value}."""
    return {name: float(value) for name, value in re.findall(r"(?m)^(espgate_\w+_total\{[^}]*\}) (\S+)$", text)}


class Life:
    def __init__(self, directory, results):
        self.directory, self.results = directory, results
        self.ours, theirs = configs(CHILDREN)
        self.peer = daemon.Charon(f"{directory}/peer").start(theirs)
        self.gateway = daemon.Gateway(f"{directory}/gw")
        self.totals = {}
        self.bare = self.fresh = self.up = None

    # ------------------------------------------------------------------------------------------ helpers

    def foreign_stands(self, when):
        self.results.equal(f"{when}: foreign SA and policy stand", foreign(), (True, True))

    def same(self, when, expected, but_sas=False):
        compared = {what: value for what, value in expected.items() if not (but_sas and what == "SAs")}
        until = time.monotonic() + 15  # the kernel frees detached programs a grace period later
        actual = footprint()
        while time.monotonic() < until and any(difference(compared[what], actual[what]) != ([], []) for what in compared):
            time.sleep(0.5)
            actual = footprint()
        for what, value in compared.items():
            missing, more = difference(value, actual[what])
            self.results.add(f"{when}: {what}", {"missing": [], "more": []}, {"missing": missing, "more": more},
                             not missing and not more)

    def nothing_passes(self, when, number):
        answered = traffic.ping(hosts.GW, hosts.inner(1, number), hosts.inner(2, number), count=5, interval=0.05, wait=1)
        self.results.equal(f"{when}: pings answered of child {number}", answered, 0)

    def carries(self, when, exchange):
        try:
            exchange.carry(UP, "ping=20x56")
            self.results.holds(f"{when}: 20 pings pass", True)
        except Failed as failure:
            self.results.holds(f"{when}: 20 pings pass", False, str(failure))

    def never_back(self, when):
        """Counters of Prometheus: no series falls or vanishes."""
        now = series(self.gateway.cli("export", "prometheus").stdout)
        per_child = {name: value for name, value in now.items() if name.startswith("espgate_child_")}
        fell = [f"{name}: {value} -> {per_child.get(name)}" for name, value in self.totals.items()
                if per_child.get(name, -1) < value]
        self.results.add(f"{when}: no counter per child fell or vanished", [], fell, not fell and per_child)
        self.totals = per_child

    def spis(self):
        row = self.gateway.children()["demo/hw"]
        return row["in"]["spi"], row["out"]["spi"]

    # --------------------------------------------------------------------------------------------- parts

    def begins(self, exchange):
        self.results.section("start")
        add_foreign()
        self.bare = footprint()
        self.gateway.start(self.ours)
        self.fresh = footprint()
        for what in ("pins", "links", "programs"):
            self.results.more(f"start: {what} are there", len(self.fresh[what]), len(self.bare[what]))
        for number in (UP, IDLE):
            self.results.equal(f"start: child {number} has its floor", floor_of(number), FLOOR)
        self.foreign_stands("start")
        self.nothing_passes("before it is up", UP)
        self.gateway.cli("conn", "up", "demo/hw")
        self.carries("up", exchange)
        self.never_back("up")

    def reloads_nothing_broken(self):
        self.results.section("SIGHUP with a broken file, under traffic")
        before = self.spis()
        stream = traffic.PingStream(self.directory, hosts.GW, hosts.inner(1, UP), hosts.inner(2, UP))
        self.gateway.write_config(BROKEN)
        os.kill(self.gateway.process.pid, signal.SIGHUP)
        wait_for("word of the broken file", lambda: "local_adrs" in self.gateway.log())
        said = [line for line in self.gateway.log().splitlines() if "local_adrs" in line]
        self.results.holds("broken file: FILE:LINE:COLUMN in the log", re.search(r"espgate\.conf:4:5: ", said[0]), said[0])
        conns = {f"{row['conn']}/{row['child']}" for row in self.gateway.json("conn", "show")}
        self.results.equal("broken file: connections stay", sorted(conns), ["demo/hw", "demo/idle"])
        self.gateway.write_config(self.ours)
        os.kill(self.gateway.process.pid, signal.SIGHUP)
        wait_for("word of the good file", lambda: "configuration reloaded" in self.gateway.log())
        self.results.equal("reloads: the SAs stay", self.spis(), before)
        sent, answered = stream.end()
        self.results.more("reloads: pings sent", sent, 10)
        self.results.equal("reloads: pings lost", sent - answered, 0)
        self.same("reloads", self.fresh | {"policies": footprint()["policies"]}, but_sas=True)

    def second_is_refused(self, exchange):
        self.results.section("a second espgated")
        before = footprint()
        common = ("espgated", "--config", self.gateway.config)
        socket_uri = ("--vici", f"unix://{self.gateway.socket}")
        other = ("--vici", f"unix://{self.directory}/other")
        os.mkdir(f"{self.directory}/bpf2")
        run("mount", "-t", "bpf", "bpf", f"{self.directory}/bpf2")
        try:
            self.refused("everything the same", hosts.GW, (*common, *socket_uri, "--bpffs", daemon.BPFFS), "500")
            self.refused("the same bpffs", hosts.WIRE, (*common, *other, "--bpffs", daemon.BPFFS), daemon.BPFFS)
            self.refused("the same control socket", hosts.WIRE, (*common, *socket_uri, "--bpffs", f"{self.directory}/bpf2"),
                         str(self.gateway.socket))
            self.results.equal("second: leaves no pins of its own", pins(f"{self.directory}/bpf2"), [])
        finally:
            run("umount", f"{self.directory}/bpf2", ok=False)
        self.same("second: the first is unharmed", before)
        self.results.equal("second: the first answers", self.gateway.cli("ike", "show", ok=False).returncode, 0)
        self.carries("second", exchange)

    def refused(self, what, name, command, named):
        done = ns(name, *command, ok=False, timeout=60)
        said = sentences(done)
        self.results.equal(f"{what}: exit status", done.returncode, 2)
        self.results.add(f"{what}: one sentence that names {named}", 1, said, len(said) == 1 and named in said[0])

    def killed(self, exchange):
        self.results.section("kill -9 under traffic")
        stream = traffic.PingStream(self.directory, hosts.GW, hosts.inner(1, UP), hosts.inner(2, UP))
        exchange.begin(UP, "both=600000")
        self.up = footprint()
        self.gateway.stop(signal.SIGKILL)
        time.sleep(1)
        exchange.end()
        sent, answered = stream.end()
        self.results.more("killed: pings sent", sent, 10)
        self.results.equal("killed: pings lost", sent - answered, 0)
        self.results.holds("killed: TCP flow arrives whole", True)
        # What is attached stands; a program that only the process held is gone with it.
        self.same("killed: everything stands", {what: part for what, part in self.up.items() if what != "programs"})
        for number in (UP, IDLE):
            self.results.equal(f"killed: child {number} has its floor", floor_of(number), FLOOR)
        self.nothing_passes("killed", IDLE)
        self.counters_readable(exchange)
        self.never_back("killed")
        self.foreign_stands("killed")

    def counters_readable(self, exchange):
        traffic.quiesce()
        first = self.gateway.children()["demo/hw"]
        exchange.carry(UP, "ping=20x56")
        traffic.quiesce()
        shown = self.gateway.cli("-j", "sa", "show", "kernel", ok=False)
        self.results.equal("dead: sa show's exit status", shown.returncode, 0)
        self.results.holds("dead: stderr says so", len(shown.stderr.strip().splitlines()) == 1, shown.stderr.strip())
        row = self.gateway.children()["demo/hw"]
        for key in ("unique_id", "state", "established_at", "rekey_at"):
            self.results.equal(f"dead: {key}", row[key], None)
        for side in ("in", "out"):
            self.results.equal(f"dead: {side} counts 20 pings more, in hardware",
                               int(row[side]["hw"]["packets"]) - int(first[side]["hw"]["packets"]), 20)
        self.results.checks("dead", identities.check_child("demo/hw", row, counters.kernel_sas(hosts.PEER),
                                                           counters.nic_sas()))

    def restarted(self, exchange):
        self.results.section("restart after kill -9")
        stream = traffic.PingStream(self.directory, hosts.GW, hosts.inner(1, UP), hosts.inner(2, UP))
        self.gateway.start()
        self.same("restarted: everything stands as it was", self.up)
        sent, answered = stream.end()
        self.results.equal("restarted: pings lost", sent - answered, 0)
        self.results.equal("restarted: programs that `prog show` lists", len(self.gateway.json("prog", "show")),
                           len(self.fresh["links"]) - len(self.bare["links"]))
        self.never_back("restarted")
        self.foreign_stands("restarted")
        self.gateway.cli("conn", "up", "demo/hw")
        self.carries("up again", exchange)
        self.never_back("up again")

    def conn_down(self, exchange):
        self.results.section("conn down")
        self.gateway.cli("conn", "down", "demo/hw")
        self.same("down", self.fresh)
        self.results.equal("down: its floor", floor_of(UP), FLOOR)
        self.nothing_passes("down", UP)
        self.never_back("down")
        self.gateway.cli("conn", "up", "demo/hw")
        self.carries("up after down", exchange)

    def stopped(self):
        self.results.section("clean stop")
        spi_in, spi_out = self.spis()
        lines = self.peer.log().count("received DELETE for IKE_SA")
        self.results.equal("stop: exit status", self.gateway.stop(), 0)
        self.same("stopped: nothing of ours is left", self.bare)
        self.foreign_stands("stopped")
        self.results.more("stopped: the peer got DELETE", self.peer.log().count("received DELETE for IKE_SA"), lines)
        left = sorted({spi_in, spi_out} & set(counters.kernel_sas(hosts.PEER)))
        self.results.equal("stopped: the peer has dropped the SAs", left, [])

    def without(self):
        self.results.section("without what it needs")
        config = f"{self.directory}/nobody.conf"
        with open(config, "w", encoding="ascii") as file:
            file.write(self.ours)
        os.chmod(self.directory, 0o755)
        run("chown", "nobody", config)
        os.chmod(config, 0o600)
        tail = ("--config", config, "--vici", f"unix://{self.directory}/nobody.vici", "--bpffs", daemon.BPFFS)
        self.refused("without privileges", hosts.GW, ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups",
                                                      "espgated", *tail), "CAP_NET_ADMIN")
        self.refused("only CAP_NET_BIND_SERVICE", hosts.GW, ("setpriv", "--bounding-set", "-all,+net_bind_service",
                                                             "espgated", *tail[2:], "--config", self.gateway.config),
                     "CAP_NET_ADMIN")
        taken = ns_start(hosts.GW, sys.executable, "-c", "import socket, sys\ns = socket.socket(type=socket.SOCK_DGRAM)\n"
                         "s.bind(('0.0.0.0', 500))\nprint('bound', flush=True)\nsys.stdin.read()\nimport time\n"
                         "time.sleep(600)", output=f"{self.directory}/taken")
        try:
            wait_for("port 500 to be taken", lambda: "bound" in open(f"{self.directory}/taken", encoding="ascii").read())
            self.refused("port 500 taken", hosts.GW, ("espgated", "--config", self.gateway.config, "--vici",
                                                      f"unix://{self.gateway.socket}", "--bpffs", daemon.BPFFS), "500")
        finally:
            taken.kill()
            taken.wait()
        self.same("refused starts leave nothing", self.bare)

    def clear(self, capture):
        """What was on the wire in the clear. The network that nothing covers proves that it would have been seen."""
        self.results.section("in the clear")
        self.results.equal("capture: packets dropped", capture.dropped, 0)
        seen = {number: 0 for number in (UP, IDLE, UNCOVERED)}
        for packet in counters.pcap_packets(capture.path):
            if counters.is_inner(packet):
                inside = socket.inet_ntoa(packet[26:30]) if packet[26] == 10 else socket.inet_ntoa(packet[30:34])
                number = int(inside.split(".")[2])
                seen[number] = seen.get(number, 0) + 1
        self.results.more("capture: uncovered packets seen", seen.pop(UNCOVERED))
        self.results.add("capture: packets of a child seen in the clear", 0, seen, not any(seen.values()))


def difference(expected, actual):
    if isinstance(expected, dict):
        expected, actual = (sorted(f"{key} x{value}" for key, value in part.items()) for part in (expected, actual))
    missing, more = list(expected), []
    for item in actual:
        if item in missing:
            missing.remove(item)
        else:
            more.append(item)
    return missing, more


def scenario(directory, results):
    hosts.build()
    life = Life(directory, results)
    # On the gateway's own wire: the router has no route to what is inside, so beyond it there is nothing to see.
    capture = counters.Capture(f"{directory}/clear.pcap", device="simnic1", expression="net 10.0.0.0/8")
    try:
        with Exchange() as exchange:
            with capture:
                life.begins(exchange)
                life.reloads_nothing_broken()
                life.second_is_refused(exchange)
                life.killed(exchange)
                life.restarted(exchange)
                life.conn_down(exchange)
                traffic.ping(hosts.GW, hosts.inner(1, UNCOVERED), hosts.inner(2, UNCOVERED), count=2, interval=0.05, wait=1)
            life.stopped()
            life.without()
        life.clear(capture)
    except Failed:
        print("espgated's log:\n" + life.gateway.log() + "\ncharon's log:\n" + life.peer.log()[-6000:])
        raise
    finally:
        life.gateway.stop()
        life.peer.stop()
        hosts.destroy()


if __name__ == "__main__":
    sys.exit(run_scenario("life", scenario))
