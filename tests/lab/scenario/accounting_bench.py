# SPDX-License-Identifier: Apache-2.0
"""Two hosts on a wire of emulated NICs, SAs put up by hand, and every counter there is.

SPI 0x1001 goes from side 1 to side 2, 0x2001 back. Ledger slots: 0 and 1 the sender's and the receiver's of the first, 2 and 3
of the second. Addresses: tests/lab/lib/net.sh."""
import socket
import time
from dataclasses import dataclass, field

from . import counters
from .exchange import Exchange
from .kernel import Kernel
from .ledger import Ledger
from .namespace import in_namespace
from .shell import Failed, Shell, ip_json

NAMES = {1: "one", 2: "two"}
NICS = {1: "simnic0", 2: "simnic1"}
SPI = {1: "00001001", 2: "00002001"}  # of what a side sends
OUT_SLOT, IN_SLOT = {1: 0, 2: 2}, {1: 3, 2: 1}
GCM = "aes128gcm16"
BATCH = 64  # segments of a GSO batch at most, where there are batches
UDP_ENCAP, ESPINUDP = 100, 2  # linux/udp.h
SOCKET_POLICY = {socket.AF_INET: (0, 17), socket.AF_INET6: (41, 35)}  # IP_XFRM_POLICY, IPV6_XFRM_POLICY
POLICY_OCTETS, FAMILY_AT, DIRECTION_AT = 168, 40, 160  # of struct xfrm_userpolicy_info
STILL = 0.3  # seconds without a change of any counter: nothing is under way


@dataclass
class Setup:
    """What is put up: `how`: crypto, packet or software, of each side; `wanted` as the ledger has it; `words` for xfrm_host."""
    family: int
    mode: str
    how: tuple = ("crypto", "crypto")
    suite: str = GCM
    wanted: str = "auto"
    words: tuple = ()
    encap: bool = False
    esn: bool = False
    devices: dict = field(default_factory=lambda: dict(NICS))
    begin: int = 0  # sequence number before the first packet


@dataclass
class Seen:
    """What was counted of a cell's traffic, by side."""
    setup: Setup
    sas: dict      # GETSA by SPI
    slots: dict    # the programs' counts by slot
    nic: dict      # ethtool -S, what was added
    nic_sas: dict  # the NIC's own counts by (direction, SPI)
    errors: dict   # xfrm_stat, what was added
    packets: dict  # IP packets of the stack, see PacketCounts


class PacketCounts:
    """What a namespace's stack counts of IP packets: "out" packets that were sent, a batch counted once (IPv4 counts an outer
    packet, too); "wire" packets received, and what GRO "merged" them to."""

    def __init__(self, name):
        self.files = [in_namespace(name, lambda what=what: open(f"/proc/thread-self/net/{what}", encoding="ascii"))
                      for what in ("snmp", "netstat", "snmp6")]

    def close(self):
        for each in self.files:
            each.close()

    def read(self, family):
        values = {}
        for file in self.files:
            file.seek(0)
            lines = [line.split() for line in file]
            if len(lines[0]) == 2:
                values.update({key: int(value) for key, value in lines})
                continue
            for names, numbers in zip(lines[::2], lines[1::2]):
                values.update({names[0] + key: int(number) for key, number in zip(names[1:], numbers[1:])})
        ip, marked = ("Ip:", "IpExt:In") if family == 4 else ("Ip6", "Ip6In")
        return {"out": values[f"{ip}OutRequests"], "merged": values[f"{ip}InReceives"],
                "wire": sum(values[f"{marked}{mark}Pkts"] for mark in ("NoECT", "ECT1", "ECT0", "CE"))}


def natt_socket(family):
    """Takes ESP in UDP (RFC 3948) for the stack, as an IKE daemon's does; no policy is for what it carries itself."""
    made = socket.socket(family, socket.SOCK_DGRAM)
    for direction in (0, 1):
        bypass = bytearray(POLICY_OCTETS)
        bypass[FAMILY_AT], bypass[DIRECTION_AT] = family, direction
        made.setsockopt(*SOCKET_POLICY[family], bytes(bypass))
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.setsockopt(socket.IPPROTO_UDP, UDP_ENCAP, ESPINUDP)
    made.bind(("", 4500))
    return made


class Bench:
    def __init__(self, exact=True):
        self.shell = Shell()
        self.shell("simnic_load", 1)
        for module in ("esp4_offload", "esp6_offload"):  # the kernel loads them with the first offload; software's batches need them, too
            self.shell("modprobe", module)
        self.shell("ns_add", *NAMES.values())
        self.shell("net_two_hosts", "one", "simnic0", "two", "simnic1")
        self.address = {(kind, family, side): self.shell("eval", f"net_{kind} {family} {side}; echo $REPLY")
                        for kind in ("outer", "inner") for family in (4, 6) for side in NAMES}
        self.kernels = {side: Kernel(name) for side, name in NAMES.items()}
        self.stacks = {side: PacketCounts(name) for side, name in NAMES.items()}
        self.natt = [in_namespace(name, lambda family=family: natt_socket(family)) for name in NAMES.values()
                     for family in (socket.AF_INET, socket.AF_INET6)]
        self.exchange = Exchange(near=NAMES[1], far=NAMES[2]).__enter__()
        for side in NAMES:
            self.knob(side, "modes", "crypto packet")
        self.switches = {}
        self.ledger = None
        self.load(exact)
        self.resolve_inner()
        self.in_bursts()

    def resolve_inner(self):
        """In packet mode the kernel resolves a packet of this host by its inner destination where the tunnel's end is on the same
        wire; nobody answers for an IPv6 address that is on lo."""
        for side, name in NAMES.items():
            outer, inner = (self.address[kind, 6, 3 - side] for kind in ("outer", "inner"))
            mac = ip_json(name, "neighbour", "show", outer)[0]["lladdr"]
            self.shell("ip", "-n", name, "neighbour", "replace", inner, "lladdr", mac, "dev", NICS[side], "nud", "permanent")

    def load(self, exact=True):
        """The programs, on both NICs."""
        self.ledger = Ledger(exact)
        self.attach()

    def attach(self):
        for side, name in NAMES.items():
            self.ledger.ask(name, "device", NICS[side])

    def renew_ledger(self):
        """A loader that starts as a new version would: it puts its own copy of every exact hook in the place of the one before."""
        used = self.ledger.used
        self.ledger.close()
        self.ledger = Ledger()
        self.ledger.used = used
        self.attach()  # it looks after devices of its own namespace alone, and drops the others

    def in_bursts(self):
        """Packets leave in bursts, as on a busy wire: else GRO may find nothing to merge."""
        for side, name in NAMES.items():
            self.shell("ns", name, "tc", "qdisc", "add", "dev", NICS[side], "root", "netem", "slot", "2ms", "limit", 10000)

    def close(self):
        self.ledger.close()
        self.exchange.__exit__()
        for each in (*self.kernels.values(), *self.stacks.values(), *self.natt):
            each.close()
        self.shell.close()

    def ns(self, side, *command):
        return self.shell("ns", NAMES[side], *command)

    def switch(self, side, feature, on):
        """A feature of a side's NIC; gso: batches of more than one segment. Left alone if it is so already."""
        if self.switches.get((side, feature), True) == on:
            return
        self.switches[side, feature] = on
        if feature == "gso":
            self.ns(side, "ip", "link", "set", NICS[side], "gso_max_segs", BATCH if on else 1)
        else:
            self.ns(side, "ethtool", "-K", NICS[side], feature, "on" if on else "off")

    @staticmethod
    def knob(side, which, words):
        """Of the emulated NIC: see its README."""
        with open(f"{counters.SIMNIC}/{NICS[side]}/{which}", "w", encoding="ascii") as file:
            file.write(words + "\n")

    # ---------------------------------------------------------------------------------------------------------- SAs

    def host(self, setup, side):
        """(status, words) of a side's SAs and policies."""
        how = {"crypto": ("dev", setup.devices[side]), "packet": ("packet", setup.devices[side]), "software": ()}
        words = [*setup.words, *(["esn"] if setup.esn else []), *(["encap"] if setup.encap else [])]
        if setup.begin:
            low, high = setup.begin & 0xffffffff, setup.begin >> 32
            words += ["replay-oseq", low, "replay-seq", low]
            words += ["replay-oseq-hi", high, "replay-seq-hi", high] if high else []
        return self.shell.ask("xfrm_host", NAMES[side], side, setup.family, setup.mode, setup.suite, f"0x{SPI[side]}",
                              f"0x{SPI[3 - side]}", *words, *how[setup.how[side - 1]])

    def install(self, setup):
        for side in NAMES:
            status, said = self.host(setup, side)
            if status:
                raise Failed(f"SAs of side {side}: {said}")
            for spi, sa in self.kernels[side].counts().items():
                held = {"software": "none"}.get(setup.how[side - 1], setup.how[side - 1])
                if sa["offload"] != held:
                    raise Failed(f"SA {spi} of side {side} is held in mode {sa['offload']}, not {held}")

    def register(self, setup):
        """The four SAs in the ledger, counted from zero."""
        for sender in NAMES:
            ends = [self.address["outer", setup.family, side] for side in (sender, 3 - sender)]
            for slot, side, direction in ((OUT_SLOT[sender], sender, "out"), (IN_SLOT[3 - sender], 3 - sender, "in")):
                how = setup.how[side - 1]
                words = [word for word, there in (("esn", setup.esn), ("encap", setup.encap),
                                                  (f"{how}={setup.devices[side]}", how != "software")) if there]
                self.ledger.assign(slot, NAMES[side], direction, SPI[sender], *ends, setup.mode, setup.wanted, setup.suite,
                                   f"from{sender}", *words)

    def ends(self, setup):
        """The addresses that traffic is between."""
        kind = "inner" if setup.mode == "tunnel" else "outer"
        return [self.address[kind, setup.family, side] for side in NAMES]

    # ------------------------------------------------------------------------------------------------------ traffic

    def carry(self, setup, *what):
        before = self.marks(setup.family)
        self.exchange.between(*self.ends(setup), *what)
        try:
            self.exchange.end()
        except Failed as failure:
            raise Failed(f"{failure}; xfrm_stat {self.added(setup, before)['errors']}") from failure

    def added(self, setup, before):
        """What was added to `marks` since."""
        after = self.marks(setup.family)
        return {part: {side: {key: value - before[side][part].get(key, 0) for key, value in after[side][part].items()
                              if part != "errors" or value != before[side][part][key]} for side in NAMES}
                for part in ("nic", "errors", "packets")}

    def marks(self, family):
        """Whatever is never set back: what was added is what counts."""
        return {side: {"nic": self.nic(side), "errors": self.kernels[side].errors(), "packets": self.stacks[side].read(family)}
                for side in NAMES}

    @staticmethod
    def nic(side):
        lines = (line.split() for line in open(f"{counters.SIMNIC}/{NICS[side]}/stats", encoding="ascii"))
        return {key: int(value) for key, value in lines}

    def still(self):
        """Until no counter changes any more."""
        last, since = None, time.monotonic()
        while time.monotonic() - since < STILL:
            now = [self.kernels[side].counts() for side in NAMES], [self.nic(side) for side in NAMES]
            if now != last:
                last, since = now, time.monotonic()
            time.sleep(0.05)

    def seen(self, setup, before):
        self.still()
        added = self.added(setup, before)
        return Seen(setup, {side: self.kernels[side].counts() for side in NAMES}, self.ledger.counts(), added["nic"],
                    {side: counters.nic_sas(NICS[side]) for side in NAMES}, added["errors"], added["packets"])
