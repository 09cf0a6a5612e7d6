#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Packet mode: the emulated NIC holds SAs and policies of espgated's children, puts headers on and takes them off, and counts.
Against strongSwan behind a router, over IPv4 and IPv6, in tunnel and transport mode; what is refused, link flaps, and kill -9.

tools/lab run --out DIR -- python3 tests/lab/gateway_packet.py [PART...]; rows in DIR/packet.json. Without a PART: all of PARTS.
"""
import json
import signal
import sys
import tempfile
import time

from scenario import counters, daemon, hosts, traffic
from scenario.results import Results
from scenario.shell import Failed, lib, ns, run, wait_for
from scenario.stream import Stream

GCM, CBC = "aes128gcm16", "aes256-sha256"
PINGS, TCP_OCTETS = 50, 300_000
REROUTED = 4.0  # the same, of a route that has changed: a second is waited for others that may come
LONGEST = 2.0  # seconds without an answer that are allowed after a link is up again


def modes(words):
    lib("simnic_knob", "simnic0", "modes", words)


def held_by_nic():
    return sorted(f"{direction} {spi}" for direction, spi in counters.nic_sas())


def policies_held():
    return open(f"{counters.SIMNIC}/simnic0/policies", encoding="ascii").read().splitlines()


def pair(number, family, offload, suite=GCM, mode="tunnel", **more):
    """The same child seen from both sides."""
    ours = {"esp_proposals": suite, "mode": mode, "hw_offload": offload, **more}
    theirs = {"esp_proposals": suite, "mode": mode, "replay_window": 128}
    if mode == "tunnel":
        near, far = hosts.network(1, number, family), hosts.network(2, number, family)
        ours |= {"local_ts": near, "remote_ts": far}
        theirs |= {"local_ts": far, "remote_ts": near}
    return ours, theirs


def configs(family, children):
    ends = [(hosts.GW_ADDRESS[family], "gw.example.org"), (hosts.PEER_ADDRESS[family], "peer.example.org")]
    out = []
    for side in (0, 1):
        near, far = ends if side == 0 else reversed(ends)
        out.append(daemon.swanctl_conf(local=near[0], remote=far[0], local_id=near[1], remote_id=far[1], secret="a secret",
                                       proposals="aes128gcm16-prfsha256-x25519",
                                       children={name: both[side] for name, both in children.items()}))
    return out


class Packet:
    def __init__(self, directory, results):
        self.results = results
        self.gateway = daemon.Gateway(f"{directory}/gw")
        self.gateway.arguments = ["--devices", f"{directory}/devices.json"]
        self.peer = daemon.Charon(f"{directory}/peer")
        self.directory = directory
        self.peer_runs = False

    def start(self, family, children, gateway=""):
        ours, theirs = configs(family, children)
        if self.peer_runs:
            self.peer.load(theirs)
        else:
            self.peer.start(theirs)
            self.peer_runs = True
        self.gateway.start(gateway + ours)

    def stop(self, what):
        self.results.equal(f"{what}: espgated stops cleanly", self.gateway.stop(), 0)
        self.results.equal(f"{what}: nothing is left in the NIC", (held_by_nic(), policies_held()), ([], []))
        self.results.equal(f"{what}: nor in the kernel", (counters.kernel_sas(hosts.GW), counters.policies(hosts.GW)), ({}, []))
        wait_for("the peer to be rid of it", lambda: not counters.kernel_sas(hosts.PEER))

    def state(self, name):
        row = self.gateway.children()[f"demo/{name}"]
        return [row[side]["offload"]["actual"] for side in ("in", "out")], row

    def counted(self, what, name):
        """`sa show`, the NIC's own counts and GETSA's say the same."""
        actual, row = self.state(name)
        self.results.equal(f"{what}: held", actual, ["packet", "packet"])
        nic, kernel = counters.nic_sas(), counters.kernel_sas(hosts.GW)
        far = counters.kernel_sas(hosts.PEER)
        for side in ("in", "out"):
            spi = row[side]["spi"]
            shown = (row[side]["hw"]["packets"], row[side]["hw"]["bytes"])
            self.results.more(f"{what} {side}: packets", shown[0], PINGS)
            self.results.equal(f"{what} {side}: sa show is the NIC's", shown, tuple(nic[side, spi][key] for key in ("packets", "bytes")))
            self.results.equal(f"{what} {side}: sa show is GETSA's", shown, tuple(kernel[spi][key] for key in ("packets", "bytes")))
            self.results.equal(f"{what} {side}: software, exact, effective", (row[side]["sw"]["packets"], row[side]["exact"],
                                                                              row[side]["offload"]["effective"]), (0, False, "hw"))
        self.results.equal(f"{what} out: the peer received them all", far[row["out"]["spi"]]["packets"], row["out"]["hw"]["packets"])

    def carry(self, near, far):
        traffic.ping_all(hosts.GW, near, far, PINGS)
        traffic.tcp(self.directory, hosts.GW, near, hosts.PEER, far, TCP_OCTETS)
        traffic.tcp(self.directory, hosts.PEER, far, hosts.GW, near, TCP_OCTETS)

    # --------------------------------------------------------------------------------------------- parts

    def cells(self, family):
        self.results.section(f"IPv{family}")
        modes("crypto packet")
        self.start(family, {"tunnel": pair(1, family, "packet"), "auto": pair(2, family, "auto"),
                            "transport": pair(0, family, "packet", mode="transport")})
        for name, near, far in (("tunnel", hosts.inner(1, 1, family), hosts.inner(2, 1, family)),
                                ("auto", hosts.inner(1, 2, family), hosts.inner(2, 2, family)),
                                ("transport", hosts.GW_ADDRESS[family], hosts.PEER_ADDRESS[family])):
            self.gateway.cli("conn", "up", f"demo/{name}")
            self.carry(near, far)
            self.counted(f"IPv{family} {name}", name)
        before = self.state("tunnel")[1]["out"]["spi"]
        self.peer.ctl("--rekey", "--child", "tunnel")
        wait_for("new SAs", lambda: self.state("tunnel")[1]["out"]["spi"] != before)
        self.carry(hosts.inner(1, 1, family), hosts.inner(2, 1, family))
        self.counted(f"IPv{family} tunnel, after the peer's rekey", "tunnel")
        held = policies_held()
        self.results.equal("policies in the NIC: each child's in and out, IKE's two ports in and out", len(held), 3 * 2 + 2 * 2)
        self.results.equal("errors of the stack", counters.stack_errors(hosts.GW).get("XfrmOutStateInvalid", 0), 0)
        self.stop(f"IPv{family}")

    def refusals(self):
        self.results.section("what the NIC refuses")
        self.start(4, {"fine": pair(1, 4, "auto"), "window": pair(2, 4, "auto", replay_window="100"),
                       "cbc": pair(3, 4, "auto", suite=CBC), "icmp": pair(4, 4, "auto"),
                       "strict": pair(5, 4, "packet", suite=CBC)})
        for name, actual, word in (("fine", "packet", ""), ("window", "crypto", "Unsupported replay window size"),
                                   ("cbc", "none", "Cannot offload authenticated xfrm states")):
            self.gateway.cli("conn", "up", f"demo/{name}")
            state, row = self.state(name)
            self.results.equal(f"{name}: where it runs", state, [actual, actual])
            reason = f"{row['in']['offload']['reason']} {row['out']['offload']['reason']}"
            self.results.holds(f"{name}: in the driver's words: {word}", word in reason, reason)
            number = ("fine", "window", "cbc").index(name) + 1
            self.carry(hosts.inner(1, number), hosts.inner(2, number))
        up = self.gateway.cli("conn", "up", "demo/strict", ok=False)
        said = up.stdout + up.stderr
        self.results.holds("strict with a suite that is refused: nothing was sent", up.returncode == 2 and "nothing was sent" in said, said)
        rows = [row for row in json.loads(ns(hosts.GW, "espgate", "-j", "offload", "probe", "dev", "simnic0").stdout)
                if row["mode"] == "packet"]
        taken = {row["suite"].removesuffix("-esn") for row in rows if row["result"] == "taken"}
        self.results.equal("the probe: suites taken in packet mode", sorted(taken), [GCM, "aes256gcm16"])
        words = {row["reason"] for row in rows if row["result"] == "refused"}
        self.results.holds("the probe: refused in the driver's words", any("Encapsulated" in word for word in words), sorted(words))
        self.results.equal("the probe: silently software", [row for row in rows if row["result"] not in ("taken", "refused")], [])
        self.stop("refusals")
        modes("crypto")
        run("rm", "-f", f"{self.directory}/devices.json")
        self.start(4, {"strict": pair(1, 4, "packet"), "auto": pair(2, 4, "auto")})
        up = self.gateway.cli("conn", "up", "demo/strict", ok=False)
        said = up.stdout + up.stderr
        self.results.holds("strict on a crypto-only NIC: nothing was sent, in its words", up.returncode == 2
                           and "nothing was sent" in said and "Packet offload mode is not supported" in said, said)
        self.gateway.cli("conn", "up", "demo/auto")
        state, row = self.state("auto")
        self.results.equal("auto on a crypto-only NIC", (state, row["in"]["offload"]["reason"] or ""), (["crypto", "crypto"], ""))
        self.stop("crypto only")
        modes("crypto packet")

    def flaps(self):
        self.results.section("link flaps")
        # Without a floor beneath: the block policy of packet mode alone keeps packets in.
        self.start(4, {"net": pair(1, 4, "packet", when_down="pass")})
        self.gateway.cli("conn", "up", "demo/net")
        with counters.Capture(f"{self.directory}/clear.pcap", device="simnic1", expression="net 10.0.0.0/8") as capture:
            with Stream({"net": (hosts.inner(1, 1), hosts.inner(2, 1))}) as stream:
                time.sleep(1)
                self.results.equal("traffic passes", stream.answered_lately("net", 0.5), True)
                for number in (1, 2):
                    self.flap(f"flap {number}", stream)
        inside = [packet for packet in counters.pcap_packets(capture.path) if counters.is_inner(packet)]
        self.results.equal("in the clear on the wire", len(inside), 0)
        self.stop("flaps")

    def killed(self):
        """The NIC holds SAs and policies on while espgated is away, and the next one leaves them as they are."""
        self.results.section("kill -9 under traffic")
        keep = "gateway {\n  on_stop = keep\n}\n"
        children = {"net": pair(1, 4, "packet"), "auto": pair(2, 4, "auto")}
        self.start(4, children, keep)
        for name in children:
            self.gateway.cli("conn", "up", f"demo/{name}")

        def held():
            return held_by_nic(), sorted(policies_held()), sorted(counters.policy_rows(hosts.GW), key=str)
        before, negotiated = held(), self.peer.log().count(" established between ")
        with Stream({name: (hosts.inner(1, number), hosts.inner(2, number)) for number, name in enumerate(children, 1)}) as stream:
            time.sleep(1)
            for turn, how in enumerate((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM), 1):
                self.gateway.stop(how)
                time.sleep(0.5)
                self.gateway.start()
                wait_for("its IKE SA", lambda turn=turn: self.gateway.log().count("goes on where a former espgated left it") == turn)
            said = stream.end()
        self.results.more("packets sent", min(sent for sent, _ in said.values()), 200)
        self.results.equal("packets lost", {name: sent - answered for name, (sent, answered) in said.items()}, dict.fromkeys(children, 0))
        self.results.equal("NIC and kernel hold what they held", held() == before, True)
        self.results.equal("IKE SAs negotiated", self.peer.log().count(" established between ") - negotiated, 0)
        for name in children:
            self.results.equal(f"{name}: held", self.state(name)[0], ["packet", "packet"])
        spi = self.state("net")[1]["out"]["spi"]
        self.gateway.cli("conn", "rekey", "demo/net")
        wait_for("new SAs", lambda: self.state("net")[1]["out"]["spi"] != spi)
        self.carry(hosts.inner(1, 1), hosts.inner(2, 1))
        self.counted("after kills and a rekey", "net")
        self.gateway.write_config(configs(4, children)[0])
        self.gateway.cli("conn", "reload")
        self.stop("kills")

    def crowded(self):
        """Others' SAs make the kernel's table grow, and the kernel finds those in packet mode no more: they are made anew."""
        self.results.section("a table that grows")
        self.results.holds("it was made large before the first SA in packet mode", "table of SAs has 1024 places now" in self.gateway.log())
        self.start(4, {"net": pair(1, 4, "packet")})
        self.gateway.cli("conn", "up", "demo/net")
        before = self.state("net")[1]["out"]["spi"]
        name = "src 203.0.113.1 dst 203.0.113.2 proto esp spi 0x{:x}"
        ends = hosts.inner(1, 1), hosts.inner(2, 1)
        traffic.ping_all(hosts.GW, *ends, PINGS)
        run("ip", "-n", hosts.GW, "-batch", "-", stdin="".join(
            f"xfrm state add {name.format(spi)} mode tunnel enc cipher_null ''\n" for spi in range(0x10000, 0x10000 + 1500)))
        time.sleep(1)
        lost = 100 - traffic.ping(hosts.GW, *ends, count=100, interval=0.02)
        self.results.add("seconds without answers", f"<= {LONGEST}", lost * 0.02, lost * 0.02 <= LONGEST)
        traffic.ping_all(hosts.GW, *ends, PINGS)
        actual, row = self.state("net")
        print(f"       {'made anew' if row['out']['spi'] != before else 'still found'}", flush=True)
        self.results.equal("where it runs", actual, ["packet", "packet"])
        run("ip", "-n", hosts.GW, "-batch", "-", stdin="".join(
            f"xfrm state delete {name.format(spi)}\n" for spi in range(0x10000, 0x10000 + 1500)))
        self.stop("a table that grows")

    def rerouted(self):
        """The route to the peer goes to another device and comes back: the children follow it."""
        self.results.section("another way")
        run("ip", "link", "add", "side0", "netns", hosts.GW, "type", "veth", "peer", "name", "side1", "netns", hosts.WIRE)
        for name, device, address in ((hosts.GW, "side0", "203.0.113.1/30"), (hosts.WIRE, "side1", "203.0.113.2/30")):
            run("ip", "-n", name, "address", "add", address, "dev", device)
            run("ip", "-n", name, "link", "set", device, "up")
        self.start(4, {"net": pair(1, 4, "auto")})
        self.gateway.cli("conn", "up", "demo/net")
        with Stream({"net": (hosts.inner(1, 1), hosts.inner(2, 1))}) as stream:
            time.sleep(1)
            for device, way, actual in (("side0", "via 203.0.113.2", "none"),
                                        ("simnic0", f"via {hosts.ROUTER_GW_SIDE[4]}", "packet")):
                since = time.monotonic()
                for target in ("192.0.2.0/24", f"{hosts.network(2, 1)}"):
                    source = f"src {hosts.inner(1, 1)}" if target.startswith("10.") else f"src {hosts.GW_ADDRESS[4]}"
                    run("ip", "-n", hosts.GW, *f"route replace {target} {way} dev {device} {source}".split())
                wait_for(f"the child to follow to {device}", lambda: self.state("net")[0] == [actual, actual], 20)
                time.sleep(1)
                silence = stream.silence("net", since)
                self.results.add(f"to {device}: longest silence in seconds", f"<= {REROUTED}", round(silence, 2), silence <= REROUTED)
                self.results.equal(f"to {device}: traffic passes", stream.answered_lately("net", 0.5), True)
        self.stop("another way")

    def flap(self, when, stream):
        routes = [line for line in ns(hosts.GW, "ip", "route", "show", "dev", "simnic0").stdout.splitlines() if " proto kernel" not in line]
        before = self.state("net")[1]["out"]["spi"]
        run("ip", "-n", hosts.GW, "link", "set", "simnic0", "down")
        self.results.holds(f"{when}: the NIC lost the SA", ("out", before) not in counters.nic_sas(), held_by_nic())
        time.sleep(0.5)
        since = time.monotonic()
        run("ip", "-n", hosts.GW, "-batch", "-", stdin="link set simnic0 up\n" + "".join(
            f"route replace {line.strip()} dev simnic0\n" for line in routes))
        wait_for(f"{when}: new SAs", lambda: self.state("net")[1]["out"]["spi"] != before, 20)
        time.sleep(1)
        silence = stream.silence("net", since)
        self.results.add(f"{when}: longest silence in seconds", f"<= {LONGEST}", round(silence, 2), silence <= LONGEST)
        self.results.equal(f"{when}: where it runs", self.state("net")[0], ["packet", "packet"])


PARTS = {"cells4": lambda it: it.cells(4), "cells6": lambda it: it.cells(6), "refusals": Packet.refusals, "flaps": Packet.flaps,
         "killed": Packet.killed, "crowded": Packet.crowded, "rerouted": Packet.rerouted}


def main():
    results = Results("packet")
    with tempfile.TemporaryDirectory() as directory:
        try:
            hosts.build()
            scenario = Packet(directory, results)
            modes("crypto packet")
            for part in sys.argv[1:] or PARTS:
                PARTS[part](scenario)
        except Failed as failure:
            results.holds("the scenario runs to its end", False, str(failure))
        finally:
            if any(not row["pass"] for row in results.rows):
                print("espgated's log:\n" + scenario.gateway.log()[-9000:] + "\ncharon's log:\n" + scenario.peer.log()[-2000:])
                print(ns(hosts.GW, "ip", "xfrm", "policy").stdout[:4000], "\n".join(policies_held()))
            scenario.gateway.stop()
            scenario.peer.stop()
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
