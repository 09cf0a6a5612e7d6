#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A NIC that takes SAs and then gets them wrong: it is noticed under traffic, tried in software, remembered and forgiven. And those
who only look guilty: traffic that goes one way, a host that answers nothing, a way that loses 5 %. Against strongSwan.

tools/lab run --out DIR -- python3 tests/lab/gateway_watch.py; rows in DIR/watch.json. ESPGATE_INNOCENT: seconds of these (35).
"""
import os
import socket
import sys
import threading
import time

from demo import GCM, child, configs
from scenario import counters, daemon, hosts
from scenario.namespace import in_namespace
from scenario.results import run_scenario
from scenario.shell import Failed, lib, ns, ns_start, wait_for
from scenario.stream import Stream

NIC = "simnic0"
INNOCENT = int(os.environ.get("ESPGATE_INNOCENT", 35))
PATIENCE = 40  # seconds until a verdict; under emulation seconds are long
STREAMS = {name: (hosts.inner(1, number), hosts.inner(2, number)) for name, number in (("a", 1), ("b", 2))}
CHILDREN = {"a": child(1, GCM, "auto"), "b": child(2, GCM, "auto"), "oneway": child(3, GCM, "auto"), "mute": child(4, GCM, "auto"),
            "lossy": child(5, GCM, "auto"), "strict": child(6, GCM, "crypto")}

# ESP alone: a rekey that loses a message is called off, which is another matter.
LOSS = """table inet loss {
  chain some {
    type filter hook forward priority filter;
    meta l4proto esp numgen random mod 100 < 5 drop
  }
}
"""


def knob(value):
    lib("simnic_knob", NIC, "fault", value)


class OneWay:
    """UDP that somebody takes and nobody answers, fifty a second."""

    def __init__(self, near, far):
        self.out = in_namespace(hosts.GW, lambda: self._socket(near))
        self.taken = in_namespace(hosts.PEER, lambda: self._socket(far))
        self.far, self.over = far, threading.Event()
        self.thread = threading.Thread(target=self._send)

    @staticmethod
    def _socket(address):
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        out.bind((address, 4001))
        return out

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.out.close()
        self.taken.close()

    def _send(self):
        while not self.over.wait(0.02):
            try:
                self.out.sendto(b"nobody answers", (self.far, 4001))
            except OSError:
                pass


class Watching:
    def __init__(self, directory, results):
        self.results = results
        ours, theirs = configs(CHILDREN)
        self.ours = "gateway {\n  probe = no\n}\n" + ours
        self.peer = daemon.Charon(f"{directory}/peer").start(theirs)
        self.gateway = daemon.Gateway(f"{directory}/gw")
        self.cache = self.gateway.directory / "devices.json"
        self.gateway.arguments = ["--devices", self.cache]
        self.gateway.start(self.ours)
        self.read = 0

    def news(self):
        """The log since it was read last."""
        whole = self.gateway.log()
        new, self.read = whole[self.read:], len(whole)
        return new

    def said(self, what, condition, log):
        self.results.holds(what, condition, "so it is" if condition else log[-1500:])

    def up(self, *names):
        for name in names:
            self.gateway.cli("conn", "up", f"demo/{name}")

    def offload(self, name):
        row = self.gateway.children().get(f"demo/{name}")
        return row["out"]["offload"] if row else {"actual": "away", "reason_code": None, "reason": None}

    def where(self, *names):
        """[(crypto or none, reason code)]"""
        return [(each["actual"], each["reason_code"]) for each in map(self.offload, names)]

    def distrusted(self):
        rows = self.gateway.json("--devices", self.cache, "offload", "show", "dev", NIC)
        return rows[0]["distrusted"] if rows else []

    def forgive(self, *names):
        self.gateway.cli("offload", "forgive", "dev", NIC, "suite", GCM)
        hardware = [("crypto", None)] * len(names)
        wait_for("hardware again", lambda: self.where(*names) == hardware, 20)
        self.results.equal("forgiven: back in hardware", self.where(*names), hardware)
        self.results.equal("forgiven: nothing is held against it", self.distrusted(), [])

    # --------------------------------------------------------------------------------------------------- liars

    def lie(self, fault, direction, partial=False):
        """The NIC begins to get packets wrong while they flow."""
        self.results.section(f"fault {fault}")
        self.news()
        with Stream(STREAMS) as stream:
            time.sleep(2)
            self.results.equal("traffic passes", [stream.answered_lately(name, 0.5) for name in STREAMS], [True, True])
            since = time.monotonic()
            knob(fault)
            try:
                wait_for("a verdict", self.distrusted, PATIENCE + 60 * partial, 0.5)
                verdict = time.monotonic()
                wait_for("software", lambda: self.where("a", "b") == [("none", "distrusted")] * 2, 20)
            except Failed as failure:
                self.results.holds("a verdict within time", False, str(failure) + "\n" + self.news()[-3000:])
                knob("none")
                return
            print(f"       verdict after {verdict - since:.1f} s", flush=True)
            time.sleep(1)
            silence = {name: round(stream.silence(name, since), 1) for name in STREAMS}
            after = {name: stream.silence(name, verdict + 2) < 1 for name in STREAMS}
            self.results.add("longest time without an answer, seconds", "< 20", silence, max(silence.values()) < (2 if partial else 20))
            self.results.equal("traffic flows after the verdict", after, {"a": True, "b": True})
        held = self.distrusted()
        self.results.equal("held against the NIC", [(each["suite"], each["mode"], each["dir"]) for each in held], [(GCM, "crypto", direction)])
        self.results.equal("where the children are", self.where("a", "b"), [("none", "distrusted")] * 2)
        reason = self.offload("a")["reason"] or ""
        self.results.holds("sa show says why", reason.startswith(f"{NIC} gets {GCM} wrong in crypto mode"), reason)
        log = self.news()
        for said in ("Trying it in software for 10 s", f"{NIC} gets {GCM} wrong in crypto mode",
                     f"in software until `espgate offload forgive dev {NIC} suite {GCM}`"):
            self.said(f"the log says: {said}", said in log, log)
        self.results.equal("trials", log.count("Trying it in software"), 1)
        print("\n".join(line for line in log.splitlines() if "Trying" in line or f" demo/a: {NIC} gets" in line or
                        f" demo/b: {NIC} gets" in line or "second look" in line), flush=True)
        knob("none")

    def remembered(self):
        """Over a restart; and by a child that has to be offloaded."""
        self.results.section("remembered")
        print(self.gateway.cli("offload", "show", "dev", NIC).stdout, flush=True)
        wait_for("the cache", lambda: self.cache.exists() and '"seen"' in self.cache.read_text(), 10)
        self.gateway.stop()
        self.news()
        self.results.equal("daemon down: held against the NIC", len(self.distrusted()), 1)
        self.gateway.start(self.ours)
        self.up("a", "b")
        self.results.equal("after a restart", self.where("a", "b"), [("none", "distrusted")] * 2)
        refused = self.gateway.cli("conn", "up", "demo/strict", ok=False)
        self.results.equal("strict: exit status", refused.returncode, 2)
        self.results.holds("strict: refused with the reason", f"{NIC} gets {GCM} wrong" in refused.stderr, refused.stderr)

    # ----------------------------------------------------------------------------------------------- innocents

    def innocents(self):
        self.results.section(f"innocents, {INNOCENT} s")
        names = ("oneway", "mute", "lossy")
        self.up(*names)
        self.news()
        ns(hosts.PEER, "sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
        ns(hosts.WIRE, "nft", "-f", "-", stdin=LOSS)
        pings = ns_start(hosts.GW, "ping", "-i", "0.2", "-q", "-I", hosts.inner(1, 4), hosts.inner(2, 4), output="/dev/null")
        try:
            with OneWay(hosts.inner(1, 3), hosts.inner(2, 3)), Stream({"lossy": (hosts.inner(1, 5), hosts.inner(2, 5))}):
                time.sleep(INNOCENT)
        finally:
            pings.terminate()
            pings.wait()
            ns(hosts.WIRE, "nft", "delete", "table", "inet", "loss")
            ns(hosts.PEER, "sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=0")
        log = self.news()
        wait_for("hardware", lambda: self.where(*names) == [("crypto", None)] * 3, 20)
        self.results.equal("where they are in the end", self.where(*names), [("crypto", None)] * 3)
        self.results.equal("held against the NIC", self.distrusted(), [])
        self.results.equal("trials of all of them", log.count("Trying it in software"), 1)
        self.said("and what came of it", "nothing came in software either" in log, log)
        self.said("none of the one that is answered", "demo/lossy: " not in log, log)


def scenario(directory, results):
    hosts.build()
    watching = Watching(directory, results)
    try:
        watching.up("a", "b")
        watching.lie("corrupt_icv=1", None)
        watching.remembered()
        watching.forgive("a", "b")
        watching.lie("drop_all", None)
        watching.forgive("a", "b")
        watching.lie("rx_corrupt=1", "in")
        watching.forgive("a", "b")
        # No even number: it would be the same of the two children that is hit, time and again.
        watching.lie("rx_corrupt=97", "in", partial=True)
        watching.forgive("a", "b")
        watching.innocents()
        results.equal("stops cleanly", watching.gateway.stop(), 0)
        results.equal("nothing of it is left in the kernel", (counters.kernel_sas(hosts.GW), counters.policies(hosts.GW)), ({}, []))
    except Failed as failure:
        results.holds("the scenario runs to its end", False, str(failure))
    finally:
        if any(not row["pass"] for row in results.rows):
            print("espgated's log:\n" + watching.gateway.log()[-16000:] + "\ncharon's log:\n" + watching.peer.log()[-3000:])
        watching.gateway.stop()
        watching.peer.stop()
        hosts.destroy()


if __name__ == "__main__":
    sys.exit(run_scenario("watch", scenario))
