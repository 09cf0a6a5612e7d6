# SPDX-License-Identifier: Apache-2.0
"""Shapes of traffic beyond the product of accounting_table.py, on the plain pair of hosts: faults, limits, errors."""
import errno
import json
import socket
import threading

from . import accounting_checks as checks
from . import accounting_table as table
from .accounting_bench import IN_SLOT, NAMES, NICS, SPI, Setup
from .accounting_cells import Shaped
from .identities import Check
from .ledger import BPFFS, SIDES
from .namespace import in_namespace
from .shell import ROOT, Failed, ns

IP_MTU_DISCOVER = 10  # linux/in.h
EXCHANGES = 4
FLOW = "tcp=400000"  # octets from side 1 to side 2
# Of a flow of which a part is lost on purpose: what one end sent is not what the other received.
UNEQUAL = ("the peer's inbound GETSA", "sequence numbers the peer used")


def flows(*words):
    """What `espgate flow show` has."""
    return json.loads(ns(NAMES[1], "espgate", "-j", "--bpffs", BPFFS, "flow", "show", *words).stdout)


def room(name):
    """Entries that a map takes."""
    rows = json.loads(ns(NAMES[1], "espgate", "-j", "--bpffs", BPFFS, "map", "show").stdout)
    return next(int(row["max"]) for row in rows if row["name"] == name)


def shown(side):
    """What `espgate sa show kernel` has of side's SAs, the daemon not there: {SPI: direction's object}."""
    rows = json.loads(ns(NAMES[side], "espgate", "-j", "--bpffs", BPFFS, "sa", "show", "kernel").stdout)
    return {row[way]["spi"]: row[way] for row in rows for way in ("in", "out") if row[way] and row[way]["kernel"]}


class Shapes(Shaped):
    """One end, or one NIC, does otherwise than the other."""

    def one_sided(self, name):
        family, mode = name.split("-")[2:]
        self.plain(name, Setup(int(family[1]), mode, ("crypto", "software")), "sizes=1,100,1200", "both=100000")

    def sizes(self, name):
        family, mode = name.split("-")[1:]
        self.plain(name, Setup(int(family[1]), mode), "sweep")

    def refused_cbc(self, name):
        setup = Setup(4, "tunnel", ("software", "software"), "aes256-sha256")
        status, said = self.bench.host(Setup(**{**vars(setup), "how": ("crypto", "software")}), 1)
        words = "Cannot offload authenticated xfrm states"
        self.plain(name, setup, "sizes=1,100,1200", "both=100000",
                   said=f"refused({words})" if status and words in said else f"status {status}: {said}")

    def half_received(self, name):
        mode, gro = name.split("-")[2:]
        for side in NAMES:
            self.bench.switch(side, "gro", gro == "gro")
        self.bench.knob(2, "fault", "rx_skip=3")
        setup = Setup(4, mode, words=("window", 1024))  # what software does overtakes what the NIC does
        try:
            self.plain(name, setup, FLOW, found=lambda seen: [
                Check("sw packets in = skipped by the NIC", checks.counted(seen, 2, "in")["sw"]["packets"],
                      seen.nic[2]["fault_rx_skipped"]),
                Check("side 2: GRO seen", checks.merged(seen, 2), gro == "gro")])
        finally:
            self.bench.knob(2, "fault", "none")
            for side in NAMES:
                self.bench.switch(side, "gro", True)

    def half_sent(self, name):
        setup = Setup(4, name.split("-")[2])
        before = self.begin(setup)
        self.bench.carry(setup, FLOW)
        self.bench.switch(1, "esp-hw-offload", False)
        try:
            self.bench.carry(setup, "tcp=200000")
        finally:
            self.bench.switch(1, "esp-hw-offload", True)
            self.bench.switches.pop((1, "tx-esp-segmentation"), None)
            self.bench.ns(1, "ethtool", "-K", NICS[1], "esp-tx-csum-hw-offload", "on", "tx-esp-segmentation", "on")
        shape, seen = table.SHAPES[name], self.bench.seen(setup, before)
        found = [check for side in NAMES for check in checks.of_side(seen, side)]
        self.rows.add(name, shape.expected, checks.outcome(seen), found, seen)

    def exchange(self, name):
        how = name.split("-")[1]
        setup = Setup(4, "tunnel", (how, how), wanted="no" if how == "software" else "auto")
        before, failed = self.begin(setup), []

        def loaders():
            try:
                for _ in range(EXCHANGES):
                    self.bench.renew_ledger()
            except Failed as failure:
                failed.append(str(failure))
        exchanger, rounds = threading.Thread(target=loaders), 0
        exchanger.start()
        while exchanger.is_alive():
            self.bench.carry(setup, "sizes=1,100,1200", "tcp=100000")
            rounds += 1
        exchanger.join()
        self.end(name, setup, before, found=lambda _: [
            Check("the loaders", failed, []), Check("rounds of traffic meanwhile, two at least", rounds > 1, True)])

    def redirected(self):
        """ESP packets that were handed to another CPU, or to the same one's queue."""
        rows = [line.split() for line in self.bench.ledger.ask("show", "classes")]
        return sum(int(row[-2]) for row in rows if row[-4:-2] == ["esp", "redirect"])

    def spread(self, name):
        setup = Setup(int(name[-1]), "tunnel", ("software", "software"), wanted="no")
        before, handed_on = self.begin(setup), self.redirected()
        for side in NAMES:
            self.bench.ledger.ask(NAMES[side], "settled", IN_SLOT[side])
        try:
            for cpus in ((0,), (1,), (0, 1)):
                self.bench.ledger.ask(NAMES[2], "spread", *cpus)
                self.bench.carry(setup, "both=200000")
                self.bench.still()  # the flow's last segment may be on its way when its ends are done with it
        finally:
            self.bench.ledger.ask(NAMES[2], "spread")
        self.end(name, setup, before, found=lambda seen: [
            Check("handed on, all that came", self.redirected() - handed_on,
                  sum(checks.total(checks.counted(seen, side, "in")) for side in NAMES))])

    def stack_segments(self, name):
        self.bench.switch(1, "tx-esp-segmentation", False)
        try:
            self.plain(name, Setup(4, "tunnel"), FLOW, found=lambda seen: [
                Check("batches that the NIC segmented", seen.nic[1]["tx_esp_batches"], 0),
                Check("side 1: GSO seen", checks.batched(seen, 1), True)])
        finally:
            self.bench.switch(1, "tx-esp-segmentation", True)

    def with_fault(self, name, setup, fault, *what, **how):
        """Side 1's NIC has this fault."""
        self.bench.knob(1, "fault", fault)
        try:
            self.plain(name, setup, *what, **how)
        finally:
            self.bench.knob(1, "fault", "none")

    def lost_by_nic(self, name):
        def found(seen):
            lost, out = seen.nic[1]["fault_tx_dropped"], checks.total(checks.counted(seen, 1, "out"))
            return [Check("dropped by the NIC", lost > 0, True), checks.lost_on_the_way(seen, 1, lost),
                    Check("out: hw - the NIC's = dropped by it", out - seen.nic[1]["hw_tx_packets"], lost)]
        self.with_fault(name, Setup(4, "tunnel"), "tx_drop=50", FLOW, found=found, without=(*UNEQUAL, "out: hw = the NIC's"))

    def handed_back(self, name):
        self.with_fault(name, Setup(4, "tunnel"), "tx_busy=5", FLOW, found=lambda seen: [
            Check("handed back", seen.nic[1]["fault_tx_busy"] > 0, True)])

    def batch_wraps(self, name):
        """The first batch of the flow begins a few packets before 2^32."""
        setup = Setup(4, "tunnel", esn=True, begin=(1 << 32) - 6)

        def found(seen):
            lost = seen.sas[2][SPI[1]]["integrity"]
            return [Check("wrong ICVs at the far side, at most", lost <= 1, True), checks.lost_on_the_way(seen, 1, lost)]
        before = self.begin(setup)
        self.bench.carry(setup, "tcp=60000")
        shape, seen = table.SHAPES[name], self.bench.seen(setup, before)
        both = [check for side in NAMES for check in checks.of_side(seen, side, UNEQUAL)] + found(seen)
        self.rows.add(name, shape.expected, checks.outcome(seen), both, seen, checks.errors(seen))

    def flows(self, name):
        """A datagram each of more flows than there is room for: some are forgotten, none is counted wrongly."""
        setup, most = Setup(4, "tunnel", ("crypto", "software")), room("flows")
        many, port = most + 4000, 40000
        before = self.begin(setup)
        near, far = self.bench.ends(setup)
        with in_namespace(NAMES[1], lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as made:
            made.bind((near, port))
            for number in range(many):
                made.sendto(b"x", (far, 10000 + number))

        def found(seen):
            rows = flows()
            ours = [row for row in rows if row["src"] == f"{near}:{port}"]
            ways = {(row["child"], row["dir"], int(row["hw"]["packets"]), int(row["sw"]["packets"])) for row in ours}
            return [Check("packets, more than there is room for flows", checks.total(checks.counted(seen, 1, "out")) >= many, True),
                    Check("flows, at most what there is room for", len(rows) <= most, True),
                    Check("flows, at least half of that", len(ours) >= most // 2, True),
                    Check("each of one packet, as its SA has it", ways, {("from1", "out", 1, 0), ("from1", "in", 0, 1)}),
                    Check("no flow twice", len({(row["dir"], row["dst"]) for row in ours}), len(ours)),
                    Check("flow show top 5", len(flows("top", "5")), 5)]
        self.end(name, setup, before, found=found)

    # --------------------------------------------------------------------------------------------------------- sizes

    def mtu(self, octets):
        for side in NAMES:
            self.bench.ns(side, "ip", "link", "set", NICS[side], "mtu", octets)

    def jumbo(self, name):
        how = name.split("-")[1]
        self.mtu(9000)
        try:
            self.plain(name, Setup(4, "tunnel", (how, how), wanted="no" if how == "software" else "auto"), "sizes=1000,5000,8800",
                       "both=400000")
        finally:
            self.mtu(1500)

    def too_large(self, name):
        self.plain(name, Setup(int(name[-1]), "transport"), *["sizes=2000,3000,8000"] * 3)

    def too_large_packet(self, name):
        """Sent without DF, so that nobody is told to send smaller ones."""
        setup, tries, refused = Setup(4, "transport", ("packet", "packet")), 3, []
        before = self.begin(setup)
        near, far = self.bench.ends(setup)
        with in_namespace(NAMES[1], lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as made:
            made.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, 0)
            made.bind((near, 0))
            for _ in range(tries):
                try:
                    made.sendto(bytes(3000), (far, 9))
                except OSError as error:
                    refused.append(error.errno)
        seen = self.bench.seen(setup, before)
        nothing = [checks.total(checks.counted(seen, side, way)) for side in NAMES for way in ("out", "in")]
        found = [Check("sends that failed", refused, [errno.EHOSTUNREACH] * tries), Check("counted", nothing, [0] * 4),
                 Check("put on the wire by the NIC", seen.nic[1]["hw_tx_packets"] + seen.nic[1]["sw_tx_esp"], 0)]
        dropped = seen.errors == {1: {"XfrmOutError": tries}, 2: {}}
        self.rows.add(name, table.SHAPES[name].expected, "dropped(XfrmOutError)" if dropped else f"xfrm_stat {seen.errors}", found, seen)

    # -------------------------------------------------------------------------------------------------------- errors

    def integrity(self, name):
        how = ("crypto", "crypto" if name.endswith("hw") else "software")

        def found(seen):
            wrong = seen.nic[1]["fault_icv_corrupted"]
            return [Check("ICVs made wrong", wrong > 0, True),
                    Check("GETSA's integrity failures", seen.sas[2][SPI[1]]["integrity"], wrong),
                    Check("sa show: errors", shown(2)[SPI[1]]["errors"], {"integrity": wrong, "replay": 0, "other": 0}),
                    Check("xfrm_stat", seen.errors, {1: {}, 2: {"XfrmInStateProtoError": wrong}}),
                    checks.lost_on_the_way(seen, 1, wrong)]
        self.with_fault(name, Setup(4, "tunnel", how), "corrupt_icv=7", FLOW, found=found, without=UNEQUAL, quiet=False)

    def replay(self, name):
        how = ("software", "crypto") if name.endswith("hw") else ("software", "software")
        setup = Setup(4, "tunnel", how, wanted="auto" if name.endswith("hw") else "no")
        before = self.begin(setup)
        near, far = self.bench.ends(setup)
        sent = self.bench.shell("python3", f"{ROOT}/tests/lab/simnic_replay.py", NAMES[1], NICS[1], "again", "ping", "-n", "-q", "-i",
                                "0.05", "-c", 20, "-I", near, far)
        again = int(sent.splitlines()[-1])

        def found(seen):
            came, nic = checks.counted(seen, 2, "in"), seen.nic[2]
            return [Check("frames sent again", again, 20), Check("GETSA's replays", seen.sas[2][SPI[1]]["replay"], again),
                    Check("sa show: errors", shown(2)[SPI[1]]["errors"], {"integrity": 0, "replay": again, "other": 0}),
                    Check("xfrm_stat", seen.errors, {1: {}, 2: {"XfrmInStateSeqError": again}}),
                    Check("in: the NIC's - hw = replays", nic["hw_rx_packets"] + nic["sw_rx_esp"] - checks.total(came), again)]
        self.end(name, setup, before, found=found, quiet=False, without=(
            " in:  hw = the NIC's", "ESP that passed through the NIC"))

    def shown(self, name):
        how = name.split("-")[1]

        def found(seen):
            out = []
            for side in NAMES:
                said, told = shown(side), checks.row(seen, side)
                for way in ("out", "in"):
                    has = said[told[way]["spi"]]
                    out += [Check(f"side {side} {way}: sa show: {path}", has[path], told[way][path]) for path in SIDES]
                    out.append(Check(f"side {side} {way}: sa show: GETSA", has["kernel"],
                                     {key: told[way]["kernel"][key] for key in has["kernel"]}))
                    out.append(Check(f"side {side} {way}: sa show: exact", has["exact"], how != "packet"))
            return out
        self.plain(name, Setup(4, "tunnel", (how, how), wanted="no" if how == "software" else "auto"), "sizes=1,100,1200", "both=100000",
                   found=found)

    def no_state(self, name):
        """The receiver's SA is retired, the sender does not know yet."""
        setup = Setup(4, "tunnel")
        before = self.begin(setup)
        self.bench.carry(setup, "ping=5x56")
        outer = [self.bench.address["outer", 4, side] for side in NAMES]
        self.bench.ns(2, "ip", "xfrm", "state", "delete", "src", outer[0], "dst", outer[1], "proto", "esp", "spi", f"0x{SPI[1]}")
        self.bench.ledger.release(IN_SLOT[2])
        unknown = NICS[2], "unknown-spi"
        was = self.bench.ledger.classes().get(unknown, 0)
        self.bench.carry(setup, "lost=4")
        self.bench.still()
        slots, kernel = self.bench.ledger.counts(), self.bench.kernels[1].counts()[SPI[1]]
        added = self.bench.added(setup, before)
        sent = checks.total(slots[0])
        found = [Check("sent", sent, 5 + 8), Check("sender's GETSA", kernel["packets"], sent),
                 Check("xfrm_stat", added["errors"], {1: {}, 2: {"XfrmInNoStates": 8}}),
                 Check("stats show: class unknown-spi", self.bench.ledger.classes().get(unknown, 0) - was, 8),
                 Check("sa show: the SA", SPI[1] in shown(2), False)]
        self.rows.add(name, table.SHAPES[name].expected, checks.outcome_of(slots[0]), found)

    def tc_alone(self, name):
        """Another load of the programs, without tracing; nothing is left of the first."""
        bench = self.bench
        bench.ledger.remove(NAMES[1])
        bench.ledger.close()
        found = [Check("left in the bpffs", bench.ledger.left(), [])]
        bench.load(exact=False)
        setup = Setup(4, "tunnel")
        before = self.begin(setup)
        bench.carry(setup, "ping=20x64")
        seen = bench.seen(setup, before)
        for side in NAMES:
            told = checks.row(seen, side)
            for way, nic in (("out", "tx"), ("in", "rx")):
                found += [Check(f"side {side} {way}: exact", told[way]["exact"], False),
                          Check(f"side {side} {way}: hw = the NIC's", told[way]["hw"], {
                              "packets": seen.nic[side][f"hw_{nic}_packets"], "bytes": seen.nic[side][f"hw_{nic}_bytes"]})]
        actual = checks.outcome(seen)
        bench.ledger.remove(NAMES[1])
        bench.ledger.close()
        bench.load()
        self.rows.add(name, table.SHAPES[name].expected, actual, found, seen)

    # ---------------------------------------------------------------------------------------------------------- soak

    def soak(self, name):
        """Many small packets, of which most leave in batches."""
        how, least = name.split("-")[1], 500_000
        near, far = self.bench.address["inner", 4, 1], self.bench.address["outer", 4, 1]
        self.bench.ns(2, "ip", "route", "replace", f"{near}/32", "via", far, "dev", NICS[2], "src", self.bench.address["inner", 4, 2],
                      "advmss", 300)
        self.plain(name, Setup(4, "tunnel", (how, how), wanted="no" if how == "software" else "auto", words=("window", 1024)),
                   f"tcp={least * 288 + 1_000_000}", found=lambda seen: [
                       Check(f"at least {least} packets", checks.total(checks.counted(seen, 1, "out")) >= least, True)])
