#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every wish for offload against everything that a device may say to it: what the child then runs in, and what is said of it.

{auto, crypto, packet} x {taken, refused, silently software} x {in, out, both} x {IPv4, IPv6} x {tunnel, transport}, as initiator, and
those that are refused as responder, too; against strongSwan. For each cell the NIC's view, the kernel's and `sa show` are compared,
and packets are carried. Then: the device's table is full at the n-th SA, and it answers slowly.

tools/lab run --out DIR -- python3 tests/lab/offload_matrix.py; rows in DIR/offload_matrix.json. ESPGATE_FAMILIES ("4 6").
"""
import itertools
import os
import sys
import tempfile

from gateway_packet import Packet, held_by_nic, modes, pair, policies_held
from scenario import counters, hosts, traffic
from scenario.results import Results
from scenario.shell import Failed, lib, wait_for

NIC = "simnic0"
WORDS = "Device command failed (injected)"
PINGS = 5
FAMILIES = [int(each) for each in os.environ.get("ESPGATE_FAMILIES", "4 6").split()]
SAYS = {"taken": "none", "refused": "add_errno=22", "silent": "accept_silent"}
WAYS = {"in": " in_only", "out": " out_only", "both": ""}


def cells():
    """(wish, what the device says, in which direction). Silence is a thing of crypto mode: in packet mode the kernel refuses."""
    for wish in ("auto", "crypto", "packet"):
        yield wish, "taken", "both"
        for says, way in itertools.product(("refused", "silent"), WAYS):
            if (wish, says) != ("packet", "silent"):
                yield wish, says, way


def expected(wish, says):
    """What both directions run in; None: the child is refused."""
    if says == "taken":
        return "crypto" if wish == "crypto" else "packet"
    return "none" if wish == "auto" else None


class Matrix(Packet):
    def begin(self, family):
        children = {f"{wish}-{mode}": pair(number if mode == "tunnel" else 0, family, wish, mode=mode)
                    for number, (wish, mode) in enumerate(itertools.product(("auto", "crypto", "packet"), ("tunnel", "transport")), 1)}
        self.numbers = {name: number for number, name in enumerate(children, 1)}
        # A probe would be answered by the faults that are meant for the children.
        self.start(family, children, "gateway {\n  probe = no\n}\n")

    def ends(self, name, family):
        if name.endswith("transport"):
            return hosts.GW_ADDRESS[family], hosts.PEER_ADDRESS[family]
        return hosts.inner(1, self.numbers[name], family), hosts.inner(2, self.numbers[name], family)

    def up(self, name, role):
        if role == "initiator":
            done = self.gateway.cli("conn", "up", f"demo/{name}", ok=False)
        else:
            done = self.peer.ctl("--initiate", "--child", name, "--timeout", "30", ok=False)
        return done.returncode == 0, (done.stdout + done.stderr).strip()

    def row(self, name):
        return self.gateway.children().get(f"demo/{name}")

    def cell(self, family, mode, role, wish, says, way):
        what = f"{wish}, {says}{'' if way == 'both' else ' ' + way}, IPv{family} {mode}, {role}"
        name = f"{wish}-{mode}"
        # What a device said before is not to stand between: it is asked anew.
        self.gateway.cli("offload", "forgive", "dev", NIC, ok=False)
        lib("simnic_knob", NIC, "fault", SAYS[says] + WAYS[way] if says != "taken" else "none")
        up, said = self.up(name, role)
        lib("simnic_knob", NIC, "fault", "none")
        wanted = expected(wish, says)
        if wanted is None:
            self.refused(what, name, role, says, up, said)
        else:
            self.runs(what, name, family, says, way, wanted)
        self.gateway.cli("conn", "down", "demo", ok=False)
        wait_for(f"{what}: both ends to be rid of it", lambda: not counters.kernel_sas(hosts.GW) and not counters.kernel_sas(hosts.PEER), 20)

    def runs(self, what, name, family, says, way, wanted):
        row = self.row(name)
        if row is None:
            self.results.equal(f"{what}: is up", False, True)
            return
        traffic.ping_all(hosts.GW, *self.ends(name, family), PINGS)
        row = self.row(name)
        sides = [row["in"], row["out"]]
        self.results.equal(f"{what}: runs in", [side["offload"]["actual"] for side in sides], [wanted, wanted])
        self.results.equal(f"{what}: as it turned out", [side["offload"]["effective"] for side in sides],
                           ["sw" if wanted == "none" else "hw"] * 2)
        spis = {f"{direction} {row[direction]['spi']}" for direction in ("in", "out")}
        self.results.equal(f"{what}: the NIC holds", sorted(held_by_nic()), sorted(spis) if wanted != "none" else [])
        kernel = counters.kernel_sas(hosts.GW)
        held = {direction: bool(kernel[row[direction]["spi"]]["offload"]) for direction in ("in", "out")}
        self.results.equal(f"{what}: the kernel's offload", held, {"in": wanted != "none", "out": wanted != "none"})
        codes = {direction: row[direction]["offload"]["reason_code"] for direction in ("in", "out")}
        if wanted != "none":
            self.results.equal(f"{what}: reason", codes, {"in": None, "out": None})
            return
        cause = "offload-refused" if says == "refused" else "silent-software"
        self.results.equal(f"{what}: reason", codes,
                           {direction: cause if way in (direction, "both") else "other-direction" for direction in ("in", "out")})
        texts = " ".join(side["offload"]["reason"] for side in sides)
        self.results.holds(f"{what}: in words", (WORDS if says == "refused" else "runs it in software") in texts, texts)

    def refused(self, what, name, role, says, up, said):
        self.results.equal(f"{what}: is up", (up, self.row(name)), (False, None))
        silent = "runs in software" if role == "initiator" else "runs it in software"
        words = WORDS if says == "refused" else silent
        told = said if role == "initiator" else self.gateway.log()[-3000:]
        self.results.holds(f"{what}: in words", words in told, told[-300:])
        self.results.equal(f"{what}: what is left of it", (held_by_nic(), policies_held(), counters.kernel_sas(hosts.GW)), ([], [], {}))
        if role == "responder":
            self.results.holds(f"{what}: the peer was told in the reply", "NO_PROP" in said or "TEMP" in said or "failed" in said, said[-300:])

    def family(self, family):
        self.results.section(f"IPv{family}")
        modes("crypto packet")
        self.begin(family)
        for mode in ("tunnel", "transport"):
            for wish, says, way in cells():
                self.cell(family, mode, "initiator", wish, says, way)
                if (family, mode) == (4, "tunnel") and expected(wish, says) is None:
                    self.cell(family, mode, "responder", wish, says, way)
        self.stop(f"IPv{family}")

    def full(self):
        """The n-th SA finds no room: auto goes on in software and says why, whichever SA it was."""
        self.results.section("no room")
        modes("crypto packet")
        self.begin(4)
        for after in (0, 1, 2, 3):
            what = f"ENOSPC after {after} SAs"
            self.gateway.cli("offload", "forgive", "dev", NIC, ok=False)
            lib("simnic_knob", NIC, "fault", f"add_errno=28,after={after}")
            self.up("auto-tunnel", "initiator")
            lib("simnic_knob", NIC, "fault", "none")
            traffic.ping_all(hosts.GW, *self.ends("auto-tunnel", 4), PINGS)
            row = self.row("auto-tunnel")
            actual = [row[way]["offload"]["actual"] for way in ("in", "out")]
            codes = {row[way]["offload"]["reason_code"] for way in ("in", "out")}
            taken = actual == ["packet", "packet"]
            self.results.holds(f"{what}: software, since the device is full, or taken", taken or (actual == ["none", "none"] and "device-full" in codes),
                               f"{actual} {codes}")
            self.results.equal(f"{what}: SAs on the NIC", len(held_by_nic()), 2 if taken else 0)
            self.gateway.cli("conn", "down", "demo")
            wait_for(f"{what}: both ends to be rid of it", lambda: not counters.kernel_sas(hosts.GW) and not counters.kernel_sas(hosts.PEER), 20)
        self.stop("no room")

    def slow(self):
        """A driver that takes its time: what is in time is up, what is not is refused to the peer, with the reason, and leaves nothing."""
        self.results.section("slow answers")
        modes("crypto packet")
        self.begin(4)
        name = "auto-tunnel"
        for role, delay, wanted in (("initiator", 400, "packet"), ("responder", 400, "packet"), ("initiator", 3000, "packet"),
                                    ("responder", 3000, None)):
            what = f"each SA takes {delay} ms, {role}"
            lib("simnic_knob", NIC, "fault", f"add_delay={delay}")
            _, said = self.up(name, role)
            lib("simnic_knob", NIC, "fault", "none")
            if wanted:
                wait_for(f"{what}: it to be up", lambda: self.row(name) is not None, 20)
                traffic.ping_all(hosts.GW, *self.ends(name, 4), PINGS)
                row = self.row(name)
                self.results.equal(f"{what}: runs in", [row[way]["offload"]["actual"] for way in ("in", "out")], [wanted, wanted])
            else:
                reason = "the kernel had not taken the child"
                wait_for(f"{what}: the log to say why", lambda: reason in self.gateway.log()[-3000:], 30)
                self.results.holds(f"{what}: the reason is in the log", True, reason)
                self.results.holds(f"{what}: the peer is told", "NO_PROPOSAL_CHOSEN" in said or "TEMPORARY_FAILURE" in said, said[-300:])
                wait_for(f"{what}: it to be gone", lambda: self.row(name) is None, 30)
            self.gateway.cli("conn", "down", "demo", ok=False)
            wait_for(f"{what}: both ends to be rid of it", lambda: not counters.kernel_sas(hosts.GW) and not counters.kernel_sas(hosts.PEER), 30)
            self.results.equal(f"{what}: what is left of it", (held_by_nic(), policies_held()), ([], []))
        self.stop("slow answers")


def main():
    results = Results("offload_matrix")
    with tempfile.TemporaryDirectory() as directory:
        hosts.build()
        matrix = Matrix(directory, results)
        try:
            for family in FAMILIES:
                matrix.family(family)
            matrix.full()
            matrix.slow()
        except Failed as failure:
            results.holds("the scenario runs to its end", False, str(failure))
        finally:
            if any(not row["pass"] for row in results.rows):
                print("espgated's log:\n" + matrix.gateway.log()[-9000:] + "\ncharon's log:\n" + matrix.peer.log()[-2000:])
            matrix.gateway.stop()
            matrix.peer.stop()
            hosts.destroy()
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
