#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""espgated finds out what its devices take, keeps it, and offers suites by it: on the emulated NIC and on netdevsim.

tools/lab run --out DIR -- python3 tests/lab/devices.py; rows in DIR/devices.json. One boot, against strongSwan. What the
daemon found is compared with what `espgate offload probe` finds, row by row; what is negotiated is read from the NIC.
"""
import json
import pathlib
import re
import stat
import sys
import tempfile
import time

from scenario import daemon, hosts
from scenario.results import Results
from scenario.shell import Failed, lib, ns, run, wait_for

PLAN = 112
PATIENCE = 120  # a probe takes some 17 s; the machine is emulated
BOTH = "aes128gcm16,aes256gcm16"
KEYS = ("suite", "mode", "dir", "sa_mode", "family", "esn", "encap", "replay_window")
NIC = "simnic0"


def knob(name, value):
    lib("simnic_knob", NIC, name, value)


def child(offered, **more):
    return {"local_ts": hosts.network(*offered), "remote_ts": hosts.network(3 - offered[0], offered[1]), **more}


def sa_count(name=hosts.GW):
    return len(re.findall(r"(?m)^src ", ns(name, "ip", "xfrm", "state").stdout))


class Devices:
    def __init__(self, directory, results):
        self.directory, self.results = pathlib.Path(directory), results
        self.gateway = daemon.Gateway(f"{directory}/gw")
        self.cache = self.gateway.directory / "lib" / "devices.json"  # its folder is not there yet
        self.gateway.arguments = ["--devices", self.cache]
        self.peer = daemon.Charon(f"{directory}/peer")
        self.logged = 0

    def conf(self, side, children):
        ends = [(hosts.GW_ADDRESS[4], "gw.example.org"), (hosts.PEER_ADDRESS[4], "peer.example.org")]
        near, far = ends if side == 1 else reversed(ends)
        return daemon.swanctl_conf(local=near[0], remote=far[0], local_id=near[1], remote_id=far[1], secret="a secret",
                                   proposals="aes128gcm16-prfsha256-x25519", children=children)

    def ours(self, gateway="", **more):
        return gateway + self.conf(1, {"net": child((1, 1), esp_proposals="default", hw_offload="auto", **more)})

    def theirs(self, proposals):
        return self.conf(2, {"net": child((2, 1), esp_proposals=proposals)})

    # ------------------------------------------------------------------------------------------ helpers

    def shown(self, device=NIC):
        rows = self.gateway.json("--devices", self.cache, "offload", "show", "dev", device)
        return rows[0] if rows else {}

    def state(self, device=NIC):
        return (self.shown(device).get("probe") or {}).get("state")

    def wait_state(self, *wanted, device=NIC):
        wait_for(f"{device} to be {' or '.join(wanted)}", lambda: self.state(device) in wanted, PATIENCE, 0.5)

    def offers(self, device=NIC):
        return [(each["suite"], each["carrier"]) for each in self.shown(device)["offers"]]

    def news(self):
        """The log since it was read last."""
        whole = self.gateway.log()
        new, self.logged = whole[self.logged:], len(whole)
        return new

    def restart(self, config):
        self.gateway.stop()
        self.news()
        self.gateway.start(config)

    def forgive(self):
        return json.loads(self.gateway.cli("-j", "offload", "forgive", "dev", NIC).stdout)["dropped"]

    def negotiated(self, what, role, suite, actual):
        """Brings the child up, and down again; with which suite, and where it runs."""
        if role == "initiator":
            self.gateway.cli("conn", "up", "demo/net")
        else:
            self.peer.ctl("--initiate", "--child", "net", "--timeout", "60")
        row = self.gateway.children()["demo/net"]
        self.results.equal(f"{what}: suite", row["suite"] + ("-esn" if row["esn"] else ""), suite)
        self.results.equal(f"{what}: where it runs", [row[way]["offload"]["actual"] for way in ("in", "out")],
                           [actual, actual])
        self.gateway.cli("conn", "down", "demo/net")
        wait_for("both ends to be rid of it", lambda: not self.gateway.children() and sa_count(hosts.PEER) == 0)

    # --------------------------------------------------------------------------------------------- parts

    def first_start(self):
        self.results.section("the first start")
        self.peer.start(self.theirs(BOTH))
        self.gateway.start(self.ours())
        self.results.equal("nothing is tried at once", self.shown()["takes"], [])
        self.results.equal("nothing is offered as if it were known", sorted({where for _, where in self.offers()}),
                           ["unknown"])
        self.wait_state("done")
        self.results.equal("SAs left", sa_count(), 0)
        row = self.shown()
        told = [{key: each[key] for key in (*KEYS, "result", "errno")} for each in row["takes"]]
        asked = json.loads(ns(hosts.GW, "espgate", "-j", "offload", "probe", "dev", NIC).stdout)
        self.results.equal("answers", len(told), PLAN)
        self.results.equal("the same as `espgate offload probe` gets, row by row",
                           [each for each in asked if {key: each[key] for key in (*KEYS, "result", "errno")} not in told],
                           [])
        words = sorted({each["reason"] for each in row["takes"] if each["reason"]})
        self.results.equal("in the driver's words", words, sorted({each["reason"] for each in asked if each["reason"]}))
        self.results.equal("all learned from probes", sorted({each["learned"] for each in row["takes"]}), ["probe"])
        times = [each["at"] for each in row["takes"]]
        self.results.more("seconds it took, at ten a second at most", max(times) - min(times), PLAN / 10 - 2)
        self.results.equal("offered", self.offers(),
                           [(name, where) for suite, where in (("aes256gcm16", "hardware"), ("aes128gcm16", "hardware"),
                                                              ("chacha20poly1305", "software"), ("aes128-sha256", "software"),
                                                              ("aes256-sha256", "software"))
                            for name in (suite + "-esn", suite)])
        log = self.news()
        for said in (f"{NIC}: tried {PLAN} SAs: it takes aes128gcm16, aes256gcm16 in crypto mode and nothing in packet",
                     f"demo/net: esp_proposals = default means now, in this order: aes256gcm16-esn, aes256gcm16, aes128gcm16-esn, "
                     f"aes128gcm16 ({NIC} takes it in crypto"):
            self.results.holds(f"the log says: {said}", said in log, log[-1500:] if said not in log else "so it does")
        print(self.gateway.cli("offload", "show").stdout, flush=True)

    def kept(self):
        self.results.section("its cache")
        wait_for("the file", self.cache.exists)
        self.results.equal("mode", oct(stat.S_IMODE(self.cache.stat().st_mode)), "0o600")
        self.results.equal("beside it", [each.name for each in self.cache.parent.iterdir()], [self.cache.name])
        self.restart(self.ours())
        row = self.shown()
        self.results.equal("known at once", [len(row["takes"]), *{each["learned"] for each in row["takes"]}],
                           [PLAN, "cache"])
        self.results.equal("offered at once", self.offers()[0], ("aes256gcm16-esn", "hardware"))
        before = int(run("stat", "-c", "%Y", self.cache).stdout)
        time.sleep(8)
        log = self.news()
        self.results.holds("and nothing is tried again", "finding out" not in log and self.state() == "done", log[-800:])
        self.results.equal("nor written", int(run("stat", "-c", "%Y", self.cache).stdout), before)
        self.gateway.stop()
        self.results.equal("daemon down: `offload show` has it from there", self.offers()[0], ("aes256gcm16-esn", "hardware"))
        for text, said in (("{}", "it is not as espgate writes it"), ("garbage", "it is no JSON")):
            self.cache.write_text(text)
            self.gateway.start()
            log = self.news()
            self.results.equal(f"a file with {text}: said once", log.count(said), 1)
            self.wait_state("done")
            wait_for("a new file", lambda: f'"{NIC}"' in self.cache.read_text())
            self.gateway.stop()
            self.news()

    def steered(self):
        self.results.section("suites by what the device takes")
        self.gateway.start(self.ours())
        self.negotiated("we offer, the peer takes our order or its own", "initiator", self.peers_choice(), "crypto")
        self.negotiated("the peer offers both, we choose", "responder", "aes256gcm16", "crypto")
        knob("suites", "aes128gcm16")
        self.results.more("forgiven: answers dropped", self.forgive(), PLAN - 1)
        self.wait_state("done")
        self.results.equal("offered now", self.offers()[:4],
                           [("aes128gcm16-esn", "hardware"), ("aes128gcm16", "hardware"), ("aes256gcm16-esn", "software"),
                            ("aes256gcm16", "software")])
        reason = self.shown()["offers"][3]["reason"]
        self.results.equal("why", reason, f"{NIC} refuses it (in): \"Cannot offload xfrm states with key length other "
                                          "than 128bit\" (EINVAL)")
        self.peer.load(self.theirs("aes256gcm16,aes128gcm16"))
        self.negotiated("the peer offers both, we choose what the NIC takes", "responder", "aes128gcm16", "crypto")
        self.restart(self.ours(gateway="gateway {\n  esp_floor = 256\n}\n"))
        self.negotiated("above a floor: software, but strong", "responder", "aes256gcm16", "none")
        self.restart(self.ours().replace("esp_proposals = default", "esp_proposals = aes256gcm16, aes128gcm16"))
        self.negotiated("spelt out: as it was spelt out", "responder", "aes256gcm16", "none")
        knob("suites", "aes128gcm16 aes256gcm16")

    def without_esn(self):
        """A NIC without ESN, and a peer that takes both: what is negotiated, and where it runs."""
        self.results.section("ESN")
        both = ",".join(f"{suite}-esn-noesn" for suite in BOTH.split(","))
        self.peer.load(self.theirs(both))
        self.restart(self.ours())
        self.forgive()
        self.wait_state("done")
        self.negotiated("a NIC that has ESN", "responder", "aes256gcm16-esn", "crypto")
        knob("esn", "0")
        self.forgive()
        self.wait_state("done")
        self.results.equal("a NIC without: offered now", self.offers()[:3],
                           [("aes256gcm16", "hardware"), ("aes128gcm16", "hardware"), ("aes128gcm16-esn", "software")])
        self.negotiated("ESN is left out", "responder", "aes256gcm16", "crypto")
        self.negotiated("as the initiator, too", "initiator", self.peers_choice(), "crypto")
        self.peer.load(self.theirs("aes256gcm16-esn"))
        self.negotiated("a peer that insists", "responder", "aes256gcm16-esn", "none")
        self.peer.load(self.theirs(both))
        self.restart(self.ours(gateway="gateway {\n  offload_without_esn = no\n}\n"))
        self.negotiated("where that is forbidden", "responder", "aes128gcm16-esn", "none")
        why = {each["suite"]: each["reason"] for each in self.shown()["offers"]}["aes256gcm16"]
        self.results.holds("and said", "not before ESN: gateway.offload_without_esn = no" in why, why)
        knob("esn", "1")
        self.peer.load(self.theirs(BOTH))

    def peers_choice(self):
        """charon prefers its own order of the proposals that it has."""
        return BOTH.split(",", maxsplit=1)[0]

    def learned_from_children(self):
        self.results.section("learned from a child's own SAs")
        self.restart(self.ours(gateway="gateway {\n  probe = no\n}\n"))
        self.forgive()
        knob("suites", "aes256gcm16")
        self.peer.load(self.theirs(BOTH))
        self.negotiated("nobody knows yet: the usual order", "responder", "aes128gcm16", "none")
        row = self.shown()
        self.results.equal("what the install was told is remembered",
                           sorted((each["suite"], each["mode"], each["dir"], each["result"], each["learned"]) for each in row["takes"]),
                           [("aes128gcm16", mode, way, "refused", "install") for mode in ("crypto", "packet") for way in ("in", "out")])
        self.results.holds("probe = no: nothing is tried", "probe = no" in row["probe"]["text"], row["probe"]["text"])
        knob("suites", "aes128gcm16 aes256gcm16")

    def full(self):
        self.results.section("a table that is full")
        self.restart(self.ours())
        self.gateway.cli("conn", "up", "demo/net")
        knob("slots", "1")
        self.forgive()
        self.wait_state("full")
        row = self.shown()
        # The first refusal ends it for half a minute: the other direction was not asked yet.
        self.results.equal("slots", row["slots"], {"used": {"in": 1, "out": 1}, "known": {"in": 1, "out": None}})
        self.results.equal("a refusal for want of room is no answer", row["takes"], [])
        log = self.news()
        self.results.equal("said once", log.count("not tried further for now"), 1)
        self.results.holds("in the driver's words", "No space for SA in" in log, log[-800:])
        knob("slots", "1024")
        self.gateway.cli("conn", "down", "demo/net")
        self.forgive()
        self.wait_state("done")

    def on_others(self):
        self.results.section("netdevsim, a bond, a VLAN")
        run("modprobe", "netdevsim")
        ns(hosts.GW, "sh", "-c", "echo '7 2' > /sys/bus/netdevsim/new_device")
        links = json.loads(ns(hosts.GW, "ip", "-j", "link").stdout)
        ports = sorted(each["ifname"] for each in links if re.fullmatch(r"en?i?7n?p?[12]|eni7np[12]|eth[0-9]+", each["ifname"]))
        self.results.equal("ports of netdevsim", len(ports), 2)
        ip = ("ip", "-n", hosts.GW, "link")
        run(*ip, "add", "bond0", "type", "bond", "mode", "active-backup", "fail_over_mac", "active")
        for port in ports:
            run(*ip, "set", port, "down")
            run(*ip, "set", port, "master", "bond0")
            run(*ip, "set", port, "up")
        run(*ip, "set", "bond0", "up")
        run(*ip, "add", "link", "bond0", "name", "vlan9", "up", "type", "vlan", "id", "9")
        self.restart(self.ours(gateway=f"gateway {{\n  interfaces = {NIC}, vlan9\n}}\n"))
        for port in ports:
            self.wait_state("done", device=port)
            row = self.shown(port)
            self.results.equal(f"{port}: carries", row["carries"], ["vlan9"])
            esn = sorted({each["result"] for each in row["takes"] if each["esn"]})
            self.results.equal(f"{port}: ESN", esn, ["refused"])
            self.results.equal(f"{port}: offered first", self.offers(port)[:2],
                               [("aes256gcm16", "hardware"), ("aes128gcm16", "hardware")])
            self.results.equal(f"{port}: agrees with its fellow", row["disagreement"], None)
        self.results.equal("SAs left", sa_count(), 0)


def main():
    results = Results("devices")
    with tempfile.TemporaryDirectory() as directory:
        try:
            hosts.build(networks=1)
            scenario = Devices(directory, results)
            for part in (scenario.first_start, scenario.kept, scenario.steered, scenario.without_esn, scenario.learned_from_children,
                         scenario.full, scenario.on_others):
                part()
            scenario.gateway.stop()
        except Failed as failure:
            results.holds("the scenario runs to its end", False, str(failure))
            print(scenario.gateway.log()[-6000:], flush=True)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
