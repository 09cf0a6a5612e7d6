# SPDX-License-Identifier: Apache-2.0
"""The kernel's SAs and policies of a namespace by netlink: `ip` would be a process, a quarter of a second in an emulated machine,
each time. Layouts: include/uapi/linux/xfrm.h. Keys are compared and never printed."""
import socket
import struct

from .namespace import in_namespace
from .states import State, address

NETLINK_XFRM, GETSA, GETPOLICY = 6, 18, 21
DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
DONE, ERROR = 3, 2
AUTH, CRYPT, ENCAP, TEMPLATE, AEAD, AUTH_TRUNC = 1, 2, 4, 5, 18, 20  # XFRMA_*
REPLAY, REPLAY_ESN, OFFLOAD_DEV = 10, 23, 28
OFFLOAD_PACKET = 4  # XFRM_OFFLOAD_PACKET
SA_OCTETS, POLICY_OCTETS = 224, 168
STATE_ESN, ESP = 128, 50
MODES = {0: "transport", 1: "tunnel"}


def _attributes(data):
    out, at = {}, 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        out[kind] = data[at + 4:at + length]
        at += (length + 3) & ~3
    return out


def _algorithm(kind, data):
    """(word, name, key in hex, ICV bits) of struct xfrm_algo, xfrm_algo_auth or xfrm_algo_aead."""
    name = data[:64].split(b"\0", 1)[0].decode()
    bits, icv = struct.unpack_from("=II", data, 64)
    head, icv = (68, 0) if kind == CRYPT else (72, icv)
    return {CRYPT: "enc", AEAD: "aead", AUTH_TRUNC: "auth-trunc"}[kind], name, data[head:head + bits // 8].hex(), icv


def _state(data):
    """An ESP SA that has keys, or None."""
    if data[76] != ESP:
        return None
    attributes = _attributes(data[SA_OCTETS:])
    kinds = [kind for kind in (AEAD, CRYPT, AUTH_TRUNC) if kind in attributes]
    if not kinds:
        return None
    family = struct.unpack_from("=H", data, 212)[0]
    algorithms = tuple(sorted(_algorithm(kind, attributes[kind]) for kind in kinds))
    return State(address(data[80:96], family), address(data[56:72], family), data[72:76].hex(), MODES.get(data[214], "other"),
                 ENCAP in attributes, bool(data[216] & STATE_ESN), algorithms)


def _sent(attributes):
    """The outbound sequence number used last."""
    if REPLAY_ESN in attributes:
        _, low, _, high = struct.unpack_from("=IIII", attributes[REPLAY_ESN])
        return high << 32 | low
    return struct.unpack_from("=I", attributes[REPLAY])[0] if REPLAY in attributes else 0


def _counts(data):
    """What GETSA counts of an SA, and which offload the kernel made of what was asked for."""
    attributes = _attributes(data[SA_OCTETS:])
    octets, packets = struct.unpack_from("=QQ", data, 160)
    _, replay, integrity = struct.unpack_from("=III", data, 192)
    held = attributes.get(OFFLOAD_DEV)
    offload = "none" if held is None else "packet" if held[4] & OFFLOAD_PACKET else "crypto"
    return {"packets": packets, "bytes": octets, "replay": replay, "integrity": integrity, "oseq": _sent(attributes),
            "offload": offload}


class Kernel:
    def __init__(self, name):
        self.name = name
        self.line = in_namespace(name, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM))
        self.line.bind((0, 0))
        self.stat = in_namespace(name, lambda: open("/proc/thread-self/net/xfrm_stat", encoding="ascii"))

    def close(self):
        self.line.close()
        self.stat.close()

    def _dump(self, kind):
        self.line.send(struct.pack("=IHHII", 16, kind, DUMP, 1, 0))
        while True:
            data = self.line.recv(1 << 18)
            while data:
                length, answer = struct.unpack_from("=IH", data)
                if answer == DONE:
                    return
                if answer == ERROR:
                    raise OSError(-struct.unpack_from("=i", data, 16)[0], f"dump of {kind} in {self.name}")
                yield data[16:length]
                data = data[(length + 3) & ~3:]

    def states(self):
        """As states.states()."""
        return {state for state in map(_state, self._dump(GETSA)) if state}

    def counts(self):
        """{SPI, 8 hex digits: {packets, bytes, replay, integrity, oseq, offload}} of all SAs, AH included."""
        return {data[72:76].hex(): _counts(data) for data in self._dump(GETSA)}

    def policy_kinds(self):
        """As states.policy_kinds(): how many (ask for ESP, do not), per-socket ones left out."""
        asking = [TEMPLATE in _attributes(data[POLICY_OCTETS:]) for data in self._dump(GETPOLICY) if data[160] < 3]
        return sum(asking), len(asking) - sum(asking)

    def errors(self):
        """xfrm_stat."""
        self.stat.seek(0)
        return {key: int(value) for key, value in map(str.split, self.stat)}
