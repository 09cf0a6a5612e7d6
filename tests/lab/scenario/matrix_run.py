# SPDX-License-Identifier: Apache-2.0
"""Runs cells of matrix.py: one connection at a time, each loaded for its cell, driven and looked at from both sides."""
import ipaddress
import re
import time
import traceback

from . import counters, hosts, ike_wire, matrix, traffic
from .matrix_bench import Bench, ends_of
from .pair import grown
from .shell import Failed, wait_for

# How each peer's log says that espgate proved who it is, and with what.
PROOF = {
    "strongswan": "authentication of '{}' with ({}) successful",
    "libreswan": "authenticated peer (?:using )?({}).*'@{}",
}
SIGNED = {
    "strongswan": {"psk": "pre-shared key", "rsa": "RSA_EMSA_PKCS1_SHA2_256", "rsa-pss": "RSA_EMSA_PSS_SHA2_256_SALT_32",
                   "ecdsa256": "ECDSA_WITH_SHA256_DER", "ecdsa384": "ECDSA_WITH_SHA384_DER",
                   "ecdsa521": "ECDSA_WITH_SHA512_DER", "ed25519": "ED25519"},
    "libreswan": {"psk": "authby=secret", "rsa": "'2048-bit PKCS#1 1.5 RSA with SHA2_256'",
                  "rsa-pss": "'2048-bit RSASSA-PSS with SHA2_256'",
                  "ecdsa256": "'P-256 ECDSA with SHA2_256'", "ecdsa384": "'P-384 ECDSA with SHA2_384'",
                  "ecdsa521": "'P-521 ECDSA with SHA2_512'"},
}

# pluto, answering our rekey, sends on the new SA before its answer has left; what arrives before we have read that finds no SA
# (RFC 7296 2.8 lets it). charon waits for our DELETE. Counted exactly: as many lost as the stack found no SA for, and few.
AHEAD, MOST_AHEAD = f"{hosts.GW} XfrmInNoStates", 8


def proof(cell, gw_id):
    """The expression that finds it."""
    words = re.escape(SIGNED[cell["peer"]][cell["auth"]])
    # Long identities are cut short in logs.
    return PROOF[cell["peer"]].format(*((words, gw_id[:40]) if cell["peer"] == "libreswan" else (gw_id, words)))


class CellRun:
    """One cell from load to nothing left."""

    def __init__(self, bench, cell):
        self.bench, self.cell, self.name = bench, cell, matrix.name(cell)
        self.peer, self.ends = bench.peers[cell["peer"]], ends_of(cell, f"cell{next(bench.numbers)}")
        self.results = bench.results
        self.mark = self.ahead = 0  # where this cell begins in the peer's log; packets that pluto sent ahead

    def check(self, what, expected, actual, passed=None):
        return self.results.check(f"{self.name}/{what}", expected, actual, passed)

    def states(self):
        return self.bench.kernels[hosts.GW].states(), self.bench.kernels[self.peer.name].states()

    def run(self):
        errors = self.errors()
        self.bench.load(self.cell, self.ends, self.peer)
        self.bench.wire.look()
        self.mark = len(self.peer.log())
        if not self.up():
            return
        self.negotiated()
        self.agreement("xfrm state agrees")
        self.carry("traffic", "ping=10x56", "sizes=1,500,1300", "both=100000")
        self.rekeys()
        if self.cell["path"] == "nat" and self.cell["role"] == "responder":
            self.remap()
        self.liveness()
        self.one_generation()
        self.down()
        counted = grown(errors, self.errors())
        if self.ahead and counted[AHEAD] == self.ahead:
            del counted[AHEAD]
        self.check("xfrm_stat", {}, counted)

    def errors(self):
        return {name: self.bench.kernels[name].errors() for name in (hosts.GW, self.peer.name)}

    def up(self):
        conn = self.ends.conn
        if self.cell["role"] == "initiator":
            done, said = self.bench.vici.ask("initiate", {"ike": conn, "child": "net", "timeout": "60000", "loglevel": "-1"})
        else:
            done, said = self.peer.up(conn)
        return self.check("comes up", "up", "up" if done else said or "no")

    def negotiated(self):
        """The wire and the peer's log say what the cell asked for."""
        seen = [message for message in self.bench.wire.look() if message.exchange == ike_wire.IKE_AUTH]
        fragments = {message.response for message in seen if message.fragment}
        wanted = {False, True} if self.cell["size"] == "fragments" else set()
        words = {False: "request", True: "response"}
        self.check("IKE_AUTH in fragments", [words[way] for way in sorted(wanted)], [words[way] for way in sorted(fragments)])
        if self.cell["path"] != "direct":
            self.check("IKE_AUTH on port 4500", True, bool(seen) and all(message.natt for message in seen))
        log = self.peer.log()[self.mark:]
        found = re.search(proof(self.cell, self.ends.gw_id), log)
        self.check("authenticated by", SIGNED[self.cell["peer"]][self.cell["auth"]],
                   found.group(1) if found else [line for line in log.splitlines() if "authenticat" in line])

    def agreement(self, what, before=frozenset()):
        """Both kernels hold one pair of SAs besides those `before`, with the same keys, of the suite the cell asks for."""
        ours, theirs = ({(s.spi, s.suite(), s.esn, s.encap, s.mode, s.algorithms) for s in held if s.spi not in before}
                        for held in self.states())
        esn, encap = self.cell["esn"] == "esn", self.cell["path"] != "direct"
        wanted = f"2 SAs {self.cell['esp']} {self.cell['esn']} {'in UDP' if encap else 'bare'}, the same keys on both sides"
        right = len(ours) == 2 and all(s[1:5] == (self.cell["esp"], esn, encap, "tunnel") for s in ours)
        found = wanted if right and ours == theirs else f"gw {sorted(s[:5] for s in ours)}, peer " \
            f"{sorted(s[:5] for s in theirs)}, {'same' if ours == theirs else 'not the same'}"
        return self.check(what, wanted, found)

    def carry(self, what, *items):
        exchange = self.bench.exchanges[self.cell["peer"]]
        exchange.between(*self.ends.inner, *items)
        try:
            exchange.end()
            lost = None
        except Failed as failure:
            lost = str(failure)
        return self.check(what, "all arrives", lost or "all arrives")

    # ---------------------------------------------------------------------------------------------------------- rekeys

    def rekeys(self):
        """Each side rekeys the child and the IKE SA, under pings every 20 ms; what was replaced is gone afterwards."""
        before = self.errors()
        stream = traffic.PingStream(self.bench.directory, hosts.GW, *self.ends.inner)
        for who in ("espgate", "peer"):
            for what in ("child", "IKE SA"):
                self.rekey(who, what)
        sent, answered = stream.end()
        early = grown(before, self.errors()).get(AHEAD, 0) if self.cell["peer"] == "libreswan" else 0
        lost = sent - answered
        self.ahead = early if lost == early <= MOST_AHEAD else 0
        self.check("pings during rekeys", "all answered" + f", but {early} that pluto sent ahead" * (self.ahead > 0),
                   f"all answered, but {lost} that pluto sent ahead" if self.ahead else f"{lost} of {sent} lost" if lost else
                   "all answered")

    def remap(self):
        """The peer's NAT takes another port for it: espgate follows its first packet, with new keys."""
        mark = len(self.bench.gateway.log())
        spis = {state.spi for held in self.states() for state in held}
        before = self.errors()
        hosts.forget_mappings()
        begin = time.monotonic()
        stream = traffic.PingStream(self.bench.directory, self.peer.name, *reversed(self.ends.inner))
        try:
            wait_for("the children to follow", lambda: all(len({s.spi for s in held} - spis) >= 2 for held in self.states()),
                     15, 0.05)
            found = "new SAs"
        except Failed as failure:
            found = str(failure)
        followed = time.monotonic() - begin
        self.check("another mapping at the peer's NAT", "new SAs", found)
        self.carry("another mapping: traffic", "ping=3x56", "sizes=1300")
        sent, answered = stream.end()
        print(f"       (followed after {followed:.1f} s, {sent - answered} of {sent} pings lost)", flush=True)
        if self.cell["peer"] == "libreswan":  # pluto answers a rekey of ours here, too
            early = grown(before, self.errors()).get(AHEAD, 0)
            self.ahead += early if early <= MOST_AHEAD else 0
        lines = [line for line in self.bench.gateway.log()[mark:].splitlines() if "has a new mapping" in line]
        self.check("another mapping: lines in the log", 1, len(lines))

    def rekey(self, who, what):
        label, conn = f"{who} rekeys the {what}", self.ends.conn
        spis = {state.spi for held in self.states() for state in held}
        ike = self.ike_spis()
        if who == "espgate":
            child = {"child": "net"} if what == "child" else {}
            done, said = self.bench.vici.ask("rekey", {"ike": conn, **child})
        else:
            done, said = self.peer.rekey_child(conn) if what == "child" else self.peer.rekey_ike(conn)
        if not self.check(label, "done", "done" if done else said):
            return

        child = what == "child"

        def settled():  # the old SAs may stay a few seconds for what is still under way
            if child:
                return all(len({state.spi for state in held} - spis) >= 2 for held in self.states())
            now = self.ike_spis()
            return len(now) == 1 and now != ike and self.peer.ikes(conn) == 1
        try:
            wait_for("the new ones", settled, 25, 0.1)
        except Failed as failure:
            self.check(f"{label}: settles", "a new one, alone", f"{failure}: IKE SAs {self.ike_spis()}, {self.peer.ikes(conn)} at "
                       "the peer")
        if child:
            self.agreement(f"{label}: xfrm state agrees", spis)
        self.carry(f"{label}: traffic", "ping=3x56", "sizes=1300")

    def ike_spis(self):
        return {row["initiator-spi"] for row in self.bench.vici.ikes(self.ends.conn)}

    def one_generation(self):
        try:
            wait_for("the old ones to go", lambda: all(len(held) == 2 for held in self.states()), 15, 0.1)
        except Failed:
            pass  # the check says what is there
        self.agreement("one generation is left")

    # -------------------------------------------------------------------------------------------------- liveness, down

    def liveness(self):
        """Whoever asks is answered, and the SAs stay."""
        self.bench.wire.look()
        ours = {hex_of(self.ends.gw_own)}
        seen = []

        def answered():
            seen.extend(m for m in self.bench.wire.look() if m.exchange == ike_wire.INFORMATIONAL)
            from_gw = {m.number for m in seen if m.src in ours and m.response != (self.cell["asks"] == "espgate")}
            from_peer = {m.number for m in seen if m.src not in ours and m.response == (self.cell["asks"] == "espgate")}
            return len(from_gw & from_peer) >= 2
        try:
            wait_for("two answers", answered, 45, 0.1)  # on a loaded machine pluto was once not heard within 15 s
            found = "answered twice"
        except Failed:
            found = f"{seen}"
        self.check(f"{self.cell['asks']} asks for a sign of life", "answered twice", found)
        self.check("IKE SAs after that", "1 1", f"{len(self.ike_spis())} {self.peer.ikes(self.ends.conn)}")

    def down(self):
        if self.cell["role"] == "initiator":
            done, said = self.bench.vici.ask("terminate", {"ike": self.ends.conn, "timeout": "30000", "loglevel": "-1"})
        else:
            done, said = self.peer.down(self.ends.conn)
        self.check("goes down", "down", "down" if done else said)
        self.nothing_left()

    def nothing_left(self):
        left = None

        def gone():
            nonlocal left
            ours, theirs = self.states()
            left = f"SAs {len(ours)} {len(theirs)}, IKE SAs {len(self.ike_spis())} {self.peer.ikes(self.ends.conn)}"
            return left == "SAs 0 0, IKE SAs 0 0"
        try:
            wait_for("nothing to be left", gone, 15, 0.1)
        except Failed:
            pass
        self.check("nothing left", "SAs 0 0, IKE SAs 0 0", left)
        # pluto holds a trap of its own for a connection that the peer closed, for as long as it knows the connection.
        self.peer.unload(self.ends.conn)
        kinds = [self.bench.kernels[name].policy_kinds()[0] for name in (hosts.GW, self.peer.name)]
        self.check("ESP policies left", [0, 0], kinds)

    def clear(self):
        """After a failure: whatever is left goes, so that the next cell begins clean. The peer first: pluto brings up anew
        what is closed by the other side, and forgets it without a word when it is told to."""
        self.peer.down(self.ends.conn)
        self.peer.unload(self.ends.conn)
        self.bench.vici.ask("terminate", {"ike": self.ends.conn, "timeout": "5000", "force": "yes", "loglevel": "-1"})

    def guarded(self):
        """One cell's failure is its own."""
        print(f"{self.name}:", flush=True)
        begin, failed = time.monotonic(), self.results.failures()
        log, peer_log = len(self.bench.gateway.log()), len(self.peer.log())
        try:
            self.run()
        except Exception as failure:  # pylint: disable=broad-except
            self.check("runs to its end", "yes", f"{type(failure).__name__}: {failure}")
            traceback.print_exc()
        if self.results.failures() != failed:
            print(f"--- espgated:\n{self.bench.gateway.log()[log:][-6000:]}\n--- {self.peer.kind}:\n"
                  f"{self.peer.log()[peer_log:][-8000:]}\n---")
            self.clear()
        print(f"       ({time.monotonic() - begin:.1f} s)", flush=True)


def hex_of(address):
    """An address as the wire's messages name it."""
    return ipaddress.ip_address(address).packed.hex()


def run(directory, results, cells):
    """All cells, and what must hold of the whole."""
    bench = Bench(directory, results, cells)
    try:
        for cell in cells:
            CellRun(bench, cell).guarded()
    finally:
        status = bench.end()
    results.check("matrix/espgated stops cleanly", 0, status)
    results.check("matrix/policies and SAs left by espgated", [0, 0],
                  [len(counters.policies(hosts.GW)), len(counters.kernel_sas(hosts.GW))])
    clear = sum(1 for packet in counters.pcap_packets(bench.capture.path) if counters.is_inner(packet))
    results.check("matrix/packets lost by the capture, packets of the inner networks in the clear", [0, 0],
                  [bench.capture.dropped, clear])
