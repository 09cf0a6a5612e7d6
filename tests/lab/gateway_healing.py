#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SAs and policies that vanish from the kernel without espgated's doing: link flaps of the offload device, a state flush, a policy
flush, single SAs deleted, events lost; a device that is renamed, one whose feature is switched off,
and one whose driver is reloaded. Under traffic in both
directions, against strongSwan: how long nothing passes, that nothing is in the clear, and that no outbound key is installed a
second time.

tools/lab run --out DIR -- python3 tests/lab/gateway_healing.py; rows in DIR/healing.json. ESPGATE_FLAPS: how many link flaps (3).
"""
import os
import signal
import sys
import time

from demo import CBC, GCM, child, configs
from scenario import counters, daemon, hosts
from scenario.kernel import Kernel
from scenario.results import run_scenario
from scenario.shell import Failed, ns, run, wait_for
from scenario.stream import Stream

FLAPS = int(os.environ.get("ESPGATE_FLAPS", 3))
CHILDREN = {"hw": child(1, GCM, "auto"), "sw": child(2, CBC, "no")}
LONGEST = 1.0  # seconds without an answer that are allowed, from the moment that the way is open again


class Healing:
    def __init__(self, directory, results):
        self.results = results
        self.ours, theirs = configs(CHILDREN)
        self.peer = daemon.Charon(f"{directory}/peer").start(theirs)
        self.gateway = daemon.Gateway(f"{directory}/gw").start(self.ours)
        self.capture = counters.Capture(f"{directory}/clear.pcap", device="simnic1", expression="net 10.0.0.0/8")
        self.keys = {}  # outbound keys that were ever seen: their SPIs

    def spis(self, name):
        row = self.gateway.children()[f"demo/{name}"]
        return row["in"]["spi"], row["out"]["spi"]

    def note_keys(self, when):
        """Every outbound SA in the kernel: its key must not be one that another SA had."""
        kernel = Kernel(hosts.GW)
        twice = []
        for state in kernel.states():
            if state.src != hosts.GW_ADDRESS[4]:
                continue
            for _, _, key, _ in state.algorithms:
                if self.keys.setdefault(key, state.spi) != state.spi:
                    twice.append(state.spi)
        kernel.close()
        self.results.equal(f"{when}: outbound keys installed a second time", twice, [])

    def begins(self):
        for name in CHILDREN:
            self.gateway.cli("conn", "up", f"demo/{name}")
        self.note_keys("begin")

    def healed(self, when, names, before, stream, since):
        """New SAs for those children, and no longer than LONGEST without answers from then on."""
        for name in names:
            wait_for(f"{when}: new SAs of {name}", lambda name=name: self.spis(name) != before[name], 20)
        time.sleep(1)
        for name in names:
            silence = stream.silence(name, since)
            self.results.add(f"{when}: {name}: longest silence in seconds", f"<= {LONGEST}", round(silence, 2), silence <= LONGEST)
        self.note_keys(when)
        held = set(counters.kernel_sas(hosts.GW))
        self.results.equal(f"{when}: SAs shown are the kernel's", {spi for name in CHILDREN for spi in self.spis(name)} <= held, True)

    def flap(self, number, stream):
        """The kernel forgets what the device held, and the routes by it with it: those are put back as a network manager would."""
        when = f"flap {number}"
        routes = [line for line in ns(hosts.GW, "ip", "route", "show", "dev", "simnic0").stdout.splitlines() if " proto kernel" not in line]
        before = {name: self.spis(name) for name in CHILDREN}
        run("ip", "-n", hosts.GW, "link", "set", "simnic0", "down")
        offloaded = [spi for spi, sa in counters.kernel_sas(hosts.GW).items() if sa["offload"]]
        self.results.equal(f"{when}: the kernel forgot what was offloaded", offloaded, [])
        time.sleep(0.5)
        since = time.monotonic()
        run("ip", "-n", hosts.GW, "-batch", "-", stdin="link set simnic0 up\n" + "".join(
            f"route replace {line.strip()} dev simnic0\n" for line in routes))
        self.healed(when, ("hw",), before, stream, since)
        self.results.equal(f"{when}: sw was left as it was", self.spis("sw"), before["sw"])
        self.results.equal(f"{when}: hw is offloaded again", self.gateway.children()["demo/hw"]["out"]["offload"]["actual"], "crypto")

    def flush(self, stream):
        before = {name: self.spis(name) for name in CHILDREN}
        since = time.monotonic()
        run("ip", "-n", hosts.GW, "xfrm", "state", "flush")
        self.healed("state flush", CHILDREN, before, stream, since)

    def single(self, stream):
        for side in ("in", "out"):
            before = {name: self.spis(name) for name in CHILDREN}
            sa = self.gateway.children()["demo/sw"][side]
            since = time.monotonic()
            run("ip", "-n", hosts.GW, "xfrm", "state", "delete", "src", sa["src"], "dst", sa["dst"], "proto", "esp", "spi",
                f"0x{sa['spi']}")
            self.healed(f"{side}bound SA deleted", ("sw",), before, stream, since)

    def policies(self, stream):
        before = counters.policies(hosts.GW)
        for what in ("flush", "delete"):
            if what == "flush":
                run("ip", "-n", hosts.GW, "xfrm", "policy", "flush")
            else:
                run("ip", "-n", hosts.GW, "xfrm", "policy", "delete", "src", hosts.network(1, 1), "dst", hosts.network(2, 1), "dir", "out",
                    ok=False)
            wait_for("the policies", lambda: normal(counters.policies(hosts.GW)) == normal(before), 5)
            self.results.holds(f"policy {what}: all of ours are back", True)
        time.sleep(0.5)
        self.results.equal("policies: traffic passes", stream.answered_lately("hw", 0.3), True)
        self.results.holds("policies: it is said", "deleted policies of ours" in self.gateway.log())

    def feature(self, stream):
        """Switched off, the device keeps its SAs, and the stack does their packets: that is said, and nothing is lost."""
        def shown():
            return self.gateway.children()["demo/hw"]["out"]
        sent = len(stream.answers["hw"])
        for state in ("off", "on"):
            mark = len(self.gateway.log())
            ns(hosts.GW, "ethtool", "-K", "simnic0", "esp-hw-offload", state)
            wait_for(f"a word of it being {state}", lambda: f"esp-hw-offload was switched {state}" in self.gateway.log()[mark:], 10)
            before = shown()
            time.sleep(1)
            after = shown()
            grown = [after[path]["packets"] - before[path]["packets"] > 0 for path in ("hw", "sw")]
            self.results.equal(f"feature {state}: packets counted in hardware, in software", grown, [state == "on", state == "off"])
        self.results.more("feature: answers meanwhile", len(stream.answers["hw"]) - sent, 100)

    def overrun(self, stream):
        """More events than the socket has room for, while the daemon does not read: some that it needs are lost."""
        before = {name: self.spis(name) for name in CHILDREN}
        sa = self.gateway.children()["demo/hw"]["out"]
        os.kill(self.gateway.process.pid, signal.SIGSTOP)
        try:
            one = "src 203.0.113.1 dst 203.0.113.2 proto esp spi 0x{:x}"
            batch = "".join(f"xfrm state add {one.format(spi)} mode tunnel enc cipher_null ''\n"
                            f"xfrm state delete {one.format(spi)}\n" for spi in range(0x10000, 0x10000 + 6000))
            run("ip", "-n", hosts.GW, "-batch", "-", stdin=batch)
            run("ip", "-n", hosts.GW, "xfrm", "state", "delete", "src", sa["src"], "dst", sa["dst"], "proto", "esp", "spi",
                f"0x{sa['spi']}")
        finally:
            since = time.monotonic()
            os.kill(self.gateway.process.pid, signal.SIGCONT)
        self.healed("events lost", ("hw",), before, stream, since)
        self.results.holds("events lost: it is said", "events of the kernel were lost" in self.gateway.log())

    def renamed(self, stream):
        """The device gets another name, for which it has to be down."""
        routes = [line for line in ns(hosts.GW, "ip", "route", "show", "dev", "simnic0").stdout.splitlines() if " proto kernel" not in line]
        for old, new in (("simnic0", "nic9"), ("nic9", "simnic0")):
            before = {name: self.spis(name) for name in CHILDREN}
            for change in (("down",), ("name", new)):
                run("ip", "-n", hosts.GW, "link", "set", old, *change)
            since = time.monotonic()
            run("ip", "-n", hosts.GW, "-batch", "-", stdin=f"link set {new} up\n" + "".join(
                f"route replace {line.strip()} dev {new}\n" for line in routes))
            self.healed(f"renamed to {new}", ("hw",), before, stream, since)
            self.results.equal(f"renamed to {new}: on which device", self.gateway.children()["demo/hw"]["out"]["offload"]["dev"], new)

    def reloaded(self, stream):
        """The driver is unloaded and loaded: the device is another one by the same name, with routes as before."""
        routes = [line for line in ns(hosts.GW, "ip", "route", "show", "dev", "simnic0").stdout.splitlines() if " proto kernel" not in line]
        before = {name: self.spis(name) for name in CHILDREN}
        hosts.reload_driver()
        since = time.monotonic()
        run("ip", "-n", hosts.GW, "-batch", "-", stdin="".join(f"route replace {line.strip()} dev simnic0\n" for line in routes))
        self.healed("driver reloaded", ("hw",), before, stream, since)
        shown = [self.gateway.children()["demo/hw"][side] for side in ("in", "out")]
        self.results.equal("driver reloaded: hw is offloaded again", [side["offload"]["actual"] for side in shown], ["crypto", "crypto"])
        wait_for("packets in hardware", lambda: self.gateway.children()["demo/hw"]["out"]["hw"]["packets"] > shown[1]["hw"]["packets"], 5)
        self.results.equal("driver reloaded: traffic passes", [stream.answered_lately(name, 0.5) for name in CHILDREN], [True, True])

    def clear(self):
        inside = [packet for packet in counters.pcap_packets(self.capture.path) if counters.is_inner(packet)]
        self.results.equal("in the clear: packets of children", len(inside), 0)
        self.results.equal("capture: packets dropped", self.capture.dropped, 0)


def normal(policies):
    return sorted(" ".join(policy.split()) for policy in policies)


def scenario(directory, results):
    hosts.build()
    healing = Healing(directory, results)
    try:
        with healing.capture:
            healing.begins()
            with Stream({name: (hosts.inner(1, number), hosts.inner(2, number)) for number, name in enumerate(CHILDREN, 1)}) as stream:
                time.sleep(1)
                results.equal("traffic passes", [stream.answered_lately(name, 0.5) for name in CHILDREN], [True, True])
                for number in range(1, FLAPS + 1):
                    healing.flap(number, stream)
                healing.flush(stream)
                healing.single(stream)
                healing.feature(stream)
                healing.overrun(stream)
                healing.renamed(stream)
            # Without any policy traffic leaves in the clear until they are back: that cannot be helped, and is not counted.
        healing.clear()
        with Stream({name: (hosts.inner(1, number), hosts.inner(2, number)) for number, name in enumerate(CHILDREN, 1)}) as stream:
            healing.policies(stream)
            healing.reloaded(stream)
        results.equal("stops cleanly", healing.gateway.stop(), 0)
        results.equal("nothing of it is left in the kernel", (counters.kernel_sas(hosts.GW), counters.policies(hosts.GW)), ({}, []))
    except Failed as failure:
        results.holds("the scenario runs to its end", False, str(failure))
    finally:
        if any(not row["pass"] for row in results.rows):
            print("espgated's log:\n" + healing.gateway.log()[-12000:] + "\ncharon's log:\n" + healing.peer.log()[-5000:])
        healing.gateway.stop()
        healing.peer.stop()
        hosts.destroy()


if __name__ == "__main__":
    sys.exit(run_scenario("healing", scenario))
