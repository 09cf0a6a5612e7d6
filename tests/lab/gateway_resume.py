#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""espgated killed, stopped and exchanged for another version under traffic: no packet is lost, nothing is negotiated anew.

tools/lab run --out DIR -- python3 tests/lab/gateway_resume.py [soak]; rows in DIR/resume.json. Against strongSwan, each tunnel
an IKE SA of its own with a child, those with an odd number in hardware. With `soak` there are ESPGATE_TUNNELS (100) of them and
ESPGATE_KILLS (200) deaths at random moments, also of a start that is not done yet, under ESPGATE_RATE (1,000) packets a second,
all of the tunnels taking turns, each packet echoed, and IKE's liveness checks; every ESP packet on the wire is looked at.
"""
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

from scenario import daemon, hosts
from scenario.fast import FastStream, WireNonces
from scenario.nonces import Nonces
from scenario.results import run_scenario
from scenario.shell import Failed, run, wait_for
from scenario.stream import Stream

SOAK = "soak" in sys.argv[1:]
TUNNELS = int(os.environ.get("ESPGATE_TUNNELS", 100 if SOAK else 4))
KILLS = int(os.environ.get("ESPGATE_KILLS", 200 if SOAK else 4))
RATE = int(os.environ.get("ESPGATE_RATE", 1000 if SOAK else 400))
SEED = int(os.environ.get("ESPGATE_SEED", 1))
WHOLE = 5  # of so many deaths in the soak, one comes when all SAs are there again


def name_of(number):
    return f"site-{number}"


def configuration(side):
    """swanctl.conf of side 1 (gw) or 2 (peer)."""
    near, far = (1, 2) if side == 1 else (2, 1)
    ends = {1: (hosts.GW_ADDRESS[4], "gw"), 2: (hosts.PEER_ADDRESS[4], "peer")}
    conns, secrets = "", ""
    for number in range(1, TUNNELS + 1):
        own, other = f"{ends[near][1]}-{number}.example.org", f"{ends[far][1]}-{number}.example.org"
        start = "start_action = start" if SOAK and side == 1 else ""
        offload = ("hw_offload = auto" if number % 2 else "hw_offload = no") if side == 1 else "replay_window = 128"
        liveness = "dpd_delay = 60s" if SOAK and side == 1 else ""
        conns += f"""  {name_of(number)} {{
    version = 2
    {liveness}
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
        {start}
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
        if SOAK:
            wait_for("all tunnels", lambda: self.gateway.log().count("child SA up") >= TUNNELS, 600)
        else:
            for number in range(1, TUNNELS + 1):
                self.patiently(lambda number=number: self.gateway.cli("conn", "up", f"{name_of(number)}/net", timeout=120))
        self.totals = {}
        self.back_after, self.by_itself = [], []
        self.started_at = self.log_began = 0

    @staticmethod
    def patiently(ask):
        """What `ask` says; the machine may be too busy for the first tries."""
        said = {}

        def asked():
            try:
                said["it"] = ask()
            except (Failed, ValueError):
                return False
            return True
        wait_for("an answer of espgated", asked, 300)
        return said["it"]

    def spis(self):
        rows = self.patiently(self.gateway.children)
        return {name: (row["in"]["spi"], row["out"]["spi"]) for name, row in rows.items()}

    def ids(self):
        return {row["conn"]: row["unique_id"] for row in self.patiently(lambda: self.gateway.json("ike", "show"))}

    def never_back(self, when):
        text = self.patiently(lambda: self.gateway.cli("export", "prometheus").stdout)
        now = {name: float(value) for name, value in re.findall(r"(?m)^(espgate_child_\w+_total\{[^}]*\}) (\S+)$", text)}
        fell = [name for name, value in self.totals.items() if now.get(name, -1) < value]
        if fell or when:
            self.results.equal(f"{when or 'a kill'}: counters that fell", fell, [])
        self.totals = now

    def back(self):
        wait_for("the SAs", lambda: len(self.ids()) == TUNNELS, 200)

    def dies(self, how=signal.SIGKILL, program="espgated"):
        self.gateway.stop(how)
        self.gateway.program = program
        began = time.monotonic()
        self.gateway.start()
        self.back()
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

    def resumed_since(self, at):
        """By espgated's log from that octet on: whether all IKE SAs went on. Cheaper than a question."""
        with open(self.gateway.log_file, "rb") as log:
            log.seek(at)
            said = log.read()
        return said.count(b"goes on where a former espgated left it") >= TUNNELS

    def dies_at_random(self, number):
        """Of each WHOLE deaths one comes when all SAs are there again, within 1.5 s; the others at any moment of the time that
        takes and half as much again."""
        began = self.started_at
        if number % WHOLE == 0:
            wait_for("the SAs", lambda: self.resumed_since(self.log_began), 300, every=0.05)
            self.back_after.append(time.monotonic() - began)
            time.sleep(self.random.uniform(0, 1.5))
        else:
            usual = sorted(self.back_after)[len(self.back_after) // 2]
            time.sleep(self.random.uniform(0, 1.5 * usual))
        if self.gateway.process.poll() is not None:
            self.by_itself.append((number, self.gateway.process.returncode))
        self.gateway.stop(signal.SIGKILL)
        self.start_unwatched()

    def start_unwatched(self):
        self.log_began = self.gateway.log_file.stat().st_size
        self.gateway.start(wait=False)
        self.started_at = time.monotonic()

    def soaked(self):
        self.results.section(f"{KILLS} kills, {TUNNELS} tunnels, {RATE} packets a second")
        self.never_back("")
        before = {"ids": self.ids(), "spis": self.spis()}
        negotiated = self.peer.log().count(" established between ")
        self.by_itself = []
        with FastStream([(hosts.inner(1, n), hosts.inner(2, n)) for n in range(1, TUNNELS + 1)], RATE) as stream:
            self.gateway.stop(signal.SIGKILL)
            self.start_unwatched()
            for number in range(KILLS - 1):
                self.dies_at_random(number)
                if number % 10 == 9:
                    print(f"  {number + 2} deaths, {time.monotonic() - self.results.started:.0f} s; "
                          f"back after {self.back_after[-1]:.1f} s", flush=True)
            wait_for("the SAs", lambda: self.resumed_since(self.log_began), 300)
            done = stream.end()
        self.gateway.wait_up()
        self.results.more("packets a second", round(done["sent"] / done["seconds"]), 0.95 * RATE)
        self.results.more(f"packets sent in {done['seconds']:.0f} s", int(done["sent"]), RATE)
        self.results.equal("lost", int(done["sent"] - done["answered"]), 0)
        self.results.equal("ends that were no kill (which, status)", self.by_itself, [])
        self.results.equal("IKE SAs negotiated", self.peer.log().count(" established between ") - negotiated, 0)
        self.results.equal("IKE SAs are those of before", self.ids() == before["ids"], True)
        self.results.equal("the SPIs are those of before", self.spis() == before["spis"], True)
        self.results.equal("IKE SAs that espgated says it negotiated, ever", self.gateway.log().count("IKE SA established with"), TUNNELS)
        self.results.equal("times that the state of before was not used", self.gateway.log().count("is not used"), 0)
        self.results.add("seconds until all SAs go on (median, most)", None,
                         [round(sorted(self.back_after)[len(self.back_after) // 2], 1), round(max(self.back_after), 1)], True)
        self.never_back(f"{KILLS} kills")

    def killed(self):
        spis = self.section(f"{KILLS} kills", self.kills)
        self.results.equal("kills: the SPIs stay", self.spis(), spis)
        self.results.add("kills: seconds until it is there again (median, most)", None,
                         [round(sorted(self.back_after)[len(self.back_after) // 2], 1), round(max(self.back_after), 1)], True)

    def stopped(self):
        spis = self.section("SIGTERM, on_stop = keep", lambda: [self.dies(signal.SIGTERM) for _ in range(2)])
        self.results.equal("keep: the SPIs stay", self.spis(), spis)

    @staticmethod
    def tags():
        """{name: tags} of the tc programs that are loaded: another tag is another program."""
        out = {}
        for program in json.loads(run("bpftool", "-j", "prog", "show").stdout):
            if program.get("name", "").startswith("tc_"):
                out.setdefault(program["name"], set()).add(program["tag"])
        return {name: sorted(found) for name, found in out.items()}

    def exchanged(self):
        """espgated-next writes other records and has other BPF programs."""
        tags = {"before": self.tags()}

        def deeds():
            for program in ("espgated-next", "espgated"):
                self.dies(signal.SIGTERM, program)
                tags[program] = self.tags()
                self.dies(signal.SIGKILL, program)
        spis = self.section("up to the next version and back", deeds)
        self.results.equal("versions: the SPIs stay", self.spis(), spis)
        self.results.holds("versions: the next one has other programs", tags["before"] and not any(
            set(tags["before"][name]) & set(tags["espgated-next"].get(name, ())) for name in tags["before"]), str(tags["espgated-next"]))
        self.results.equal("versions: the one before has its own again", tags["espgated"], tags["before"])

    def in_the_middle_of_rekeys(self, ike):
        """`ike`: a capture of IKE alone, which says when a rekey has begun."""
        def deeds():
            for number in range(1, 5):
                before = ike.so_far()
                what = f"{name_of(number)}/net" if number % 2 else name_of(number)
                rekey = subprocess.Popen(["nsenter", f"--net=/run/netns/{hosts.GW}", "--", "espgate", "--vici",
                                          f"unix://{self.gateway.socket}", "conn", "rekey", what],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                wait_for("the rekey's first message", lambda before=before: ike.so_far() > before, 120, every=0.02)
                time.sleep(self.random.uniform(0, 0.3))
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


def soak(directory, results):
    with Nonces(f"{directory}/outer.pcap", with_esp=False) as ike, WireNonces() as esp:
        resuming = Resuming(directory, results)
        asked = ike.so_far()
        resuming.soaked()
        results.more("IKE packets on the wire during the kills", ike.so_far() - asked, TUNNELS)
    results.more("esp: packets whose nonces were looked at", int(esp.seen["packets"]), KILLS * RATE)
    results.equal("esp: packets that the look at the wire missed", int(esp.seen["dropped"]), 0)
    results.equal("esp: nonces used twice", int(esp.seen["repeated"]), 0)
    results.equal("ike: packets that the capture missed", ike.dropped, 0)
    results.more("ike: packets whose nonces were looked at", ike.looked_at["ike"], 2 * TUNNELS)
    results.equal("ike: nonces used twice", ike.repeated, [])


def scenario(directory, results):
    hosts.build(networks=TUNNELS)
    if SOAK:
        return soak(directory, results)
    resuming = Resuming(directory, results)
    with Nonces(f"{directory}/outer.pcap") as nonces:
        resuming.killed()
        resuming.stopped()
        resuming.exchanged()
        with Nonces(f"{directory}/ike.pcap", with_esp=False) as ike:
            resuming.in_the_middle_of_rekeys(ike)
    for kind, count in nonces.looked_at.items():
        results.more(f"{kind}: packets whose nonces were looked at", count)
    results.equal("nonces used twice", nonces.repeated, [])


if __name__ == "__main__":
    sys.exit(run_scenario("resume_soak" if SOAK else "resume", scenario))
