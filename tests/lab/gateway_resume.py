#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""espgated killed, stopped and exchanged for another version under traffic: no packet is lost, nothing is negotiated anew.

tools/lab run --out DIR -- python3 tests/lab/gateway_resume.py [soak]; rows in DIR/resume.json. Against strongSwan, each tunnel
an IKE SA of its own with a child, those with an odd number in hardware. With `soak` there are ESPGATE_TUNNELS (100) of them and
ESPGATE_KILLS (200) deaths at random moments under ESPGATE_RATE (1,000) packets a second, all of the tunnels taking turns.
"""
import os
import random
import re
import signal
import subprocess
import sys
import time

from scenario import daemon, hosts
from scenario.nonces import Nonces
from scenario.results import run_scenario
from scenario.shell import wait_for
from scenario.stream import Stream

SOAK = "soak" in sys.argv[1:]
TUNNELS = int(os.environ.get("ESPGATE_TUNNELS", 100 if SOAK else 4))
KILLS = int(os.environ.get("ESPGATE_KILLS", 200 if SOAK else 4))
RATE = int(os.environ.get("ESPGATE_RATE", 1000 if SOAK else 400))
SEED = int(os.environ.get("ESPGATE_SEED", 1))


def name_of(number):
    return f"site-{number}"


def configuration(side):
    """swanctl.conf of side 1 (gw) or 2 (peer)."""
    near, far = (1, 2) if side == 1 else (2, 1)
    ends = {1: (hosts.GW_ADDRESS[4], "gw"), 2: (hosts.PEER_ADDRESS[4], "peer")}
    conns, secrets = "", ""
    for number in range(1, TUNNELS + 1):
        own, other = f"{ends[near][1]}-{number}.example.org", f"{ends[far][1]}-{number}.example.org"
        offload = ("hw_offload = auto" if number % 2 else "hw_offload = no") if side == 1 else "replay_window = 128"
        conns += f"""  {name_of(number)} {{
    version = 2
    local_addrs = {ends[near][0]}
    remote_addrs = {ends[far][0]}
    proposals = aes128gcm16-prfsha256-x25519
    local {{
      auth = psk
      id = {own}
    }}
    remote {{
      auth = psk
      id = {other}
    }}
    children {{
      net {{
        local_ts = {hosts.network(near, number)}
        remote_ts = {hosts.network(far, number)}
        esp_proposals = aes128gcm16
        {offload}
      }}
    }}
  }}
"""
        secrets += f'  ike-{number} {{\n    id-1 = {own}\n    id-2 = {other}\n    secret = "one of the tunnels {number}"\n  }}\n'
    gateway = "gateway {\n  on_stop = keep\n}\n" if side == 1 else ""
    return f"{gateway}connections {{\n{conns}}}\nsecrets {{\n{secrets}}}\n"


def lost_of(stream):
    return sum(stream.sent.values()) - sum(len(answers) for answers in stream.answers.values())


class Resuming:
    def __init__(self, directory, results):
        self.directory, self.results = directory, results
        self.random = random.Random(SEED)
        self.peer = daemon.Charon(f"{directory}/peer").start(configuration(2))
        self.gateway = daemon.Gateway(f"{directory}/gw", arguments=("--state", "/run/espgate.state"))
        self.gateway.start(configuration(1))
        for number in range(1, TUNNELS + 1):
            self.gateway.cli("conn", "up", f"{name_of(number)}/net", timeout=120)
        self.totals = {}
        self.back_after = []

    def spis(self):
        return {name: (row["in"]["spi"], row["out"]["spi"]) for name, row in self.gateway.children().items()}

    def ids(self):
        return {row["conn"]: row["unique_id"] for row in self.gateway.json("ike", "show")}

    def never_back(self, when):
        text = self.gateway.cli("export", "prometheus").stdout
        now = {name: float(value) for name, value in re.findall(r"(?m)^(espgate_child_\w+_total\{[^}]*\}) (\S+)$", text)}
        fell = [name for name, value in self.totals.items() if now.get(name, -1) < value]
        if fell or when:
            self.results.equal(f"{when or 'a kill'}: counters that fell", fell, [])
        self.totals = now

    def dies(self, how=signal.SIGKILL, program="espgated"):
        self.gateway.stop(how)
        self.gateway.program = program
        began = time.monotonic()
        self.gateway.start()
        wait_for("the SAs", lambda: len(self.ids()) == TUNNELS, 60)
        self.back_after.append(time.monotonic() - began)

    @staticmethod
    def stream():
        return Stream({name_of(n): (hosts.inner(1, n), hosts.inner(2, n)) for n in range(1, TUNNELS + 1)}, every=TUNNELS / RATE)

    def section(self, what, deeds):
        """deeds() under traffic: nothing is lost, and the SAs are those of before."""
        self.results.section(what)
        self.never_back("")
        before = {"ids": self.ids(), "spis": self.spis()}
        negotiated = self.peer.log().count(" established between ")
        with self.stream() as stream:
            began = time.monotonic()
            deeds()
            lasted = time.monotonic() - began
            stream.quiet.set()
            time.sleep(6)
        sent = sum(stream.sent.values())
        self.results.more(f"{what}: packets sent in {lasted:.0f} s", sent, RATE)
        self.results.equal(f"{what}: lost", lost_of(stream), 0)
        self.results.equal(f"{what}: IKE SAs negotiated", self.peer.log().count(" established between ") - negotiated, 0)
        self.results.equal(f"{what}: IKE SAs", self.ids(), before["ids"])
        self.never_back(what)
        return before["spis"]

    def kills(self):
        for number in range(KILLS):
            time.sleep(self.random.uniform(0, 1.5))
            self.dies()
            if number % 20 == 19:
                print(f"  {number + 1} deaths", flush=True)

    def killed(self):
        spis = self.section(f"{KILLS} kills", self.kills)
        self.results.equal("kills: the SPIs stay", self.spis(), spis)
        self.results.add("kills: seconds until it is there again (median, most)", None,
                         [round(sorted(self.back_after)[len(self.back_after) // 2], 1), round(max(self.back_after), 1)], True)

    def stopped(self):
        spis = self.section("SIGTERM, on_stop = keep", lambda: [self.dies(signal.SIGTERM) for _ in range(2)])
        self.results.equal("keep: the SPIs stay", self.spis(), spis)

    def exchanged(self):
        def deeds():
            for program in ("espgated-next", "espgated"):
                self.dies(signal.SIGTERM, program)
                self.dies(signal.SIGKILL, program)
        spis = self.section("up to the next version and back", deeds)
        self.results.equal("versions: the SPIs stay", self.spis(), spis)

    def in_the_middle_of_rekeys(self):
        def deeds():
            for number in range(1, 5):
                what = f"{name_of(number)}/net" if number % 2 else name_of(number)
                rekey = subprocess.Popen(["nsenter", f"--net=/run/netns/{hosts.GW}", "--", "espgate", "--vici",
                                          f"unix://{self.gateway.socket}", "conn", "rekey", what],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(self.random.uniform(0, 0.6))
                self.dies()
                rekey.wait()
            time.sleep(12)
        self.results.section("killed in the middle of rekeys")
        negotiated = self.peer.log().count(" established between ")
        before = set(self.ids())
        with self.stream() as stream:
            deeds()
            stream.quiet.set()
            time.sleep(6)
        self.results.equal("rekeys: lost", lost_of(stream), 0)
        self.results.equal("rekeys: connections", sorted(self.ids()), sorted(before))
        said = self.gateway.log()
        self.results.equal("rekeys: IKE SAs negotiated by us", said.count("IKE SA established with"), TUNNELS)
        self.results.add("rekeys: IKE SAs that the peer made, by rekeys", None,
                         self.peer.log().count(" established between ") - negotiated, True)


def scenario(directory, results):
    hosts.build(networks=TUNNELS)
    resuming = Resuming(directory, results)
    with Nonces(f"{directory}/outer.pcap", with_esp=not SOAK) as nonces:
        resuming.killed()
        if not SOAK:
            resuming.stopped()
            resuming.exchanged()
            resuming.in_the_middle_of_rekeys()
    for kind, count in nonces.looked_at.items():
        results.add(f"{kind}: packets whose nonces were looked at", None, count, count > 0 or (SOAK and kind == "esp"))
    results.equal("nonces used twice", nonces.repeated, [])


if __name__ == "__main__":
    sys.exit(run_scenario("resume", scenario))
