#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Faults of a real kernel and its machine beneath espgated: no XFRM, no ESP, no AH, no tracing; clocks set forward and back; events of
links and policies lost; the disk of the device cache full; bpffs taken away; a daemon that stands still for a while.

tools/lab run --out DIR -- python3 tests/lab/gateway_faults.py; rows in DIR/faults.json.
"""
import json
import os
import pathlib
import re
import signal
import sys
import time

from demo import CBC, GCM, child, configs
from scenario import counters, daemon, hosts
from scenario.results import run_scenario
from scenario.shell import Failed, ns, run, wait_for
from scenario.stream import Stream

CHILDREN = {"hw": child(1, GCM, "auto"), "sw": child(2, CBC, "no"), "ah": child(3, GCM)}
for _, peers in CHILDREN.values():  # its kernel's lifetimes go by the clock that is set
    peers.update(rekey_time="0s", life_time="0s")
for side in CHILDREN["ah"]:
    side.pop("esp_proposals")
    side["ah_proposals"] = "sha256"
HELPER, LOCKDOWN = pathlib.Path("/proc/sys/kernel/modprobe"), pathlib.Path("/sys/kernel/security/lockdown")
FAULT = "/sys/kernel/debug/simnic/simnic0/fault"
NO_AH = pathlib.Path("/etc/modprobe.d/espgate-no-ah.conf")
DAY = 86400
STILL = int(os.environ.get("ESPGATE_STILL", 20))  # seconds


def loaded(*modules):
    return [name for name in modules if re.search(rf"(?m)^{name} ", pathlib.Path("/proc/modules").read_text())]


class Faults:
    def __init__(self, directory, results):
        self.directory, self.results = directory, results
        ours, self.theirs = configs(CHILDREN)
        self.ours = ours.replace("    version = 2\n", "    version = 2\n    dpd_delay = 20s\n")
        self.theirs = self.theirs.replace("    version = 2\n", "    version = 2\n    dpd_delay = 20s\n")
        self.disk = pathlib.Path(directory) / "disk"
        self.gateway = daemon.Gateway(f"{directory}/gw", arguments=("--devices", self.disk / "devices.json"))
        self.gateway.patience = 120
        self.peer = None

    def said(self, what, pattern, since, most=3, patience=15):
        """Waits for a line; asserts that there are few like it."""
        def found():
            return [line for line in self.gateway.log()[since:].splitlines() if re.search(pattern, line)]
        try:
            wait_for(what, found, patience)
        except Failed:
            pass
        self.results.add(f"{what}: it is said, in few lines", pattern, found()[:4], 1 <= len(found()) <= most)

    def spis(self):
        return {name: (row["in"]["spi"], row["out"]["spi"]) for name, row in self.gateway.children().items()}

    def passes(self, when, stream, *names):
        def both():
            return all(stream.answered_lately(name, 0.5) for name in names)
        try:
            wait_for(f"{when}: answers", both, 30)
        except Failed:
            pass
        self.results.equal(f"{when}: traffic passes", [stream.answered_lately(name, 1) for name in names], [True] * len(names))

    # ------------------------------------------------------------------------------------- what the kernel lacks
    def refused(self, what, pattern):
        done = ns(hosts.GW, "espgated", "--config", self.gateway.config, "--vici", f"unix://{self.gateway.socket}", "--bpffs",
                  daemon.BPFFS, ok=False, timeout=60)
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        self.results.equal(f"{what}: exit status", done.returncode, 2)
        self.results.add(f"{what}: one sentence", pattern, said, len(said) == 1 and re.search(pattern, said[0]))

    def kernel_without(self):
        self.results.section("a kernel without XFRM, without ESP, without AH")
        self.gateway.write_config(self.ours)
        helper = HELPER.read_text()
        HELPER.write_text("/bin/true\n")  # no module comes by itself
        self.results.equal("modules that stand in the way of this part", loaded("xfrm_user", "esp4"), [])
        self.refused("no XFRM", "no XFRM.*xfrm_user")
        run("modprobe", "xfrm_user")
        self.refused("no AES-GCM", "lacks AES-GCM.*module gcm")
        for name in ("aes_generic", "aesni_intel", "ctr", "ghash_generic", "gcm", "seqiv", "echainiv"):
            run("modprobe", name, ok=False)
        self.refused("no ESP", "no ESP.*esp4")
        for name in ("esp4", "esp6", "tunnel4", "xfrm4_tunnel"):
            run("modprobe", name, ok=False)
        HELPER.write_text(helper)

    def without_ah(self):
        NO_AH.write_text("install ah4 /bin/true\ninstall ah6 /bin/true\n")
        self.gateway.start()
        self.peer = daemon.Charon(f"{self.directory}/peer").start(self.theirs)
        self.results.equal("modules that stand in the way of this part", loaded("ah4"), [])
        done = self.gateway.cli("conn", "up", "demo/ah", ok=False)
        self.results.add("no AH: the child fails, and says why", "exit status 2, child ah", [done.returncode, done.stderr.strip()],
                         done.returncode == 2 and re.search("child ah", done.stderr))
        NO_AH.unlink()
        for name in ("hw", "sw"):
            self.gateway.cli("conn", "up", f"demo/{name}")

    # -------------------------------------------------------------------------------------------------- faults
    def clocks(self, stream):
        self.results.section("the clock is set")
        before, day = self.spis(), self.gateway.children()["demo/hw"]["established_at"]
        for what, step in (("forward", DAY), ("back", -2 * DAY), ("forward", DAY)):
            mark = len(self.gateway.log())
            run("date", "-s", f"@{int(time.time()) + step}")
            self.said(f"{what} by {abs(step)} s", rf"the clock was set {what} by {str(abs(step))[:-1]}\d s|{what} by {str(abs(step) - 1)[:-1]}\d s", mark, most=1)
        self.results.equal("clock: the same SAs", self.spis(), before)
        row = self.gateway.children()["demo/hw"]
        self.results.add("clock: established_at is what it was", f"{day} +- 20", row["established_at"], abs(row["established_at"] - day) <= 20)
        self.passes("clock", stream, "hw", "sw")

    def links_lost(self, stream):
        self.results.section("link events lost")
        mark, before = len(self.gateway.log()), self.spis()
        routes = [line for line in ns(hosts.GW, "ip", "route", "show", "dev", "simnic0").stdout.splitlines() if " proto kernel" not in line]
        os.kill(self.gateway.process.pid, signal.SIGSTOP)
        try:
            run("ip", "-n", hosts.GW, "link", "add", "noise", "type", "dummy")
            run("ip", "-n", hosts.GW, "-batch", "-", stdin="link set noise up\nlink set noise down\n" * 500)
            run("ip", "-n", hosts.GW, "link", "set", "simnic0", "down")
            run("ip", "-n", hosts.GW, "link", "set", "simnic0", "up")
            run("ip", "-n", hosts.GW, "-batch", "-", stdin="".join(f"route replace {line.strip()} dev simnic0\n" for line in routes))
        finally:
            os.kill(self.gateway.process.pid, signal.SIGCONT)
        self.said("link events", "link events were lost", mark)
        wait_for("new SAs", lambda: self.spis().get("demo/hw", before["demo/hw"]) != before["demo/hw"], 30)
        self.passes("links", stream, "hw", "sw")
        run("ip", "-n", hosts.GW, "link", "del", "noise")

    def policies_lost(self, stream):
        self.results.section("events of SAs and policies lost")
        mark, before = len(self.gateway.log()), len(counters.policies(hosts.GW))
        os.kill(self.gateway.process.pid, signal.SIGSTOP)
        try:
            one = "src 203.0.113.1 dst 203.0.113.2 proto esp spi 0x{:x}"
            run("ip", "-n", hosts.GW, "-batch", "-", stdin="".join(
                f"xfrm state add {one.format(spi)} mode tunnel enc cipher_null ''\nxfrm state delete {one.format(spi)}\n"
                for spi in range(0x10000, 0x10000 + 4000)))
            run("ip", "-n", hosts.GW, "xfrm", "policy", "flush")
        finally:
            os.kill(self.gateway.process.pid, signal.SIGCONT)
        self.said("events", "events of the kernel were lost|deleted policies of ours", mark)
        wait_for("the policies", lambda: len(counters.policies(hosts.GW)) == before, 10)
        self.passes("policies", stream, "hw", "sw")

    def bpffs_gone(self, stream):
        self.results.section("bpffs unmounted")
        run("umount", "--lazy", daemon.BPFFS)
        mark = len(self.gateway.log())
        self.gateway.cli("conn", "rekey", "demo/hw")
        self.passes("bpffs", stream, "hw", "sw")
        programs = json.loads(ns(hosts.GW, "bpftool", "-j", "link", "list").stdout)
        self.results.more("bpffs: programs that are attached still", len(programs), 4)
        self.results.equal("bpffs: errors in the log", [line for line in self.gateway.log()[mark:].splitlines() if " error " in line], [])
        run("mount", "-t", "bpf", "bpf", daemon.BPFFS)

    def stands_still(self, stream):
        self.results.section(f"espgated stands still for {STILL} s")
        sent = {name: (stream.sent[name], len(stream.answers[name])) for name in ("hw", "sw")}
        os.kill(self.gateway.process.pid, signal.SIGSTOP)
        time.sleep(STILL)
        lost = {name: stream.sent[name] - sent[name][0] - (len(stream.answers[name]) - sent[name][1]) for name in ("hw", "sw")}
        os.kill(self.gateway.process.pid, signal.SIGCONT)
        self.results.add("still: packets without an answer meanwhile", "few", lost, all(count < 50 for count in lost.values()))
        wait_for("both to hold the same SAs", lambda: {spi for pair in self.spis().values() for spi in pair} <= set(counters.kernel_sas(hosts.PEER)), 60)
        self.passes("still", stream, "hw", "sw")

    def disk_full(self):
        """Of a start whose cache cannot be written: said once, the old file intact, no other beside it."""
        self.results.section("the disk with the device cache is full")
        self.gateway.stop()
        cache = self.disk / "devices.json"
        old = cache.read_text()
        with open(FAULT, "w", encoding="ascii") as file:  # something new to be learned
            file.write("none\n")
        with open(self.disk / "ballast", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(512))
            except OSError:
                pass
        mark = len(self.gateway.log())
        self.gateway.start()
        self.gateway.cli("conn", "up", "demo/hw")
        self.gateway.cli("offload", "forgive", "dev", "simnic0", ok=False)
        self.said("full disk", "what devices take is not kept over a restart: .*No space left", mark, most=1)
        self.results.equal("full disk: the old file is whole", cache.read_text(), old)
        self.results.equal("full disk: nothing beside it", sorted(os.listdir(self.disk)), ["ballast", "devices.json"])

    def locked_down(self):
        """Last: a kernel does not unlock. Tracing programs may not read its memory then."""
        self.results.section("a kernel that takes no tracing programs")
        run("mount", "-t", "securityfs", "none", "/sys/kernel/security", ok=False)
        self.gateway.stop()
        if not LOCKDOWN.exists():
            return self.results.holds("lockdown is not built in: not tried", True)
        LOCKDOWN.write_text("confidentiality")
        mark = len(self.gateway.log())
        self.gateway.start()
        self.said("no tracing", "exact hook|does not take the BPF program|counted by tc, inexactly", mark, most=12)
        self.gateway.cli("conn", "up", "demo/sw")
        row = self.gateway.children()["demo/sw"]
        self.results.equal("no tracing: counts are not called exact", (row["in"]["exact"], row["out"]["exact"]), (False, False))


def scenario(directory, results):
    faults = Faults(directory, results)
    faults.disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", faults.disk)
    try:
        run("ip", "netns", "add", hosts.GW)
        faults.kernel_without()
        run("ip", "netns", "del", hosts.GW)
        hosts.build()
        faults.without_ah()
        with Stream({name: (hosts.inner(1, number), hosts.inner(2, number)) for number, name in enumerate(("hw", "sw"), 1)}) as stream:
            faults.passes("begin", stream, "hw", "sw")
            for step in (faults.clocks, faults.links_lost, faults.policies_lost, faults.bpffs_gone, faults.stands_still):
                step(stream)
        faults.disk_full()
        faults.locked_down()
        results.equal("stops cleanly", faults.gateway.stop(), 0)
    except Failed as failure:
        results.holds("the scenario runs to its end", False, str(failure))
    finally:
        if any(not row["pass"] for row in results.rows):
            print("espgated's log:\n" + faults.gateway.log()[-14000:])
            if faults.peer:
                print("charon's log:\n" + faults.peer.log()[-3000:])
        faults.gateway.stop()
        if faults.peer:
            faults.peer.stop()
        run("umount", faults.disk, ok=False)
        hosts.destroy()


if __name__ == "__main__":
    sys.exit(run_scenario("faults", scenario))
