#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A device with fewer slots than children: the heavy ones get them, the device's room is learned, and no packet is lost when a
child is moved. Under traffic in both directions, against strongSwan; the NIC's own counters are the oracle.

tools/lab run --out DIR -- python3 tests/lab/gateway_steering.py; rows in DIR/steering_lab.json.
ESPGATE_MOVES: how often each of five children is moved to software and back (4).
"""
import os
import re
import sys
import time

from demo import GCM, child, configs
from scenario import counters, daemon, hosts
from scenario.results import run_scenario
from scenario.shell import Failed, lib, wait_for
from scenario.stream import Stream

NIC = "simnic0"
MOVES = int(os.environ.get("ESPGATE_MOVES", 4))
# What a lost or misdirected packet would be counted as.
TROUBLE = ("XfrmInNoStates", "XfrmOutNoStates", "XfrmInStateInvalid", "XfrmOutStateInvalid", "XfrmInStateProtoError", "XfrmInStateSeqError",
           "XfrmInTmplMismatch", "XfrmInNoPols", "XfrmOutPolBlock", "XfrmInPolBlock")


def steering(spread="", **keys):
    """The gateway section; a probe would take slots, too. `spread`: CPUs that ESP in software is handed to."""
    lines = "".join(f"    {key} = {value}\n" for key, value in {"interval": "1s", "cooldown": 0, "budget": 100, **keys}.items())
    spread = f"  spread = {spread}\n" if spread else ""
    return f"gateway {{\n  probe = no\n{spread}  steer {{\n{lines}  }}\n}}\n"


def knob(name, value):
    lib("simnic_knob", NIC, name, value)


def pairs(numbers):
    return {f"c{number}": (hosts.inner(1, number), hosts.inner(2, number)) for number in numbers}


class Steering:
    def __init__(self, directory, results, numbers):
        self.results, self.numbers = results, numbers
        self.directory = directory
        self.children, self.theirs = configs({f"c{number}": child(number, GCM, "auto") for number in numbers})
        self.always = {}
        self.peer = daemon.Charon(f"{directory}/peer").start(self.theirs)
        self.gateway = daemon.Gateway(f"{directory}/gw")

    def meet_our_like(self):
        """From now on the peer is an espgated, without accounting."""
        self.peer.stop()
        self.peer = daemon.Gateway(f"{self.directory}/espgated", hosts.PEER)
        self.peer.bpffs = self.directory  # no bpffs
        self.peer.start(self.theirs)

    def begin(self, **keys):
        self.gateway.start(steering(**self.always, **keys) + self.children)

    def up(self, numbers=None):
        for number in numbers or self.numbers:
            self.gateway.cli("conn", "up", f"demo/c{number}")

    def reload(self, **keys):
        self.gateway.write_config(steering(**self.always, **keys) + self.children)
        self.gateway.cli("conn", "reload")

    def handed_on(self):
        """ESP that came in by the NIC and went to a CPU of the spread."""
        rows = self.gateway.json("stats", "show", "dev", NIC)
        return sum(each["packets"] for row in rows for each in row["classes"] if each["verdict"] == "redirect")

    def where(self):
        """{child: crypto or none}, by what the kernel says of both directions; "apart" if they differ."""
        out = {}
        for name, row in self.gateway.children().items():
            actual = {row[way] and row[way]["offload"]["actual"] for way in ("in", "out")}  # none yet, for a moment
            out[name.split("/")[1]] = actual.pop() if len(actual) == 1 else "apart"
        return out

    def wait(self, what, wanted, seconds=40):
        try:
            wait_for(what, lambda: self.where() == wanted, seconds, 0.3)
        except Failed:
            pass  # the row says what is there
        return self.results.equal(what, self.where(), wanted)

    def shown(self):
        return self.gateway.json("offload", "show", "dev", NIC)[0]["steering"]

    def moves(self):
        text = self.gateway.cli("export", "prometheus").stdout
        return [int(re.search(rf'espgate_steer_moves_total{{dev="{NIC}",move="{move}"}} (\d+)', text).group(1)) for move in ("promote", "demote")]

    def hardware(self):
        """[packets in, out] that our own counters ever saw in hardware, over all children and generations."""
        text = self.gateway.cli("export", "prometheus").stdout
        out = []
        for way in ("in", "out"):
            found = re.findall(rf'espgate_child_packets_total{{[^}}]*direction="{way}",path="hardware"}} (\S+)', text)
            out.append(sum(int(float(value)) for value in found))
        return out

    # ---------------------------------------------------------------------------------------------------------- parts

    def heavy_ones(self):
        """Two slots for four children (and two kept free): who carries gets them."""
        self.results.section("the heavy ones get the slots")
        self.begin(slots=4)
        self.up([1, 2, 3, 4])
        self.results.equal("newcomers take what is free", self.where(), {"c1": "crypto", "c2": "crypto", "c3": "none", "c4": "none"})
        row = self.gateway.children()["demo/c3"]["out"]["offload"]
        self.results.equal("why c3 is in software", row["reason_code"], "no-slot")
        self.results.holds("and in words", f"{NIC} has 4 slots a direction, 2 of them are kept free" in row["reason"], row["reason"])
        with Stream(pairs([3, 4])) as stream:
            self.wait("those that carry are in hardware", {"c1": "none", "c2": "none", "c3": "crypto", "c4": "crypto"})
            time.sleep(1)
            told = stream.end()
        self.results.equal("packets lost", {name: sent - answered for name, (sent, answered) in told.items()}, {"c3": 0, "c4": 0})
        self.results.equal("offload show", self.shown(),
                           {"slots": 4, "reserve": 2, "children": {"hardware": 2, "software": 2}, "budget": 4, "moves": {"promote": 2, "demote": 2}})
        self.results.equal("metrics: promoted, demoted", self.moves(), [2, 2])
        log = self.gateway.log()
        self.results.holds("the log says why", bool(re.search(r"demo/c3: moving to hardware on simnic0: .*it carries", log)))
        self.stop()

    def back_and_forth(self, mode, moves):
        """All children to software and back, under 500 packets a second each way."""
        ours = isinstance(self.peer, daemon.Gateway)
        self.results.section(f"{moves} times back and forth between {mode} mode and software, five children; the peer is {'espgate' if ours else 'charon'}{'; ESP in software is spread over both CPUs' if self.always else ''}")
        numbers = [1, 2, 3, 4, 5]
        knob("modes", "crypto packet" if mode == "packet" else "crypto")
        self.begin(slots=20)
        self.gateway.cli("offload", "forgive", "dev", NIC)  # that it refused packet mode before
        self.up(numbers)
        hardware = {f"c{number}": mode for number in numbers}
        software = {f"c{number}": "none" for number in numbers}
        self.results.equal("all are in hardware", self.where(), hardware)
        nic, trouble = counters.nic_counters(), {name: counters.stack_errors(name) for name in (hosts.GW, hosts.PEER)}
        before = self.hardware()
        with counters.Capture(f"{self.gateway.directory}/moves.pcap", device="simnic1", expression="net 10.0.0.0/8") as capture:
            with Stream(pairs(numbers)) as stream:
                for number in range(1, moves + 1):
                    self.reload(slots=0)
                    self.wait(f"{number}: to software", software)
                    self.reload(slots=20)
                    self.wait(f"{number}: to {mode} mode", hardware)
                time.sleep(1)
                told = stream.end()
        self.results.equal("promoted, demoted", self.moves(), [5 * moves, 5 * moves])
        lost = {name: sent - answered for name, (sent, answered) in told.items()}
        print(f"       {sum(sent for sent, _ in told.values())} packets sent", flush=True)
        after = {name: counters.stack_errors(name) for name in (hosts.GW, hosts.PEER)}
        grown = {f"{name} {key}": after[name].get(key, 0) - trouble[name].get(key, 0) for name in after for key in TROUBLE
                 if after[name].get(key, 0) != trouble[name].get(key, 0)}
        if ours:
            self.results.equal("packets lost", lost, {name: 0 for name in hardware})
        else:
            # charon deletes its old outbound SA in the moment in which it sends on the new one: a packet that had chosen the old one is lost.
            theirs = grown.pop("peer XfrmOutStateInvalid", 0)
            self.results.equal(f"packets lost, but for {theirs} that the peer deleted the SA of meanwhile", sum(lost.values()) - theirs, 0)
        self.results.equal("what the stacks counted as errors", grown, {})
        inside = [packet for packet in counters.pcap_packets(capture.path) if counters.is_inner(packet)]
        self.results.equal("in the clear", len(inside), 0)
        if self.always:
            self.results.more("packets of software SAs handed to a CPU", self.handed_on())
        now = counters.nic_counters()
        self.results.equal("hardware packets in and out, ours = the NIC's", [a - b for a, b in zip(self.hardware(), before)],
                           [now[key] - nic[key] for key in ("hw_rx_packets", "hw_tx_packets")])
        self.stop()

    def inside(self):
        return sorted(name for name, actual in self.where().items() if actual == "crypto")

    def held(self):
        """Inbound SAs on the NIC."""
        return sum(1 for way, _ in counters.nic_sas() if way == "in")

    def learned(self):
        """Nobody says how much room there is: the first refusal does. Then rekeys of those inside find room."""
        self.results.section("room is learned")
        knob("slots", "6")
        self.begin(slots="learned")
        self.up([1, 2, 3, 4, 5, 6, 7])
        self.results.equal("the seventh found no room", self.gateway.children()["demo/c7"]["out"]["offload"]["reason_code"], "device-full")
        wait_for("the headroom", lambda: self.shown()["children"]["hardware"] == 4, 20)
        self.results.equal("offload show", {key: self.shown()[key] for key in ("slots", "reserve", "children")},
                           {"slots": 6, "reserve": 2, "children": {"hardware": 4, "software": 3}})
        wait_for("the NIC to be rid of who was moved", lambda: self.held() == 4, 20)
        refused = counters.nic_counters()["refused"]
        inside = self.inside()
        for name in inside:
            self.gateway.cli("conn", "rekey", f"demo/{name}")
            wait_for("the old generation to go", lambda: self.held() == 4, 20)
        self.results.equal("rekeyed one after the other: the same ones are in hardware", self.inside(), inside)
        self.results.equal("refused meanwhile", counters.nic_counters()["refused"] - refused, 0)
        with Stream(pairs([int(name[1:]) for name in inside])) as stream:
            for name in inside:
                self.gateway.cli("conn", "rekey", f"demo/{name}")
            self.results.more("rekeyed all at once: there is no room for all", counters.nic_counters()["refused"] - refused)
            wait_for("them to come back", lambda: self.inside() == inside, 40)
            self.results.equal("they come back", self.inside(), inside)
            told = stream.end()
        self.results.equal("packets lost", {name: sent - answered for name, (sent, answered) in told.items()}, {name: 0 for name in inside})
        knob("slots", "1024")
        self.stop()

    def stop(self):
        self.results.equal("stops cleanly", self.gateway.stop(), 0)
        self.results.equal("nothing of it is left in the kernel", (counters.kernel_sas(hosts.GW), counters.policies(hosts.GW)), ({}, []))


def scenario(directory, results):
    hosts.build()
    steer = Steering(directory, results, range(1, 8))
    try:
        steer.heavy_ones()
        steer.back_and_forth("crypto", MOVES)
        steer.back_and_forth("packet", max(1, MOVES // 2))
        knob("modes", "crypto")
        steer.learned()
        steer.meet_our_like()
        steer.always = {"spread": "0, 1"}  # who is spread changes with every move, and nothing is lost of it
        steer.back_and_forth("crypto", MOVES)
    except Failed as failure:
        results.holds("the scenario runs to its end", False, str(failure))
    finally:
        if any(not row["pass"] for row in results.rows):
            print("espgated's log:\n" + steer.gateway.log()[-16000:] + "\nthe peer's log:\n" + steer.peer.log()[-4000:])
        steer.gateway.stop()
        steer.peer.stop()
        hosts.destroy()


if __name__ == "__main__":
    sys.exit(run_scenario("steering_lab", scenario))
