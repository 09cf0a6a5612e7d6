# SPDX-License-Identifier: Apache-2.0
"""Many connections between the two gateways in one configuration, told apart by their identities."""
from dataclasses import dataclass, field, replace

from . import hosts


@dataclass(frozen=True)
class Child:
    """One child as both sides configure it; `number` is its pair of networks."""
    number: int
    suite: str
    family: int = 4
    name: str = "net"
    offload: str = "auto"  # espgate's side only

    def networks(self):
        return hosts.network(1, self.number, self.family), hosts.network(2, self.number, self.family)

    def ends(self):
        """Addresses behind gw and behind peer."""
        return hosts.inner(1, self.number, self.family), hosts.inner(2, self.number, self.family)


@dataclass(frozen=True)
class Connection:
    name: str
    proposal: str
    children: tuple
    family: int = 4  # of the outer addresses
    secret: str = "a secret that both ends know"
    gw_id: str = ""
    peer_id: str = ""
    peer_extra: dict = field(default_factory=dict)  # more keys of the connection, at the peer only

    def ids(self):
        return self.gw_id or f"{self.name}.gw.example.org", self.peer_id or f"{self.name}.peer.example.org"

    def with_suite(self, suite):
        return replace(self, children=tuple(replace(child, suite=suite) for child in self.children))


def _block(name, lines, indent):
    inside = "".join(line if line.endswith("}\n") else f"{indent}  {line}\n" for line in lines)
    return f"{indent}{name} {{\n{inside}{indent}}}\n"


def _child(child, side):
    near, far = child.networks() if side == 1 else reversed(child.networks())
    lines = [f"local_ts = {near}", f"remote_ts = {far}", f"esp_proposals = {child.suite}", "mode = tunnel"]
    # charon's own default of 32 loses packets that asynchronous software crypto overtakes; ours is 128 unasked.
    lines.append(f"hw_offload = {child.offload}" if side == 1 else "replay_window = 128")
    return _block(child.name, lines, " " * 6)


def _connection(conn, side):
    gw, peer = hosts.GW_ADDRESS[conn.family], hosts.PEER_ADDRESS[conn.family]
    near, far = (gw, peer) if side == 1 else (peer, gw)
    near_id, far_id = conn.ids() if side == 1 else reversed(conn.ids())
    lines = ["version = 2", f"local_addrs = {near}", f"remote_addrs = {far}", f"proposals = {conn.proposal}"]
    lines += [f"{key} = {value}" for key, value in conn.peer_extra.items()] if side == 2 else []
    lines += [_block("local", ["auth = psk", f"id = {near_id}"], " " * 4),
              _block("remote", ["auth = psk", f"id = {far_id}"], " " * 4),
              _block("children", [_child(child, side) for child in conn.children], " " * 4)]
    return _block(conn.name, lines, "  ")


def _secret(conn):
    gw_id, peer_id = conn.ids()
    return _block(f"ike-{conn.name}", [f"id-1 = {gw_id}", f"id-2 = {peer_id}", f'secret = "{conn.secret}"'], "  ")


def render(connections, side):
    """swanctl.conf of one side: 1 is gw (espgated), 2 is peer (charon)."""
    return (_block("connections", [_connection(conn, side) for conn in connections], "")
            + _block("secrets", [_secret(conn) for conn in connections], ""))
