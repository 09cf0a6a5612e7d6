# SPDX-License-Identifier: Apache-2.0
"""Devices on top of the NIC, and traffic that is forwarded: shapes of accounting_table.py."""
from . import accounting_checks as checks
from .accounting_bench import BATCH, NAMES, NICS, Setup
from .accounting_cells import Shaped
from .exchange import Exchange
from .identities import Check

TRAFFIC = ("sizes=1,100,1200", "both=200000")
LANS = {1: "lan1", 2: "lan2"}  # behind the hosts: they have the inner addresses there

LAN_MTU = 1400  # fits the tunnel


class Stacks(Shaped):
    """Another device carries the addresses and the route; the programs are on both."""

    def move(self, devices):
        """Addresses and routes of {side: device}, from whichever device they are on."""
        for side, device in devices.items():
            for other in {NICS[side], device}:
                self.bench.shell.ask("ns", NAMES[side], "ip", "address", "flush", "dev", other, "scope", "global")
            self.bench.shell("net_addresses", NAMES[side], device, side)
        for side, device in devices.items():
            self.bench.shell("net_join", NAMES[side], device, side, NAMES[3 - side], devices[3 - side])

    def stacked(self, name, on_top, commands, run):
        """`commands`: make `on_top` ({side: device}) by `ip` in that side's namespace; all is as it was afterwards."""
        for side, device in on_top.items():
            for command in commands:
                self.bench.ns(side, "ip", *command.format(nic=NICS[side]).split())
            self.bench.ns(side, "ip", "link", "set", device, "up")
            self.bench.ledger.ask(NAMES[side], "device", device)
        try:
            self.move({**NICS, **on_top})
            run()
        finally:
            self.bench.shell("xfrm_flush", *NAMES.values())  # while the device that holds them is there
            for side, device in on_top.items():
                self.bench.shell.ask("ns", NAMES[side], "ip", "link", "set", NICS[side], "nomaster")
                self.bench.ns(side, "ip", "link", "delete", device)
            self.move(NICS)

    def vlan(self, name, run):
        self.stacked(name, {1: "vlan10", 2: "vlan10"}, ["link add link {nic} name vlan10 type vlan id 10"], run)

    def vlan_on_top(self, name):
        self.vlan(name, lambda: self.plain(name, Setup(4, "tunnel"), *TRAFFIC))

    def asked_of_vlan(self, name, how):
        """The VLAN device is asked; then, if need be, the SAs are put up in software."""
        asked = Setup(4, "tunnel", (how, how), wanted=how, devices={1: "vlan10", 2: "vlan10"})
        software = Setup(4, "tunnel", ("software", "software"), wanted=how)
        answers = {self.bench.host(asked, side) for side in NAMES}
        held = {sa["offload"] for side in NAMES for sa in self.bench.kernels[side].counts().values()}
        refused = {f"refused({said.splitlines()[0].removeprefix('RTNETLINK answers: ')})" for status, said in answers if status}
        if refused:
            self.bench.install(software)
        self.bench.register(software)
        before = self.bench.marks(4)
        self.bench.carry(software, *TRAFFIC)
        self.end(name, software, before, said=" ".join(refused) or ("silently software" if held == {"none"} else f"taken: {held}"))

    def vlan_asked(self, name):
        self.vlan(name, lambda: self.asked_of_vlan(name, "crypto"))

    def vlan_packet(self, name):
        self.vlan(name, lambda: self.asked_of_vlan(name, "packet"))

    def bridge_on_top(self, name):
        commands = ["link add br0 type bridge", "link set {nic} master br0"]
        self.stacked(name, {1: "br0"}, commands, lambda: self.plain(name, Setup(4, "tunnel"), *TRAFFIC))

    def bond(self, name, on, found=None):
        commands = ["link add bond0 type bond mode active-backup", "link set {nic} down", "link set {nic} master bond0"]
        setup = Setup(4, "tunnel", devices={1: "bond0", 2: NICS[2]})

        def run():
            self.bench.ns(1, "ethtool", "-K", "bond0", "esp-hw-offload", on)
            self.plain(name, setup, *TRAFFIC, found=found)
        self.stacked(name, {1: "bond0"}, commands, run)

    def bond_as_it_comes(self, name):
        self.bond(name, "off")

    def bond_on_top(self, name):
        """The flows, too, are counted on one of the two devices only."""
        far = self.bench.address["inner", 4, 2]

        def flows():
            return sum(sum(row[4].values()) for row in self.bench.ledger.flows() if row[0] == "out" and row[2] == far)
        was = flows()
        self.bond(name, "on", lambda seen: [
            Check("packets of flows = packets of the SA", flows() - was, checks.total(checks.counted(seen, 1, "out")))])


class Forwarded(Shaped):
    """The inner addresses belong to hosts behind the two: every packet is forwarded. There is no way back from this."""

    def build(self):
        for side, lan in LANS.items():
            self.lan(side, lan)
        self.bench.exchange.__exit__()
        self.bench.exchange = Exchange(near=LANS[1], far=LANS[2]).__enter__()

    def lan(self, side, lan):
        shell, host = self.bench.shell, NAMES[side]
        shell("ns_add", lan)
        shell("ip", "link", "add", "veth-in", "netns", host, "type", "veth", "peer", "name", "veth-lan", "netns", lan)
        for family, bits, host_end in ((4, 32, f"10.{side}.0.254"), (6, 128, f"fd0{side}::fe")):
            inner, far, outer = (self.bench.address[key] for key in (("inner", family, side), ("inner", family, 3 - side),
                                                                    ("outer", family, 3 - side)))
            ip = ("ip", "-n", host, f"-{family}")
            shell(*ip, "address", "delete", f"{inner}/{bits}", "dev", "lo")
            shell(*ip, "address", "add", f"{host_end}/{bits}", "dev", "veth-in")
            shell(*ip, "link", "set", "veth-in", "up")
            shell(*ip, "route", "replace", f"{inner}/{bits}", "dev", "veth-in")
            shell(*ip, "route", "replace", f"{far}/{bits}", "via", outer, "dev", NICS[side])
            there = ("ip", "-n", lan, f"-{family}")
            shell(*there, "address", "add", f"{inner}/{bits}", "dev", "veth-lan")
            shell(*there, "link", "set", "veth-lan", "up", "mtu", LAN_MTU)
            shell(*there, "route", "add", f"{host_end}/{bits}", "dev", "veth-lan")
            shell(*there, "route", "add", "default", "via", host_end, "dev", "veth-lan")

    built = False

    def through(self, name, setup, *what, batches=True, **how):
        """`batches`: the networks send batches, and GRO is off; or they do not, and it is on."""
        if not self.built:
            self.build()
            self.built = True
        for side, lan in LANS.items():
            self.bench.switch(side, "gro", not batches)
            self.bench.shell("ip", "-n", lan, "link", "set", "veth-lan", "gso_max_segs", BATCH if batches else 1)
        self.plain(name, setup, *what, **how)

    def forwarded(self, name):
        _, family, offload, way = name.split("-")
        setup = Setup(int(family[1]), "tunnel", (offload, offload), wanted="no" if offload == "software" else "auto")

        def found(seen):
            if way == "gso":
                return [Check(f"side {side}: GSO seen", checks.batched(seen, side, False), True) for side in NAMES]
            return [Check(f"side {side}: GRO seen", checks.merged(seen, side), True) for side in NAMES]
        self.through(name, setup, *TRAFFIC, batches=way == "gso", found=found)

    def forwarded_ah(self, name):
        self.through(name, Setup(4, "tunnel", ("software", "software"), "ah-sha256", "no"), *TRAFFIC)

    def forwarded_too_large(self, name):
        for lan in LANS.values():
            self.bench.shell("ip", "-n", lan, "link", "set", "veth-lan", "mtu", 1500)
            self.bench.shell("ns", lan, "sysctl", "-qw", "net.ipv4.ip_no_pmtu_disc=1")  # no DF
        self.through(name, Setup(4, "tunnel"), *["sizes=1440,1460,1472"] * 4)
