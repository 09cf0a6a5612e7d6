#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the policies of espgated do in a real kernel, against strongSwan: traps and the packet that meets one, SAs that somebody
deletes, shunts, AH, transport and strict offload, XFRM interfaces, marks.

tools/lab run --out DIR -- python3 tests/lab/gateway_policies.py [PART...]; rows in DIR/policies.json. All in one boot; what may
not be in the clear is looked for on the gateway's own wire.
"""
import re
import socket
import struct
import sys
import time

from scenario import counters, daemon, hosts, traffic
from scenario.results import run_scenario
from scenario.shell import Failed, ns, run, wait_for

GCM = "aes128gcm16"
TRAP, LATE, TAKEN, SHA256, PORTS, DEVICE, MARKED, PASSED, COVERED, DROPPED, _, STRICT = range(1, 13)  # child numbers, by network
IF_ID, MARK = 42, 0x10
IN_THE_CLEAR = {PASSED, MARKED}  # only these may be seen: the second without the mark that its child asks for
PROTOCOL = {"icmp": 1, "udp": 17, "esp": 50, "ah": 51}


def nets(number, wide=False):
    """(near, far) of a child; `wide`: all the networks from 8 to 11."""
    return tuple(f"10.{side}.8.0/22" if wide else hosts.network(side, number) for side in (1, 2))


def child(number, near=None, far=None, wide=False, **keys):
    """(ours, theirs) of a child in tunnel mode; near and far: keys of only one side."""
    left, right = nets(number, wide)
    base = {"esp_proposals": GCM, "mode": "tunnel", **keys}
    return ({"local_ts": left, "remote_ts": right, **base, **(near or {})},
            {"local_ts": right, "remote_ts": left, **base, "replay_window": 128, **(far or {})})


def without_esp(pair):
    for side in pair:
        side.pop("esp_proposals")
    return pair


def transport():
    ends = {"local_ts": "dynamic[icmp]", "remote_ts": "dynamic[icmp]", "esp_proposals": GCM, "mode": "transport"}
    return dict(ends), dict(ends, replay_window=128)


CHILDREN = {
    "trap": child(TRAP, near={"start_action": "trap"}),
    "late": child(LATE, near={"start_action": "trap"}),
    "taken": child(TAKEN),
    "ah": without_esp(child(SHA256, ah_proposals="sha256")),
    "ah384": without_esp(child(PORTS, ah_proposals="sha384")),
    "device": child(DEVICE, near={"if_id_in": IF_ID, "if_id_out": IF_ID}),
    "marked": child(MARKED, near={"mark_out": MARK, "mark_in": MARK, "set_mark_in": MARK}),
    "wide": child(COVERED, wide=True),
    "host": transport(),
    "strict": child(STRICT, near={"hw_offload": "crypto"}, esp_proposals="aes256-sha256"),
}
SHUNTS = {"passed": (PASSED, "pass"), "dropped": (DROPPED, "drop")}


def configs():
    ends = {"secret": "a shared secret of the policies", "proposals": "aes128gcm16-prfsha256-x25519"}
    gw, peer = hosts.GW_ADDRESS[4], hosts.PEER_ADDRESS[4]
    ours = daemon.swanctl_conf(local=gw, remote=peer, local_id="gw.example.org", remote_id="peer.example.org",
                               children={name: pair[0] for name, pair in CHILDREN.items()}, **ends)
    theirs = daemon.swanctl_conf(local=peer, remote=gw, local_id="peer.example.org", remote_id="gw.example.org",
                                 children={name: pair[1] for name, pair in CHILDREN.items()}, **ends)
    shunts = "".join(f"{name} {{ local_ts = {nets(number)[0]}\nremote_ts = {nets(number)[1]}\nmode = {mode}\n"
                     f"start_action = trap }}\n" for name, (number, mode) in SHUNTS.items())
    return ours.replace("connections {", f"connections {{\n  lan {{ children {{\n{shunts} }} }}", 1), theirs


def larval_drop(value):
    ns(hosts.GW, "sysctl", "-qw", f"net.core.xfrm_larval_drop={value}")


def counts(capture, begin=0):
    """Of a capture: {protocol number: packets} between the gateways, {child number: packets in the clear}."""
    outer, clear = {}, {}
    for packet in list(counters.pcap_packets(capture.path))[begin:]:
        if counters.is_inner(packet):
            ends = [socket.inet_ntoa(packet[at:at + 4]) for at in (26, 30)]
            number = int(next(end for end in ends if end.startswith("10.")).split(".")[2])
            clear[number] = clear.get(number, 0) + 1
        elif struct.unpack_from("!H", packet, 12)[0] == 0x0800:
            outer[packet[23]] = outer.get(packet[23], 0) + 1
    return outer, clear


class Policies:
    def __init__(self, directory, results):
        self.results = results
        self.ours, theirs = configs()
        self.peer = daemon.Charon(f"{directory}/peer").start(theirs)
        self.gateway = daemon.Gateway(f"{directory}/gw").start(self.ours)
        self.capture = counters.Capture(f"{directory}/wire.pcap", device="simnic1", expression="ip")

    # ------------------------------------------------------------------------------------------ helpers

    def up(self, name):
        done = self.gateway.cli("conn", "up", f"demo/{name}", ok=False)
        self.results.equal(f"{name}: comes up", (done.stderr.strip() if done.returncode else "up"), "up")

    def pings(self, label, number, expected, count=5, **how):
        answered = traffic.ping(hosts.GW, hosts.inner(1, number), hosts.inner(2, number), count=count, **how)
        self.results.equal(f"{label}: pings answered of {count}", answered, expected)

    def state(self, name, conn="demo"):
        return {row["child"]: row["state"] for row in self.gateway.json("conn", "show") if row["conn"] == conn}[name]

    def row(self, name):
        return self.gateway.children()[f"demo/{name}"]

    def packets(self, name):
        """Packets of a child, in and out by espgate, in and out by the peer's kernel."""
        row, theirs = self.row(name), counters.kernel_sas(hosts.PEER)
        ours = [int(row[side]["hw"]["packets"]) + int(row[side]["sw"]["packets"]) for side in ("in", "out")]
        return ours + [theirs[row[side]["spi"]]["packets"] for side in ("out", "in")]

    def seen(self, kind, before):
        """IP packets of a protocol on the wire since `before` (packets captured)."""
        time.sleep(0.5)
        return counts(self.capture, before)[0].get(PROTOCOL[kind], 0)

    def captured(self):
        time.sleep(0.5)
        return len(list(counters.pcap_packets(self.capture.path)))

    # --------------------------------------------------------------------------------------------- parts

    def trap(self):
        """RFC 4301 4.4.1: a packet that needs an SA has one made. With xfrm_larval_drop = 0 it waits for it."""
        self.results.section("traps")
        self.results.equal("trap: its state", self.state("trap"), "trapped")
        larval_drop(0)
        self.pings("trap, larval_drop = 0", TRAP, 1, count=1, wait=10)
        self.results.equal("trap: its state", self.state("trap"), "up")
        larval_drop(1)
        # At 1 the kernel drops what meets a trap; how many depends on how fast the child is there.
        first = traffic.ping(hosts.GW, hosts.inner(1, LATE), hosts.inner(2, LATE), count=1, wait=3)
        self.results.equal("trap, larval_drop = 1: the first ping is answered", first, 0)
        wait_for("the child that the packet asked for", lambda: self.state("late") == "up")
        self.pings("trap, larval_drop = 1, up", LATE, 5)
        text = self.gateway.cli("policy", "show").stdout
        self.results.holds("policy show says what becomes of the first packet", "xfrm_larval_drop" in text)
        self.gateway.cli("conn", "down", "demo/late")
        self.results.equal("down: trapped again", self.state("late"), "trapped")
        larval_drop(0)
        self.pings("trap: from its state of waiting, again", LATE, 1, count=1, wait=10)

    def taken(self):
        """Somebody deletes SAs of ours by hand: traffic asks for them, and nothing is in the clear meanwhile."""
        self.results.section("SAs that somebody deletes")
        self.up("taken")
        self.pings("taken: up", TAKEN, 5)
        for side in ("out", "in"):
            sa = self.row("taken")[side]
            run("ip", "-n", hosts.GW, "xfrm", "state", "delete", "src", sa["src"], "dst", sa["dst"], "proto", "esp", "spi",
                f"0x{sa['spi']}")
            begin = time.monotonic()

            def back():
                return traffic.ping(hosts.GW, hosts.inner(1, TAKEN), hosts.inner(2, TAKEN), count=1, wait=1) == 1
            wait_for(f"traffic after the {side}bound SA was deleted", back, 60)
            self.results.holds(f"taken, {side}bound: traffic is back by itself", True,
                               f"after {time.monotonic() - begin:.1f} s")
            self.pings(f"taken, {side}bound: afterwards", TAKEN, 5)
        spis = {self.row("taken")[side]["spi"] for side in ("in", "out")}
        self.results.equal("taken: the SAs shown are the kernel's", spis <= set(counters.kernel_sas(hosts.GW)), True)

    def ah(self):
        """RFC 4302: the packets are authenticated, in the clear."""
        self.results.section("AH")
        for name, number in (("ah", SHA256), ("ah384", PORTS)):
            before = self.captured()
            self.up(name)
            self.pings(name, number, 20, count=20)
            self.results.equal(f"{name}: AH packets on the wire", self.seen("ah", before), 40)
            self.results.equal(f"{name}: suite", self.row(name)["suite"], "ah-" + CHILDREN[name][0]["ah_proposals"])

    def transport(self):
        self.results.section("transport mode")
        before = self.captured()
        self.up("host")
        answered = traffic.ping(hosts.GW, hosts.GW_ADDRESS[4], hosts.PEER_ADDRESS[4], count=20)
        self.results.equal("host: pings answered of 20", answered, 20)
        self.results.equal("host: ESP packets on the wire", self.seen("esp", before), 40)
        self.results.equal("host: mode", self.row("host")["mode"], "transport")
        self.results.equal("host: counts", self.packets("host"), [20, 20, 20, 20])
        self.gateway.cli("conn", "down", "demo/host")

    def strict(self):
        """hw_offload = crypto, and the device refuses every suite: that is known before anything is sent."""
        self.results.section("strict offload")
        before = self.captured()
        done = self.gateway.cli("conn", "up", "demo/strict", ok=False)
        self.results.equal("strict: exit status", done.returncode, 2)
        words = '"Cannot offload authenticated xfrm states" (EINVAL)'
        self.results.holds("strict: in the driver's words", words in done.stderr and "nothing was sent" in done.stderr,
                           done.stderr.strip().splitlines()[-1])
        self.results.equal("strict: IKE datagrams on the wire", self.seen("udp", before), 0)
        self.pings("strict: not up", STRICT, 0, count=2, wait=1)

    def device(self):
        """An XFRM interface: routes decide, only what goes by the interface is protected by this child."""
        self.results.section("XFRM interface")
        run("ip", "-n", hosts.GW, "link", "add", "xfrm42", "type", "xfrm", "dev", "simnic0", "if_id", IF_ID)
        run("ip", "-n", hosts.GW, "link", "set", "xfrm42", "up")
        run("ip", "-n", hosts.GW, "route", "replace", hosts.network(2, DEVICE), "dev", "xfrm42", "src", hosts.inner(1, DEVICE))
        self.pings("device: before it is up", DEVICE, 0, count=2, wait=1)
        self.up("device")
        self.pings("device", DEVICE, 20, count=20)
        self.results.equal("device: counts", self.packets("device"), [20, 20, 20, 20])
        link = ns(hosts.GW, "ip", "-s", "-j", "link", "show", "xfrm42").stdout
        numbers = [int(value) for value in re.findall(r'"packets":(\d+)', link)]
        self.results.equal("device: packets of the interface (received, sent)", numbers, [20, 20])

    def marked(self):
        """Only packets with the mark meet its policies; the inbound SA sets it for the way in."""
        self.results.section("marks")
        self.up("marked")
        ns(hosts.GW, "nft", "-f", "-", stdin=f"""table ip marks {{
  chain out {{ type route hook output priority mangle; ip daddr {hosts.network(2, MARKED)} meta mark set {MARK}; }}
}}
""")
        self.pings("marked", MARKED, 20, count=20)
        self.results.equal("marked: counts", self.packets("marked"), [20, 20, 20, 20])
        ns(hosts.GW, "nft", "delete", "table", "ip", "marks")
        self.pings("marked: without its mark", MARKED, 0, count=2, wait=1)

    def shunts(self):
        """Exceptions in a child's selectors: passed in the clear, dropped, and what is between them protected."""
        self.results.section("shunts")
        for name, kind in SHUNTS.items():
            self.results.equal(f"{name}: its state", self.state(name, "lan"), kind[1])
        before = self.captured()
        self.up("wide")
        self.pings("covered by the child", COVERED, 10, count=10)
        self.pings("dropped", DROPPED, 0, count=3, wait=1)
        # Its way back would meet the peer's own policies: what leaves is what counts.
        traffic.ping(hosts.GW, hosts.inner(1, PASSED), hosts.inner(2, PASSED), count=3, wait=1)
        time.sleep(0.5)
        outer, clear = counts(self.capture, before)
        self.results.equal("passed: requests on the wire in the clear", clear.get(PASSED), 3)
        self.results.equal("covered: ESP packets", outer.get(PROTOCOL["esp"]), 20)

    def clear(self):
        self.results.section("in the clear")
        seen = counts(self.capture)[1]
        leaked = {number: packets for number, packets in seen.items() if number not in IN_THE_CLEAR}
        self.results.equal("capture: packets of children in the clear", leaked, {})
        self.results.equal("capture: packets dropped", self.capture.dropped, 0)


PARTS = ("trap", "taken", "ah", "transport", "strict", "device", "marked", "shunts")


def scenario(directory, results, parts):
    hosts.build()
    policies = Policies(directory, results)
    try:
        with policies.capture:
            for part in parts:
                try:
                    getattr(policies, part)()
                except Failed as failure:
                    results.holds(f"{part}: runs to its end", False, str(failure))
        policies.clear()
        results.equal("stops cleanly", policies.gateway.stop(), 0)
        left = (counters.kernel_sas(hosts.GW), counters.policies(hosts.GW))
        results.equal("nothing of it is left in the kernel", left, ({}, []))
    finally:
        if any(not row["pass"] for row in results.rows):
            print("espgated's log:\n" + policies.gateway.log()[-9000:] + "\ncharon's log:\n" + policies.peer.log()[-9000:])
        policies.gateway.stop()
        policies.peer.stop()
        hosts.destroy()


if __name__ == "__main__":
    sys.exit(run_scenario("policies", lambda directory, results: scenario(directory, results, sys.argv[1:] or PARTS)))
