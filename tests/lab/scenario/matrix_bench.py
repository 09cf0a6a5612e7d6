# SPDX-License-Identifier: Apache-2.0
"""What cells of matrix.py run on: espgated at gw, charon at peer, pluto at other, their certificates, and the oracles."""
import itertools
import time
import zlib
from dataclasses import dataclass

from . import counters, hosts, ike_wire, states, strongswan
from .daemon import Gateway
from .exchange import Exchange
from .kernel import Kernel
from .libreswan import Pluto
from .pki import Authority
from .shell import Failed, ns
from .strongswan import Charon
from .vici import Client

SECRET = "a secret that both ends know"
# Identities that make a message too long for one fragment: pluto's fragments have 1,280 octets, and charon's vici takes 511.
LONG = {"libreswan": ".".join(["identity" * 7] * 25), "strongswan": ".".join(["identity" * 7] * 8)}
NETNS = {"strongswan": hosts.PEER, "libreswan": hosts.OTHER}
SIDE = {"strongswan": 2, "libreswan": 3}  # in the inner networks


@dataclass(frozen=True)
class Ends:
    """Who is who in a cell. `own` is the address on the host, `sees` where its peer finds it, which differs behind a NAT."""
    conn: str
    gw_own: str
    gw_sees: str
    peer_own: str
    peer_sees: str
    gw_id: str
    peer_id: str
    gw_net: str
    peer_net: str
    inner: tuple
    peer_cert: str


def identity(cell, end):
    """Certificates are shared by all cells of a kind, so are their names."""
    if cell["auth"] == "psk":
        return f"{LONG[cell['peer']]}.{end}.example.org" if cell["size"] == "fragments" else f"psk.{end}.example.org"
    return f"{key_kind(cell)}{'-chain' * (cell['size'] == 'fragments')}.{end}.example.org"


def key_kind(cell):
    return "rsa" if cell["auth"] == "rsa-pss" else cell["auth"]


def ends_of(cell, conn):
    netns, side, outer, inner = NETNS[cell["peer"]], SIDE[cell["peer"]], cell["outer"], cell["inner"]
    addresses = {hosts.PEER: hosts.PEER_ADDRESS, hosts.OTHER: hosts.OTHER_ADDRESS}
    routers = {hosts.PEER: hosts.ROUTER_PEER_SIDE, hosts.OTHER: hosts.ROUTER_OTHER_SIDE}
    gw = seen_gw = hosts.GW_ADDRESS[outer]
    peer = seen_peer = addresses[netns][outer]
    if cell["path"] == "nat" and cell["role"] == "initiator":
        gw, seen_gw = hosts.BEHIND_NAT[hosts.GW][outer], routers[netns][outer]
    elif cell["path"] == "nat":
        peer, seen_peer = hosts.BEHIND_NAT[netns][outer], hosts.ROUTER_GW_SIDE[outer]
    return Ends(conn, gw, seen_peer, peer, seen_gw, identity(cell, "gw"), identity(cell, "peer"),
                hosts.network(1, 1, inner), hosts.network(side, 1, inner),
                (hosts.inner(1, 1, inner), hosts.inner(side, 1, inner)), identity(cell, "peer").split(".", maxsplit=1)[0])


class Bench:
    """The daemons and the oracles, for as long as cells are run."""

    def __init__(self, directory, results, cells):
        self.directory, self.results, self.cells = directory, results, cells
        self.numbers = itertools.count(1)
        begin = time.monotonic()
        hosts.add_other()
        hosts.add_nat()
        load_ciphers()
        self.gateway = Gateway(f"{directory}/matrix-gw")
        kinds = sorted({cell["peer"] for cell in cells})
        makers = {"strongswan": Charon, "libreswan": Pluto}
        self.peers = {kind: makers[kind](f"{directory}/matrix-{kind}", NETNS[kind], SECRET) for kind in kinds}
        print(f"hosts and directories after {time.monotonic() - begin:.1f} s", flush=True)
        self._certify()
        print(f"certificates after {time.monotonic() - begin:.1f} s", flush=True)
        for peer in self.peers.values():
            peer.start()
        self.gateway.start(self._config({}))
        self.vici = Client(self.gateway.socket)
        self.kernels = {name: Kernel(name) for name in (hosts.GW, *(peer.name for peer in self.peers.values()))}
        self.exchanges = {kind: Exchange(NETNS[kind]).__enter__() for kind in kinds}
        self.capture = counters.Capture(f"{directory}/matrix.pcap", "simnic1",
                                        "udp or ip6[6] == 44 or net 10.0.0.0/8 or net fd00::/8")
        self.capture.__enter__()
        self.wire = ike_wire.Wire(self.capture)
        print(f"ready after {time.monotonic() - begin:.1f} s", flush=True)

    def _certify(self):
        root = Authority(f"{self.directory}/ca", "root")
        comment = "a certificate long enough that a message with it goes in fragments. " * 15
        above = {}
        for peer in self.peers.values():
            if isinstance(peer, Pluto):
                peer.trust(root)
        for cell in self.cells:
            if cell["auth"] == "psk":
                continue
            peer = self.peers[cell["peer"]]
            for end, home in (("gw", self.gateway.directory), ("peer", peer.directory)):
                name = identity(cell, end)
                short = name.split(".", maxsplit=1)[0]
                if (home / "x509" / f"{short}.pem").exists():
                    continue
                issuer = root
                if cell["size"] == "fragments":
                    issuer = above.setdefault(end, None) or Authority(f"{self.directory}/ca", f"above-{end}", root, comment)
                    above[end] = issuer
                cert, key = issuer.issue(home, short, name, key_kind(cell))
                if end == "peer" and isinstance(peer, Pluto):
                    peer.take(short, cert, key, [issuer] if issuer is not root else [])

    def _config(self, connections):
        return strongswan.render({"connections": connections, "secrets": {"ike": {"secret": f'"{SECRET}"'}},
                                  "gateway": {"fragment_size": strongswan.FRAGMENT_SIZE}})

    def load(self, cell, ends, peer):
        peer.load(cell, ends)
        self.gateway.write_config(self._config({ends.conn: strongswan.connection(cell, ends, 1)}))
        done, said = self.vici.ask("espgate-reload")
        if not done:
            raise Failed(f"espgate-reload: {said}")

    def end(self):
        """Returns the exit status of espgated."""
        for exchange in self.exchanges.values():
            exchange.__exit__()
        self.capture.__exit__()
        self.vici.close()
        status = self.gateway.stop()
        for peer in self.peers.values():
            peer.stop()
        for kernel in self.kernels.values():
            kernel.close()
        return status


def load_ciphers():
    """Once each, so that no negotiation waits for the kernel to load a cipher's module: that may take seconds here."""
    for suite, words in states.KERNEL_WORDS.items():
        algorithms = []
        for kind, (name, octets, icv) in words.items():
            algorithms += [kind, name, "0x" + "5a" * octets, *([icv] if icv else [])]
        base = ("xfrm", "state", "add", "src", "203.0.113.7", "dst", "203.0.113.8", "proto", "esp")
        ns(hosts.WIRE, "ip", *base, "spi", f"0x{zlib.crc32(suite.encode()):x}", "mode", "tunnel", *algorithms)
    ns(hosts.WIRE, "ip", "xfrm", "state", "flush")
