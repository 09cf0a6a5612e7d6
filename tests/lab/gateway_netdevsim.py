#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A full table where nobody made it for us: the kernel's netdevsim holds 33 SAs, both directions together, and refuses the 34th.
The child to whom it belongs runs in software, or is refused, as configured. Against strongSwan, over two linked netdevsims.

tools/lab run --out DIR -- python3 tests/lab/gateway_netdevsim.py; rows in DIR/netdevsim.json. No traffic: netdevsim encrypts nothing.
"""
import json
import os
import pathlib
import re
import sys

from scenario import counters, daemon, hosts
from scenario.results import run_scenario
from scenario.shell import Failed, ns, run, wait_for

CHILDREN = 17  # 34 SAs
ROOM = 33
OURS, THEIRS = "100.64.7.1", "100.64.7.2"
WORDS = "No space for SA in"
BUS = pathlib.Path("/sys/bus/netdevsim")


def links(name):
    return {each["ifname"]: each["ifindex"] for each in json.loads(run("ip", "-n", name, "-j", "link").stdout)}


def port(number, name, address):
    """Device and interface index of a new netdevsim's only port, in namespace `name`."""
    before = links(name)
    ns(name, "sh", "-c", f"echo '{number} 1' > {BUS}/new_device")
    wait_for("its port", lambda: len(links(name)) > len(before), 10)
    ((device, index),) = links(name).items() - before.items()
    run("ip", "-n", name, "address", "add", f"{address}/24", "dev", device)
    run("ip", "-n", name, "link", "set", device, "up")
    return device, index


def link(near, far):
    """What leaves the one arrives at the other. The file takes descriptors of namespaces, of the process that writes."""
    fds = [os.open(f"/run/netns/{name}", os.O_RDONLY) for name in (hosts.GW, hosts.PEER)]
    try:
        (BUS / "link_device").write_text(f"{fds[0]}:{near} {fds[1]}:{far}")
    finally:
        for fd in fds:
            os.close(fd)


def held():
    """SAs that netdevsim7 holds, by its own account."""
    text = pathlib.Path("/sys/kernel/debug/netdevsim/netdevsim7/ports/0/ipsec").read_text()
    return int(re.search(r"SA count=(\d+)", text).group(1))


def child(side, number, **more):
    return {"local_ts": hosts.network(side, number), "remote_ts": hosts.network(3 - side, number), "esp_proposals": "aes128gcm16", **more}


def conf(side, **more):
    ends = [(OURS, "gw.example.org"), (THEIRS, "peer.example.org")]
    near, far = ends if side == 1 else reversed(ends)
    return daemon.swanctl_conf(local=near[0], remote=far[0], local_id=near[1], remote_id=far[1], secret="a secret",
                               proposals="aes128gcm16-prfsha256-x25519",
                               children={f"c{number}": child(side, number, **more) for number in range(1, CHILDREN + 1)})


class Full:
    def __init__(self, directory, results, device):
        self.results, self.device = results, device
        self.gateway = daemon.Gateway(f"{directory}/gw")
        self.gateway.arguments = ["--devices", f"{directory}/devices.json"]
        self.peer = daemon.Charon(f"{directory}/peer").start(conf(2))

    def begin(self, offload, interval):
        self.gateway.start(f"gateway {{\n  probe = no\n  steer {{\n    interval = {interval}\n    budget = 100\n    cooldown = 0\n  }}\n}}\n"
                           + conf(1, hw_offload=offload))
        self.gateway.cli("offload", "forgive", "dev", self.device)

    def end(self):
        self.results.equal("stops cleanly", self.gateway.stop(), 0)
        self.results.equal("left behind: in netdevsim, SAs, policies",
                           (held(), counters.kernel_sas(hosts.GW), counters.policies(hosts.GW)), (0, {}, []))
        wait_for("the peer to be rid of it", lambda: not counters.kernel_sas(hosts.PEER))

    def up(self, *numbers):
        for number in numbers:
            self.gateway.cli("conn", "up", f"demo/c{number}")

    def where(self):
        return {name.split("/")[1]: tuple(row[way]["offload"]["actual"] for way in ("in", "out")) for name, row in self.gateway.children().items()}

    def falls_back(self):
        self.results.section("auto: the 34th SA falls back")
        self.begin("auto", "1h")
        self.up(*range(1, CHILDREN))
        full = {f"c{number}": ("crypto", "crypto") for number in range(1, CHILDREN)}
        self.results.equal("sixteen children are in hardware", self.where(), full)
        self.results.equal("netdevsim holds", held(), ROOM - 1)
        self.up(CHILDREN)
        self.results.equal("and the seventeenth in software, both ways", self.where(), full | {f"c{CHILDREN}": ("none", "none")})
        self.results.equal("netdevsim holds", held(), ROOM - 1)
        row = self.gateway.children()[f"demo/c{CHILDREN}"]
        self.results.equal("reason", [row[way]["offload"]["reason_code"] for way in ("in", "out")], ["other-direction", "device-full"])
        self.results.holds("in netdevsim's words", WORDS in row["out"]["offload"]["reason"], row["out"]["offload"]["reason"])
        slots = self.gateway.json("offload", "show", "dev", self.device)[0]["slots"]
        self.results.equal("offload show: slots", slots, {"used": {"in": 16, "out": 16}, "known": {"in": None, "out": 16}})
        self.end()

    def room_is_kept(self):
        self.results.section("auto: room is kept for rekeys")
        self.begin("auto", "1s")
        self.up(*range(1, CHILDREN + 1))
        shown = lambda: self.gateway.json("offload", "show", "dev", self.device)[0]["steering"]
        try:
            wait_for("two to be moved out", lambda: shown()["children"] == {"hardware": 14, "software": 3} and held() == 28, 40)
        except Failed:
            pass
        self.results.equal("netdevsim holds", held(), 28)
        self.results.equal("steering", {key: shown()[key] for key in ("slots", "reserve", "children")},
                           {"slots": 16, "reserve": 2, "children": {"hardware": 14, "software": 3}})
        inside = sorted(name for name, where in self.where().items() if where == ("crypto", "crypto"))
        for name in inside[:3]:
            self.gateway.cli("conn", "rekey", f"demo/{name}")
            wait_for("the old generation to go", lambda: held() == 28, 30)
        self.results.equal("rekeyed: the same ones are in hardware",
                           sorted(name for name, where in self.where().items() if where == ("crypto", "crypto")), inside)
        self.end()

    def refused(self):
        self.results.section("crypto: the 34th SA is refused")
        self.begin("crypto", "1h")
        self.up(*range(1, CHILDREN))
        full = {f"c{number}": ("crypto", "crypto") for number in range(1, CHILDREN)}
        self.results.equal("sixteen children are in hardware", self.where(), full)
        done = self.gateway.cli("conn", "up", f"demo/c{CHILDREN}", ok=False)
        self.results.equal("the seventeenth: status", done.returncode, 2)
        self.results.holds("as the initiator: in netdevsim's words", WORDS in done.stderr, done.stderr.strip())
        self.results.holds("before anything was sent", "nothing was sent" in done.stderr)
        done = self.peer.ctl("--initiate", "--child", f"c{CHILDREN}", "--timeout", "30", ok=False)
        self.results.holds("as the responder: the peer is told", "NO_PROPOSAL_CHOSEN" in done.stdout + done.stderr, (done.stdout + done.stderr)[-300:])
        self.results.equal("the others stay", self.where(), full)
        self.results.equal("netdevsim holds", held(), ROOM - 1)
        self.results.equal("SAs here and there", [len(counters.kernel_sas(name)) for name in (hosts.GW, hosts.PEER)], [32, 32])
        self.end()


def scenario(directory, results):
    hosts.build()
    run("modprobe", "netdevsim")
    (device, near), (_, far) = port(7, hosts.GW, OURS), port(8, hosts.PEER, THEIRS)
    link(near, far)
    full = Full(directory, results, device)
    try:
        full.falls_back()
        full.room_is_kept()
        full.refused()
    except Failed:
        print(full.gateway.log()[-6000:], flush=True)
        raise
    full.peer.stop()


if __name__ == "__main__":
    sys.exit(run_scenario("netdevsim", scenario))
