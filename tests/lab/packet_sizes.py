#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Packets that are too large for the tunnel, in packet mode, where nobody fragments: what is lost, what is said of it, and what helps.
Local and forwarded ones, with DF and without, IPv4 and IPv6; crypto mode beside it. Against strongSwan.

tools/lab run --out DIR -- python3 tests/lab/packet_sizes.py; rows in DIR/packet_sizes.json.
"""
import json
import sys
import tempfile
from errno import EHOSTUNREACH, EMSGSIZE

from gateway_packet import Packet, modes, pair
from scenario import counters, hosts, traffic
from scenario.results import Results
from scenario.shell import Failed, lib, ns, ns_start, run, wait_for

INSIDE = "inside"  # a host behind the gateway: 10.1.1.9 and fd01:1::9
HOST = {4: "10.1.1.9", 6: "fd01:1::9"}
FAR = {4: hosts.inner(2, 1, 4), 6: hosts.inner(2, 1, 6)}
COUNT = 5
FITS, TOO_LARGE = 1400, 1490  # octets of an IP packet
MTU = {4: 1446, 6: 1426}  # of the tunnel: aes128gcm16 over 1500
PORT = 7007

# Sends COUNT datagrams of that size on the wire of the inner network, and says what became of each send and the path's MTU.
SEND = f"""
import json, socket, sys, time
source, target, size, how = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
six = ":" in target
level, discover, mtu = (41, 23, 24) if six else (0, 10, 14)  # IPV6_MTU_DISCOVER, IPV6_MTU; IP_MTU_DISCOVER, IP_MTU
made = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
made.setsockopt(level, discover, {{"set": 2, "clear": 0}}[how])
made.bind((source, 0))
made.connect((target, {PORT}))
errors = []
for number in range({COUNT}):
    try:
        made.send(bytes(size - (48 if six else 28)))
        errors.append(0)
    except OSError as error:
        errors.append(error.errno)
    time.sleep(0.1)
print(json.dumps([errors, made.getsockopt(level, mtu)]))
"""

RECEIVE = f"""
import socket, sys
made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
made.bind(("::", {PORT}))
while True:
    print(len(made.recv(65536)), flush=True)
"""

# As docs/packet-mode.md has them.
DF_RULE = """table inet df {
  chain before {
    type filter hook prerouting priority mangle;
    ip frag-off 0 ip daddr 10.2.0.0/16 ip frag-off set 0x4000
  }
}
"""
MSS_RULE = """table inet mss {
  chain forward {
    type filter hook forward priority mangle;
    ip daddr 10.2.0.0/16 tcp flags syn tcp option maxseg size set 1406
    ip saddr 10.2.0.0/16 tcp flags syn tcp option maxseg size set 1406
  }
}
"""
NO_ICMP = """table inet silent {
  chain out {
    type filter hook output priority filter;
    icmp type destination-unreachable drop
    icmpv6 type packet-too-big drop
  }
}
"""


class Rules:
    """A table of nftables for a while."""

    def __init__(self, name, text):
        self.name, self.text = name, text

    def __enter__(self):
        ns(self.name, "nft", "-f", "-", stdin=self.text)

    def __exit__(self, *_):
        ns(self.name, "nft", "delete", *self.text.split()[:3])


def add_host():
    """A host behind the gateway, so that packets are forwarded."""
    lib("ns_add", INSIDE)
    run("ip", "link", "add", "veth-g", "netns", hosts.GW, "type", "veth", "peer", "name", "veth-h", "netns", INSIDE)
    for name, device, v4, v6 in ((hosts.GW, "veth-g", "10.1.1.254/24", "fd01:1::fe/96"), (INSIDE, "veth-h", "10.1.1.9/24", "fd01:1::9/96")):
        run("ip", "-n", name, "address", "add", v4, "dev", device)
        run("ip", "-n", name, "address", "add", v6, "dev", device, "nodad")
        run("ip", "-n", name, "link", "set", device, "up")
    for gateway in ("10.1.1.254", "fd01:1::fe"):
        run("ip", "-n", INSIDE, "route", "add", "default", "via", gateway)
    ns(hosts.GW, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")


class Sizes(Packet):
    def __init__(self, directory, results):
        super().__init__(directory, results)
        self.log = f"{directory}/received"
        self.receiver = ns_start(hosts.PEER, sys.executable, "-c", RECEIVE, output=self.log)

    def received(self):
        return len(open(self.log, encoding="ascii").read().split())

    def send(self, family, name, size, how):
        """(errno of each send, how many arrived, the path's MTU as the sender sees it, packets that the stack could not send)."""
        source = HOST[family] if name == INSIDE else hosts.inner(1, 1, family)
        ns(name, "ip", "route", "flush", "cache")
        before, lost = self.received(), counters.stack_errors(hosts.GW).get("XfrmOutError", 0)
        done = ns(name, sys.executable, "-c", SEND, source, FAR[family], size, how)
        errors, mtu = json.loads(done.stdout)
        try:
            wait_for("them", lambda: self.received() - before >= errors.count(0), 2)
        except Failed:
            pass
        return errors, self.received() - before, mtu, counters.stack_errors(hosts.GW).get("XfrmOutError", 0) - lost

    def begin(self, family, mode):
        self.results.section(f"IPv{family}, {mode} mode")
        modes("crypto packet")
        self.start(family, {"net": pair(1, family, mode)})
        self.gateway.cli("conn", "up", "demo/net")

    def sent(self, what, family, name, how, size=TOO_LARGE, **wanted):
        """`wanted`: errors (of each send), arrived, mtu, dropped (XfrmOutError); what is not named is the usual."""
        expected = {"errors": [0] * COUNT, "arrived": COUNT, "mtu": None, "dropped": 0} | wanted
        errors, arrived, mtu, dropped = self.send(family, name, size, how)
        actual = {"errors": errors, "arrived": arrived, "mtu": mtu if expected["mtu"] else None, "dropped": dropped}
        self.results.equal(f"IPv{family} {what}: {size} octets, DF {how}", actual, expected)

    def packet(self, family):
        """Nothing is fragmented: what is larger than the tunnel's MTU is refused, or lost."""
        self.begin(family, "packet")
        mtu = MTU[family]
        for name, what in ((hosts.GW, "local"), (INSIDE, "forwarded")):
            for how in ("set", "clear"):
                self.sent(what, family, name, how, FITS)
        self.sent("local", family, hosts.GW, "set", errors=[EMSGSIZE] * COUNT, arrived=0, mtu=mtu)
        # The first finds out: the gateway's ICMP reaches the sender.
        self.sent("forwarded", family, INSIDE, "set", errors=[0] + [EMSGSIZE] * (COUNT - 1), arrived=0, mtu=mtu)
        if family == 6:  # nobody but the sender ever fragments, and it knows by now
            for name, what in ((hosts.GW, "local"), (INSIDE, "forwarded")):
                self.sent(what, family, name, "clear")
        else:
            self.lost_in_silence()
        self.stop(f"IPv{family}")

    def lost_in_silence(self):
        self.sent("local", 4, hosts.GW, "clear", errors=[EHOSTUNREACH] * COUNT, arrived=0, dropped=COUNT)
        self.sent("forwarded", 4, INSIDE, "clear", arrived=0, dropped=COUNT)
        wait_for("the log to say so", lambda: "outbound packets were dropped (XfrmOutError) while children are in packet mode" in self.gateway.log(), 10)
        self.results.holds("the log says that packets were dropped, and why", True)
        with Rules(hosts.GW, DF_RULE):
            self.sent("forwarded, with the rule for DF", 4, INSIDE, "clear", arrived=COUNT - 1)
        with Rules(hosts.GW, NO_ICMP):
            self.results.equal("TCP, and the gateway's ICMP is lost", self.tcp(), False)
            with Rules(hosts.GW, MSS_RULE):
                self.results.equal("TCP, with the rule for the MSS", self.tcp(), True)
        self.results.equal("TCP, and the ICMP arrives", self.tcp(), True)

    def crypto(self, family):
        """Beside it: the stack encrypts what the device cannot, and fragments it."""
        self.begin(family, "crypto")
        for name, what in ((hosts.GW, "local"), (INSIDE, "forwarded")):
            self.sent(what, family, name, "clear")
        self.stop(f"IPv{family}, crypto")

    def tcp(self):
        """Whether 200,000 octets go through in time, from the host inside."""
        ns(INSIDE, "ip", "route", "flush", "cache")
        try:
            traffic.tcp(self.directory, INSIDE, HOST[4], hosts.PEER, FAR[4], 200000, patience=12)
        except Failed:
            return False
        return True


def main():
    results = Results("packet_sizes")
    with tempfile.TemporaryDirectory() as directory:
        hosts.build()
        add_host()
        scenario = Sizes(directory, results)
        try:
            scenario.packet(4)
            scenario.crypto(4)
            scenario.packet(6)
        except Failed as failure:
            results.holds("the scenario runs to its end", False, str(failure))
        finally:
            if any(not row["pass"] for row in results.rows):
                print("espgated's log:\n" + scenario.gateway.log()[-6000:])
            scenario.receiver.kill()
            scenario.gateway.stop()
            scenario.peer.stop()
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
