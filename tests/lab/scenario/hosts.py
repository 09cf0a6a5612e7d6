# SPDX-License-Identifier: Apache-2.0
"""Two gateways with a router between them, and hosts' addresses behind each.

    gw (espgated)                wire (router, no IPsec)                peer (charon)
    198.51.100.1 simnic0 ------- simnic1 198.51.100.254
    2001:db8:100::1              192.0.2.254 veth-w -------- veth-p 192.0.2.1, 2001:db8:200::1
    10.1.N.1, fd01:N::1 on lo                                10.2.N.1, fd02:N::1 on lo     (N from 1 to NETWORKS)

A packet capture in `wire` sees what is really on the wire: nothing there knows an SA.
"""
import sys

from .shell import lib, ns, run

GW, PEER, WIRE = "gw", "peer", "wire"
OTHER = "other"  # a second peer, see add_other()
NETWORKS = 16
GW_ADDRESS = {4: "198.51.100.1", 6: "2001:db8:100::1"}
PEER_ADDRESS = {4: "192.0.2.1", 6: "2001:db8:200::1"}
ROUTER_GW_SIDE = {4: "198.51.100.254", 6: "2001:db8:100::fe"}
ROUTER_PEER_SIDE = {4: "192.0.2.254", 6: "2001:db8:200::fe"}


def inner(side, child, family=4):
    """Address of side 1 (gw) or 2 (peer) in the network of child number N."""
    return f"10.{side}.{child}.1" if family == 4 else f"fd0{side}:{child}::1"


def network(side, child, family=4):
    return f"10.{side}.{child}.0/24" if family == 4 else f"fd0{side}:{child}::/64"


def _address(name, device, v4, v6):
    run("ip", "-n", name, "address", "add", f"{v4}/24", "dev", device)
    run("ip", "-n", name, "address", "add", f"{v6}/64", "dev", device, "nodad")
    run("ip", "-n", name, "link", "set", device, "up")


def _routes(name, device, gateway, far_outer, near, far, networks):
    lines = [f"route add {far_outer[family]} via {gateway[family]} dev {device}" for family in (4, 6)]
    # Behind every gateway stand several networks; their routes exist only so that the stack has an output to encrypt.
    for child in range(1, networks + 1):
        lines += [f"address add {inner(near, child)}/32 dev lo", f"address add {inner(near, child, 6)}/128 dev lo nodad"]
        lines += [f"route add {network(far, child, family)} via {gateway[family]} dev {device} "
                  f"src {inner(near, child, family)}" for family in (4, 6)]
    run("ip", "-n", name, "-batch", "-", stdin="\n".join(lines) + "\n")


def _load_nic():
    lib("simnic_load", 1)
    run("ip", "link", "set", "simnic0", "netns", GW)
    run("ip", "link", "set", "simnic1", "netns", WIRE)


def _nic_addresses():
    _address(GW, "simnic0", GW_ADDRESS[4], GW_ADDRESS[6])
    _address(WIRE, "simnic1", ROUTER_GW_SIDE[4], ROUTER_GW_SIDE[6])


def _routes_of_wire():
    """The router would carry the inner networks, too, so that what leaves in the clear arrives and is seen."""
    run("ip", "-n", WIRE, "-batch", "-", stdin=f"""route replace 10.1.0.0/16 via {GW_ADDRESS[4]}
route replace 10.2.0.0/16 via {PEER_ADDRESS[4]}
route replace fd01::/16 via {GW_ADDRESS[6]}
route replace fd02::/16 via {PEER_ADDRESS[6]}
""")


def reload_driver():
    """The NIC's driver is unloaded and loaded: its devices are new ones. Addresses are given back; the gateway's routes are not."""
    run("rmmod", "simnic")
    _load_nic()
    _nic_addresses()
    _routes_of_wire()


def build(nic="simnic", networks=NETWORKS):
    """Makes namespaces, devices, addresses and routes. `nic`: "simnic", or "veth" for a gateway without offload.
    `networks`: how many stand behind each gateway."""
    lib("ns_add", GW, PEER, WIRE)
    if nic == "simnic":
        _load_nic()
    else:
        run("ip", "link", "add", "simnic0", "netns", GW, "type", "veth", "peer", "name", "simnic1", "netns", WIRE)
    run("ip", "link", "add", "veth-w", "netns", WIRE, "type", "veth", "peer", "name", "veth-p", "netns", PEER)
    _nic_addresses()
    _address(WIRE, "veth-w", ROUTER_PEER_SIDE[4], ROUTER_PEER_SIDE[6])
    _address(PEER, "veth-p", PEER_ADDRESS[4], PEER_ADDRESS[6])
    _routes(GW, "simnic0", ROUTER_GW_SIDE, {4: "192.0.2.0/24", 6: "2001:db8:200::/64"}, 1, 2,
            networks)
    _routes(PEER, "veth-p", ROUTER_PEER_SIDE, {4: "198.51.100.0/24", 6: "2001:db8:100::/64"}, 2, 1,
            networks)
    _routes_of_wire()
    for name in (GW, PEER):
        ns(name, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0")


# What stands at .2 and ::2 of the outer networks is behind a NAT: beyond the router it has the router's address there.
BEHIND_NAT = {GW: {4: "198.51.100.2", 6: "2001:db8:100::2"}, PEER: {4: "192.0.2.2", 6: "2001:db8:200::2"},
              OTHER: {4: "203.0.113.2", 6: "2001:db8:300::2"}}
OTHER_ADDRESS = {4: "203.0.113.1", 6: "2001:db8:300::1"}
ROUTER_OTHER_SIDE = {4: "203.0.113.254", 6: "2001:db8:300::fe"}


def add_other(networks=1):
    """A second peer at the router, 203.0.113.1 and 2001:db8:300::1, with 10.3.N.1 and fd03:N::1 behind it."""
    lib("ns_add", OTHER)
    run("ip", "link", "add", "veth-x", "netns", WIRE, "type", "veth", "peer", "name", "veth-o", "netns", OTHER)
    _address(WIRE, "veth-x", ROUTER_OTHER_SIDE[4], ROUTER_OTHER_SIDE[6])
    _address(OTHER, "veth-o", OTHER_ADDRESS[4], OTHER_ADDRESS[6])
    _routes(OTHER, "veth-o", ROUTER_OTHER_SIDE, {4: "198.51.100.0/24", 6: "2001:db8:100::/64"}, 3, 1, networks)
    run("ip", "-n", WIRE, "-batch", "-", stdin=f"""route add 10.3.0.0/16 via {OTHER_ADDRESS[4]}
route add fd03::/16 via {OTHER_ADDRESS[6]}
""")
    lines = ["route add 203.0.113.0/24 via 198.51.100.254 dev simnic0",
             "route add 2001:db8:300::/64 via 2001:db8:100::fe dev simnic0"]
    for child in range(1, networks + 1):
        lines += [f"route add {network(3, child, family)} via {ROUTER_GW_SIDE[family]} dev simnic0 src {inner(1, child, family)}"
                  for family in (4, 6)]
    run("ip", "-n", GW, "-batch", "-", stdin="\n".join(lines) + "\n")
    ns(OTHER, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0")


def add_nat():
    """Second addresses of all gateways, whose UDP the router gives its own address and ports of its choice."""
    devices = {GW: "simnic0", PEER: "veth-p", OTHER: "veth-o"}
    for name, device in devices.items():
        v4, v6 = BEHIND_NAT[name].values()
        run("ip", "-n", name, "-batch", "-",
            stdin=f"address add {v4}/24 dev {device}\naddress add {v6}/64 dev {device} nodad\n")
    v4, v6 = (", ".join(addresses[family] for addresses in BEHIND_NAT.values()) for family in (4, 6))
    ns(WIRE, "nft", "-f", "-", stdin=f"""table inet nat {{
  chain out {{
    type nat hook postrouting priority srcnat;
    ip saddr {{ {v4} }} meta l4proto udp masquerade to :20000-29999 random
    ip6 saddr {{ {v6} }} meta l4proto udp masquerade to :20000-29999 random
  }}
}}
""")


# Deletes every entry of the connection tracking table (nfnetlink_conntrack.h: IPCTNL_MSG_CT_DELETE without a tuple).
FORGET = '''
import socket, struct
nl = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)  # NETLINK_NETFILTER
nl.send(struct.pack("=IHHIIBBH", 20, 1 << 8 | 2, 5, 1, 0, 0, 0, 0))
raise SystemExit(-struct.unpack_from("=i", nl.recv(4096), 16)[0])
'''


def forget_mappings():
    """The NAT has other ports for everybody from now on."""
    ns(WIRE, sys.executable, "-c", FORGET)


def destroy():
    for name in (GW, PEER, WIRE, OTHER):
        run("ip", "netns", "del", name, ok=False)
    run("rmmod", "simnic", ok=False)
