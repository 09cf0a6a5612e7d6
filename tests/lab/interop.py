#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""espgate against strongSwan's charon and libreswan's pluto: the matrix (scenario/matrix.py), and against charon much traffic,
several children, and what goes wrong.

Runs in the lab: `tools/lab run --out build/results -- python3 tests/lab/interop.py [CELL...]`; rows go to interop.json there.
With names, only the cells whose name contains one of them. Without, a short run of the matrix, and of the others those that look
at what it does not; all of both with ESPGATE_INTEROP_WHOLE=1.
"""
import os
import re
import sys
import tempfile
import time
import traceback

from scenario import counters, hosts, identities, interop_cells, matrix, matrix_run, states, traffic
from scenario.connections import render
from scenario.exchange import Exchange
from scenario.pair import Pair, grown
from scenario.results import Results
from scenario.shell import Failed, wait_for


WHOLE = os.environ.get("ESPGATE_INTEROP_WHOLE") == "1"


class Rows(Results):
    def check(self, what, expected, actual, passed=None):
        return self.add(what, expected, actual, expected == actual if passed is None else passed)

    def failures(self):
        return sum(1 for row in self.rows if not row["pass"])


class Interop:
    def __init__(self, pair, results, exchange):
        self.pair, self.results, self.exchange = pair, results, exchange
        self.carried = {}  # (label, direction, spi): packets to be found in the capture

    # ------------------------------------------------------------------------------------------------ pieces of cells

    def up(self, cell, child="net", what="comes up"):
        done, said = self.pair.up(cell.role, cell.name, child)
        return self.results.check(f"{cell.name}/{what}", "up", "up" if done else said)

    def down(self, cell):
        done, said = self.pair.down(cell.role, cell.name)
        self.results.check(f"{cell.name}/goes down", "down", "down" if done else said)
        left = self.pair.wait_clean()
        gw, peer = states.policy_kinds(hosts.GW), states.policy_kinds(hosts.PEER)
        self.results.check(f"{cell.name}/nothing left", "SAs 0 0, ESP policies 0 0, peer's other policies 0",
                           f"SAs {left[0]} {left[1]}, ESP policies {gw[0]} {peer[0]}, peer's other policies {peer[1]}")

    def pings(self, cell, child, count=None, label="pings"):
        """Many of them by ping(8) from the initiator's side, 2 ms apart; few by the process that is there already."""
        gw, peer = child.ends()
        sender = (hosts.GW, gw, peer) if cell.role == "initiator" else (hosts.PEER, peer, gw)
        count = count or cell.pings
        if count >= 1000:
            answered = traffic.ping(*sender, count=count, interval=0.002)
            self.results.check(f"{cell.name}/{label}", f"{count} of {count}", f"{answered} of {count}")
        else:
            self.results.check(f"{cell.name}/{label}", f"{count} of {count}",
                               *self.carry(child, f"ping={count}x56", f"{count} of {count}"))

    def carry(self, child, what, done):
        """(done or what was lost, whether it was done)"""
        self.exchange.between(*child.ends(), what)
        try:
            self.exchange.end()
        except Failed as failure:
            return str(failure), False
        return done, True

    def bulk(self, cell, child):
        way = "tcp" if cell.octets >= 10_000_000 else "both"
        begin = time.monotonic()
        arrived = f"{cell.octets} octets {'from gw' if way == 'tcp' else 'each way'}, unaltered"
        self.results.check(f"{cell.name}/tcp", arrived, *self.carry(child, f"{way}={cell.octets}", arrived))
        print(f"       ({cell.octets * (1 if way == 'tcp' else 2) / 1e6 / (time.monotonic() - begin):.2f} MB/s)", flush=True)

    def agreement(self, cell):
        """Both kernels hold the same SAs, keys included, of the suites asked for."""
        ours, theirs = states.states(hosts.GW), states.states(hosts.PEER)
        wanted = sorted(child.suite for child in cell.conn.children for _ in ("in", "out"))
        self.results.check(f"{cell.name}/xfrm state agrees", "same SAs, same keys",
                           "same SAs, same keys" if ours == theirs else
                           f"{len(ours - theirs)} only at gw, {len(theirs - ours)} only at the peer")
        self.results.check(f"{cell.name}/suite in the kernel", wanted, sorted(state.suite() for state in ours))
        gw, peer = hosts.GW_ADDRESS[cell.conn.family], hosts.PEER_ADDRESS[cell.conn.family]
        self.results.check(f"{cell.name}/tunnel ends", f"{gw} {peer} tunnel",
                           " ".join(sorted({end for state in ours for end in (state.src, state.dst)}
                                           | {state.mode for state in ours}, key=[gw, peer, "tunnel"].index)))

    def ike_suite(self, cell):
        rows = self.pair.ikes(cell.name)
        espgate = rows[0]["suite"] if len(rows) == 1 else f"{len(rows)} IKE SAs"
        self.results.check(f"{cell.name}/IKE suite as charon has it", self.pair.peer_suite(cell.name), espgate)

    def counts(self, cell):
        """The identities, now that nothing is under way; the wire is looked at when all is over."""
        traffic.quiesce()
        rows, peer, nic = self.pair.gateway.children(), counters.kernel_sas(hosts.PEER), counters.nic_sas()
        for child in cell.conn.children:
            label = f"{cell.name}/{child.name}"
            row = rows[label]
            checks = identities.check_child(child.name, row, peer, nic)
            broken = [check.line().strip() for check in checks if not check.holds]
            self.results.check(f"{label}/counters", f"{len(checks)} identities hold",
                               "; ".join(broken) or f"{len(checks)} identities hold")
            self.remember(label, row)
        every = [*counters.kernel_sas(hosts.GW).values(), *peer.values()]
        bad = [sa for sa in every if sa["replay"] or sa["integrity"]]
        self.results.check(f"{cell.name}/SAs with replay or integrity failures", 0, len(bad))

    def remember(self, label, row):
        for side in ("in", "out"):
            total = int(row[side]["hw"]["packets"]) + int(row[side]["sw"]["packets"])
            self.carried[label, side, row[side]["spi"]] = total

    # --------------------------------------------------------------------------------------------------------- cells

    def plain(self, cell):
        before = self.pair.errors()
        if not self.up(cell):
            return
        self.agreement(cell)
        self.ike_suite(cell)
        child = cell.conn.children[0]
        self.pings(cell, child)
        self.bulk(cell, child)
        self.counts(cell)
        self.down(cell)
        self.results.check(f"{cell.name}/xfrm_stat", {}, grown(before, self.pair.errors()))

    def two_children(self, cell):
        """The second child comes by CREATE_CHILD_SA on the same IKE SA, and goes alone."""
        first, second = cell.conn.children
        if not (self.up(cell) and self.up(cell, second.name, "second child comes up")):
            return
        self.results.check(f"{cell.name}/IKE SAs", 1, len(self.pair.ikes(cell.name)))
        self.agreement(cell)
        self.pings(cell, first, label="pings, first child")
        self.pings(cell, second, label="pings, second child")
        self.counts(cell)
        done, said = self.pair.down(cell.role, cell.name, second.name)
        self.results.check(f"{cell.name}/second child goes down", "down", "down" if done else said)
        wait_for("one child to be left", lambda: len(states.states(hosts.PEER)) == 2)
        self.results.check(f"{cell.name}/left of the two", "2 2",
                           f"{len(states.states(hosts.GW))} {len(states.states(hosts.PEER))}")
        self.pings(cell, first, label="pings, first child afterwards")
        self.remember(f"{cell.name}/{first.name}", self.pair.child(cell.name))
        self.down(cell)

    def liveness(self, cell):
        """charon asks every second whether espgate lives."""
        if not self.up(cell):
            return
        before, mark = self.pair.peer_ikes(cell.name), len(self.pair.charon.log())
        time.sleep(4)
        log = self.pair.charon.log()[mark:]
        answers = len(re.findall(r"parsed INFORMATIONAL response \d+ \[ \]", log))
        self.results.check(f"{cell.name}/answers to charon's checks", "at least 2", answers, answers >= 2)
        self.results.check(f"{cell.name}/the IKE SA stays", before, self.pair.peer_ikes(cell.name))
        self.pings(cell, cell.conn.children[0])
        self.down(cell)

    def rekey(self, cell):
        """The child and the IKE SA are rekeyed by both sides, under traffic; nothing is lost, one of each is left."""
        if not self.up(cell):
            return
        first = cell.conn.children[0]
        before = self.pair.errors()
        stream = traffic.PingStream(self.pair.directory, hosts.GW, *first.ends())
        for who in ("espgate", "charon"):
            for what, espgate_name, charon_words in (("child", f"{cell.name}/net", ("--child", "net")),
                                                     ("IKE SA", cell.name, ("--ike", cell.name))):
                spis = {state.spi for state in states.states(hosts.GW)}
                if who == "espgate":
                    done = self.pair.gateway.cli("conn", "rekey", espgate_name, ok=False)
                else:
                    done = self.pair.charon.ctl("--rekey", *charon_words, ok=False)
                self.results.check(f"{cell.name}/{who} rekeys the {what}", "done",
                                   "done" if done.returncode == 0 else (done.stdout + done.stderr).strip())
                self.pings(cell, first, label=f"pings after {who}'s rekey of the {what}")
                wait_for("one generation", lambda: len(states.states(hosts.GW)) == 2 ==
                         len(states.states(hosts.PEER)), 30)
                self.agreement(cell)
                kept = len(spis & {state.spi for state in states.states(hosts.GW)})
                self.results.check(f"{cell.name}/SPIs kept by {who}'s rekey of the {what}", 0 if what == "child" else 2, kept)
                self.results.check(f"{cell.name}/IKE SAs after {who}'s rekey of the {what}", "1 1",
                                   f"{len(self.pair.ikes(cell.name))} {len(self.pair.peer_ikes(cell.name))}")
        sent, answered = stream.end()
        self.results.check(f"{cell.name}/pings of all that time", f"{sent} of {sent}", f"{answered} of {sent}")
        self.results.check(f"{cell.name}/xfrm_stat", {}, grown(before, self.pair.errors()))
        self.down(cell)

    def bad(self, cell):
        """The negotiation fails, both sides say why, and nothing is left or leaks."""
        mark, log_mark = len(self.pair.charon.log()), len(self.pair.gateway.log())
        done, said = self.pair.up(cell.role, cell.name)
        self.results.check(f"{cell.name}/does not come up", "not up", "up" if done else "not up")
        print(f"       said: {said.splitlines()[-1] if said else ''}", flush=True)
        self.results.check(f"{cell.name}/notify on the wire", cell.notify, *self.notify(cell, mark))
        pattern = cell.peer_says[cell.role].replace("{}", cell.notify)
        self.results.check(f"{cell.name}/charon says", pattern, *self.peer_words(pattern, mark))
        self.own_words(cell, log_mark)
        gw, peer = cell.conn.children[0].ends()
        self.results.check(f"{cell.name}/pings while down", 0, traffic.ping(hosts.GW, gw, peer, 2, interval=0.05, wait=1))
        self.pair.charon.ctl("--terminate", "--ike", cell.name, "--timeout", "10", ok=False)
        left = self.pair.wait_clean()
        self.results.check(f"{cell.name}/nothing left by the failure", "SAs 0 0, ESP policies 0",
                           f"SAs {left[0]} {left[1]}, ESP policies {states.policy_kinds(hosts.GW)[0]}")

    def notify(self, cell, mark):
        """Which notify went over the wire: (name, whether it is the right one)."""
        short = {"AUTHENTICATION_FAILED": "AUTH_FAILED", "NO_PROPOSAL_CHOSEN": "NO_PROP", "TS_UNACCEPTABLE": "TS_UNACCEPT"}
        way = "generating" if cell.role == "initiator" else "parsed"
        found = re.findall(rf"{way} \w+ response \d+ \[[^\]]*N\((\w+)\)[^\]]*\]", self.pair.charon.log()[mark:])
        right = any(short[cell.notify] in line for line in re.findall(
            rf"{way} \w+ response \d+ \[[^\]]*\]", self.pair.charon.log()[mark:]))
        return (cell.notify, True) if right else (found, False)

    def peer_words(self, pattern, mark):
        found = re.search(rf".*{pattern}.*", self.pair.charon.log()[mark:])
        return (found.group(0)[-120:], True) if found else ("nothing of the kind", False)

    def own_words(self, cell, log_mark):
        log = self.pair.gateway.log()[log_mark:]
        logged = [line for line in log.splitlines() if f"[{cell.code}]" in line]
        self.results.check(f"{cell.name}/espgated's log", f"[{cell.code}]", logged[-1] if logged else log[-300:],
                           bool(logged))
        if not cell.known:
            return
        error = self.pair.status(cell.name).get("last_error") or {}
        expected = {"step": cell.step, "code": cell.code,
                    "peer_notify": cell.notify if cell.role == "initiator" else None}
        actual = {key: error.get(key) for key in expected}
        self.results.check(f"{cell.name}/conn show", expected, actual)
        print(f"       text: {error.get('text')}", flush=True)
        self.results.check(f"{cell.name}/conn show has a sentence", True, len(error.get("text") or "") > 20)

    def mended(self, cell):
        """The same connection, once the peer is mended."""
        if self.up(cell, what="comes up once mended"):
            self.pings(cell, cell.conn.children[0], 5, "pings once mended")
            self.down(cell)

    def wire(self, captures):
        """What the captures say of the whole run."""
        sequences = captures[0].sequences()
        for (label, side, spi), total in self.carried.items():
            seen = sequences.get(spi, [])
            self.results.check(f"{label}/{side} on the wire", f"{total} packets, sequence numbers 1..{total}",
                               f"{len(seen)} packets, sequence numbers {seen[0] if seen else 0}..{seen[-1] if seen else 0}")
        self.results.check("captures are whole", [0, 0], [capture.dropped for capture in captures])
        clear = [sum(1 for packet in counters.pcap_packets(capture.path) if counters.is_inner(packet))
                 for capture in captures]
        self.results.check("packets of the inner networks in the clear, on either side of the router", [0, 0], clear)

    # --------------------------------------------------------------------------------------------------------- order

    def guarded(self, run, cell):
        """One cell's failure is its own."""
        print(f"{cell.name}:", flush=True)
        begin, failed = time.monotonic(), self.results.failures()
        log, peer_log = len(self.pair.gateway.log()), len(self.pair.charon.log())
        try:
            run(cell)
        except Exception as failure:  # pylint: disable=broad-except
            self.results.check(f"{cell.name}/runs to its end", "yes", f"{type(failure).__name__}: {failure}")
            traceback.print_exc()
        if self.results.failures() != failed:
            print(f"--- espgated:\n{self.pair.gateway.log()[log:]}\n--- charon:\n"
                  f"{self.pair.charon.log()[peer_log:][-5000:]}\n---")
            self.pair.clear([cell.name])
        print(f"       ({time.monotonic() - begin:.1f} s)", flush=True)


def chosen(cells, words):
    return [cell for cell in cells if not words or any(word in cell.name for word in words)]


def with_charon(directory, results, words):
    """Runs the cells of interop_cells.py, looks at the wire, ends both daemons."""
    plain, special, bad, networks = interop_cells.cells()
    if not WHOLE and not words:
        special = {name: cell for name, cell in special.items() if name not in interop_cells.ALSO_IN_MATRIX}
    hosts.build(networks=networks)
    if not chosen([*plain, *special.values(), *bad], words):
        return
    good = [cell.conn for cell in [*plain, *special.values(), *bad]]
    broken = [cell.conn for cell in [*plain, *special.values()]] + [cell.peer for cell in bad]
    inner = "net 10.0.0.0/8 or net fd00::/8"
    captures = [counters.Capture(f"{directory}/peer-side.pcap", "veth-w", f"esp or {inner}"),
                counters.Capture(f"{directory}/gw-side.pcap", "simnic1", inner)]
    pair = Pair(directory).start(good, broken)
    exchange = Exchange()
    run = Interop(pair, results, exchange)
    kinds = {"children-initiator": run.two_children, "children-responder": run.two_children, "liveness": run.liveness,
             "rekey-initiator": run.rekey, "rekey-responder": run.rekey}
    try:
        with captures[0], captures[1], exchange:
            for cell in chosen(plain, words):
                run.guarded(run.plain, cell)
            for cell in chosen(special.values(), words):
                run.guarded(kinds[cell.name], cell)
            for cell in chosen(bad, words):
                run.guarded(run.bad, cell)
            pair.charon.load(render(good, 2))
            for cell in chosen(bad, words):
                run.guarded(run.mended, cell)
        run.wire(captures)
        results.check("espgated stops cleanly", 0, pair.gateway.stop())
        results.check("policies and SAs left by espgated", [0, 0],
                      [len(counters.policies(hosts.GW)), len(counters.kernel_sas(hosts.GW))])
    finally:
        pair.gateway.stop()
        pair.charon.stop()


def in_matrix(directory, results, words):
    """Runs cells of the matrix on the hosts that are there."""
    cells = matrix.pairwise()
    if words:
        cells = [cell for cell in cells if any(word in matrix.name(cell) for word in words)]
    elif not WHOLE:
        cells = matrix.short(cells)
    if cells:
        print(matrix.text(cells), flush=True)
        matrix_run.run(directory, results, cells)


def main():
    results = Rows("interop")
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        try:
            for part in (with_charon, in_matrix):
                part(directory, results, sys.argv[1:])
                print(f"{time.monotonic() - begin:.0f} s", flush=True)
        except Failed as failure:
            results.check("scenario", "runs to its end", str(failure))
        finally:
            hosts.destroy()
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
