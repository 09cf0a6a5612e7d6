#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The ten commonest support questions, each staged against strongSwan: `conn show`, `doctor` and the support bundle name the cause.

tools/lab run -- python3 tests/lab/support_questions.py > LOG; then tools/readme_output.py LOG docs/troubleshooting.md
"""
import json
import os
import pathlib
import re
import shutil
import sys
import tarfile
import tempfile
import time

from demo import CBC, GCM, child, configs
from scenario import daemon, hosts, pki, traffic
from scenario.shell import Failed, lib, ns, run, wait_for

IDS = "gw.example.org", "peer.example.org"
WIDTH = 190
DAY = 86400
# Nobody wants to wait for the whole ladder of retransmissions.
QUICK = "gateway {\n  retransmit_timeout = 0.5\n  retransmit_tries = 3\n}\n"
PATIENCE = 120  # seconds that a daemon may take to start
WORST = re.compile(r"^(error|warning) ")


class Asked:
    """What the three of them answer. `conn`: its text, if the daemon runs; `doctor`, `bundle`: doctor's text, alone and in the bundle."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.conn = gateway.cli("conn", "show", ok=False).stdout
        self.doctor = self.worst(gateway.cli("doctor", "show", "config", gateway.config).stdout)
        path = gateway.directory / "bundle.tar"
        gateway.cli("support-bundle", "to", path, "config", gateway.config)
        with tarfile.open(path) as archive:
            self.files = {pathlib.Path(each.name).name: archive.extractfile(each).read().decode(errors="replace") for each in archive.getmembers()}
        path.unlink()
        self.bundle = self.worst(self.files["doctor.txt"])

    @staticmethod
    def worst(text):
        """Errors and warnings, each with its next step."""
        out, keep = [], False
        for line in text.splitlines():
            keep = bool(WORST.match(line)) or (keep and line.startswith(" "))
            if keep:
                out.append(line)
        return "\n".join(out)

    def show(self, name, conn=True):
        print(f"### {name}\n$ espgate conn show\n{self.conn}" if conn else f"### {name}")
        print(f"$ espgate doctor | grep -A 1 -E '^(error|warning) '\n{self.doctor}\n", flush=True)


class Desk:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.peer = None
        self.gateway = daemon.Gateway(f"{directory}/gw")
        self.gateway.patience = PATIENCE
        self.peers = 0

    def stage(self, ours, theirs):
        self.gateway.stop()
        if self.peer:
            self.peer.stop()
        self.peers += 1  # each in a folder of its own: the socket of the one before may still be there
        self.peer = daemon.Charon(f"{self.directory}/peer{self.peers}").start(theirs)
        self.gateway.start(QUICK + ours)

    def up(self, name="demo/net", ok=False):
        done = self.gateway.cli("conn", "up", name, "--timeout", "30", ok=False)
        if ok != (done.returncode == 0):
            raise Failed(f"conn up {name}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stderr

    def ask(self, name, *, conn=(), doctor=(), show_conn=True):
        """`conn`, `doctor`: words that have to be there, those of doctor in one finding."""
        asked = Asked(self.gateway)
        asked.show(name, show_conn)
        missing = [word for word in conn if word not in asked.conn]
        for text in (asked.doctor, asked.bundle):
            findings = re.split(r"\n(?=error|warning)", text)
            if doctor and not any(all(word in finding for word in doctor) for finding in findings):
                missing.append(f"doctor: {doctor}")
        if conn and not all(word in asked.files["conn.json"] for word in conn):
            missing.append("the same in the bundle's conn.json")
        if missing:
            raise Failed(f"{name}: the answers do not say: {missing}\n{asked.conn}\n{asked.doctor}\n{self.gateway.log()[-3000:]}")
        return asked

    # ---------------------------------------------------------------------------------------- the ten

    def wrong_secret(self):
        ours, theirs = configs({"net": child(1, GCM)})
        self.stage(ours, theirs.replace("a shared secret of the demo", "another secret"))
        self.up()
        self.ask("wrong-secret", conn=["AUTHENTICATION_FAILED"], doctor=["demo/net", "another shared secret", "compare the secret"])

    def no_proposal(self):
        ours, theirs = configs({"net": child(1, GCM)})
        self.stage(ours, theirs.replace("proposals = aes128gcm16-prfsha256-x25519", "proposals = aes256-sha256-modp2048"))
        self.up()
        self.ask("no-proposal", conn=["NO_PROPOSAL_CHOSEN"], doctor=["demo/net", "NO_PROPOSAL_CHOSEN", "compare proposals"])

    def selectors(self):
        ours, theirs = configs({"net": child(1, GCM)})
        self.stage(ours, theirs.replace("local_ts = 10.2.1.0/24", "local_ts = 10.2.99.0/24"))
        self.up()
        self.ask("selectors", conn=["TS_UNACCEPTABLE"], doctor=["demo/net", "TS_UNACCEPTABLE", "local_ts must overlap our remote_ts"])

    def nat(self):
        """Behind a NAT the child comes up, in software: this card takes no ESP in UDP. Then the NAT's firewall drops port 4500."""
        hosts.add_other()
        hosts.add_nat()
        ours, theirs = configs({"net": child(1, GCM, "auto")})
        ours = ours.replace(f"local_addrs = {hosts.GW_ADDRESS[4]}", f"local_addrs = {hosts.BEHIND_NAT[hosts.GW][4]}")
        theirs = theirs.replace(f"remote_addrs = {hosts.GW_ADDRESS[4]}", "remote_addrs = %any")
        self.stage(ours, theirs)
        self.up(ok=True)
        self.ask("nat", doctor=["demo/net out", "Encapsulated xfrm states cannot be offloaded"])
        self.gateway.cli("conn", "down", "demo")
        ns(hosts.WIRE, "nft", "-f", "-", stdin="table inet wall {\n chain f {\n  type filter hook forward priority 0\n  udp dport 4500 drop\n }\n}\n")
        self.up()
        self.ask("nat-blocked", conn=["IKE_AUTH"], doctor=["demo/net", "IKE_AUTH", "UDP 4500"])
        ns(hosts.WIRE, "nft", "flush ruleset")

    def mtu(self):
        self.stage(*configs({"net": child(1, GCM)}))
        run("ip", "-n", hosts.GW, "link", "set", "simnic0", "mtu", "1200")
        self.up(ok=True)
        ns(hosts.GW, "ping", "-q", "-c", "2", "-W", "1", "-M", "do", "-s", "1300", "-I", "10.1.1.1", "10.2.1.1", ok=False)
        self.ask("mtu", doctor=["simnic0", "its MTU is 1200"], show_conn=False)
        run("ip", "-n", hosts.GW, "link", "set", "simnic0", "mtu", "1500")

    @staticmethod
    def dropped_by_reverse_path():
        return int(re.search(r"IPReversePathFilter\s+(\d+)", ns(hosts.GW, "nstat", "-asz", "TcpExtIPReversePathFilter").stdout)[1])

    def rp_filter(self):
        """The peer is routed by another device than the one that has our address and a strict reverse path filter."""
        self.stage(*configs({"net": child(1, GCM)}))
        self.up(ok=True)
        run("ip", "-n", hosts.GW, "link", "add", "lan0", "up", "type", "dummy")
        run("ip", "-n", hosts.GW, "route", "add", hosts.PEER_ADDRESS[4], "dev", "lan0")
        ns(hosts.GW, "sysctl", "-qw", "net.ipv4.conf.simnic0.rp_filter=1")
        before = self.dropped_by_reverse_path()
        traffic.ping(hosts.PEER, "10.2.1.1", "10.1.1.1", count=3, interval=0.2, wait=1)
        dropped = self.dropped_by_reverse_path() - before
        if dropped < 3:
            raise Failed(f"rp_filter: {dropped} packets dropped by it, of 3")
        self.ask("rp-filter", doctor=["demo/net", "rp_filter = 1 on simnic0", hosts.GW_ADDRESS[4], "by lan0"], show_conn=False)
        ns(hosts.GW, "sysctl", "-qw", "net.ipv4.conf.simnic0.rp_filter=0")
        run("ip", "-n", hosts.GW, "link", "del", "lan0")

    def other_device(self):
        """A way to the peer that does not lead by the card."""
        run("ip", "link", "add", "veth9", "netns", hosts.GW, "type", "veth", "peer", "name", "veth8", "netns", hosts.WIRE)
        run("ip", "-n", hosts.WIRE, "address", "add", "10.9.0.2/30", "dev", "veth8")
        run("ip", "-n", hosts.WIRE, "link", "set", "veth8", "up")
        run("ip", "-n", hosts.GW, "address", "add", "10.9.0.1/30", "dev", "veth9")
        run("ip", "-n", hosts.GW, "link", "set", "veth9", "up")
        run("ip", "-n", hosts.GW, "route", "replace", "192.0.2.0/24", "via", "10.9.0.2", "dev", "veth9", "src", hosts.GW_ADDRESS[4])
        self.stage(*configs({"net": child(1, GCM, "crypto")}))
        self.up()
        self.ask("other-device", conn=["veth9"], doctor=["demo/net", "packets to the peer leave by veth9, which cannot offload ESP"])
        run("ip", "-n", hosts.GW, "route", "replace", "192.0.2.0/24", "via", hosts.ROUTER_GW_SIDE[4], "dev", "simnic0")
        run("ip", "-n", hosts.GW, "link", "del", "veth9")

    def certificate(self):
        """Ours ran out eight days ago; then it is the peer's."""
        authority = pki.Authority(self.directory / "ca")
        now = int(time.time())
        certs = {}
        for days in (10, 0):
            run("date", "-s", f"@{now - days * DAY}")
            for home, name in zip(("gw", "peer"), IDS):
                certs[home, days] = authority.issue(self.directory / home, f"{home}-{days}", name, "ecdsa256")[0]
            run("date", "-s", f"@{now + int(time.monotonic() - self.began)}")
        for old in ("gw", "peer"):
            ours, theirs = (re.sub(r"secrets \{.*", "", text, flags=re.S).replace("auth = psk", "auth = pubkey") for text in configs({"net": child(1, GCM)}))
            own = [certs[home, 10 if home == old else 0] for home in ("gw", "peer")]
            ours = ours.replace("auth = pubkey", f"auth = pubkey\n      certs = {own[0]}", 1)
            theirs = theirs.replace("auth = pubkey", f"auth = pubkey\n      certs = {own[1]}", 1)
            shutil.copytree(self.directory / "peer", self.directory / f"peer{self.peers + 1}")  # what charon knows, the authority above all
            self.stage(ours, theirs)
            self.up()
            if old == "gw":
                self.ask("certificate", conn=["AUTHENTICATION_FAILED"], doctor=["gw.example.org", "expired 8 days ago", "have it renewed"])
            else:
                self.ask("certificate-peer", conn=["expired"], doctor=["demo/net", "expired"])

    def silent(self):
        ours, theirs = configs({"net": child(1, GCM)})
        self.stage(ours, theirs)
        self.peer.stop()
        self.peer = None
        self.up()
        self.ask("silent", conn=["timeout"], doctor=["demo/net", "the peer is silent", "UDP 500 and 4500"])

    def module(self):
        """Last: the kernel has no esp4 any more. Without a daemon, doctor and the bundle have to do."""
        self.gateway.stop()
        if self.peer:
            self.peer.stop()
            self.peer = None
        hidden = 0
        for name in ("esp4_offload", "esp4"):
            run("rmmod", name, ok=False)
            for path in pathlib.Path(f"/usr/lib/modules/{os.uname().release}").rglob(f"{name}.ko*"):
                path.rename(path.with_suffix(".away"))
                hidden += 1
        run("depmod", "-a")
        if hidden != 2 or "esp4 " in run("lsmod").stdout:
            raise Failed(f"esp4 could not be taken away: {hidden} files\n{run('lsmod').stdout}")
        ours, _ = configs({"net": child(1, GCM, "auto")})
        self.gateway.write_config(ours)
        done = ns(hosts.GW, "espgated", "--config", self.gateway.config, "--vici", f"unix://{self.gateway.socket}", "--bpffs", daemon.BPFFS, ok=False)
        print(f"### module-start\n$ espgated --config /etc/espgate/espgate.conf\n{(done.stdout + done.stderr).strip()}\n(exit status {done.returncode})\n")
        if done.returncode != 2 or "esp4" not in done.stderr + done.stdout:
            raise Failed(f"espgated without esp4: status {done.returncode}\n{done.stdout}{done.stderr}")
        self.ask("module", doctor=["esp4", "this kernel does not have the module"], show_conn=False)

    began = time.monotonic()


def main():
    os.environ["COLUMNS"] = str(WIDTH)
    with tempfile.TemporaryDirectory(dir="/run") as directory:
        hosts.build()
        desk = Desk(directory)
        failed = []
        for question in (desk.certificate, desk.wrong_secret, desk.no_proposal, desk.selectors, desk.nat, desk.mtu, desk.rp_filter,
                         desk.other_device, desk.silent, desk.module):
            if sys.argv[1:] and question.__name__ not in sys.argv[1:]:
                continue
            try:
                question()
                print(f"ok   {question.__name__}", file=sys.stderr, flush=True)
            except Failed as failure:
                failed.append(question.__name__)
                print(desk.peer.log()[-3000:] if desk.peer else "", file=sys.stderr)
                print(f"FAILED {question.__name__}: {failure}", file=sys.stderr, flush=True)
        desk.gateway.stop()
        if desk.peer:
            desk.peer.stop()
        hosts.destroy()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
