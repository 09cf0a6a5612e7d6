# SPDX-License-Identifier: Apache-2.0
"""What the kernel tells everybody of SAs, read from the socket itself: `ip xfrm monitor` skips one now and then without
a word (the same run, beside a socket of this kind, had every message).

Layouts: linux/xfrm.h, xfrm_usersa_info and xfrm_usersa_id."""
import dataclasses
import ipaddress
import socket
import struct
import threading

NETLINK_XFRM, SA_GROUP = 6, 3
NEW, DELETED = 0x10, 0x11  # XFRM_MSG_NEWSA, XFRM_MSG_DELSA
SO_RCVBUFFORCE = 33
ROOM = 16 << 20  # octets
HEADER = struct.Struct("=IHHII")  # nlmsghdr
ID, SOURCE, HARD_ADD, FAMILY, ATTRIBUTES = 56, 80, 136, 212, 224  # offsets within xfrm_usersa_info
OFFLOAD = 28  # XFRMA_OFFLOAD_DEV


@dataclasses.dataclass
class Added:
    spi: str
    source: str
    hard: int  # seconds after which the kernel deletes it, 0: never
    offloaded: bool


def _attributes(body):
    """Types of the netlink attributes."""
    while len(body) >= 4:
        length, kind = struct.unpack_from("=HH", body)
        if length < 4:
            return
        yield kind & 0x3FFF
        body = body[(length + 3) & ~3:]


def _added(body):
    family, = struct.unpack_from("=H", body, FAMILY)
    return Added(spi=body[ID + 16:ID + 20].hex(),
                 source=str(ipaddress.ip_address(body[SOURCE:SOURCE + (4 if family == socket.AF_INET else 16)])),
                 hard=struct.unpack_from("=Q", body, HARD_ADD)[0],
                 offloaded=OFFLOAD in _attributes(body[ATTRIBUTES:]))


class Monitor:
    """Around a with block; `added` are the SAs that came meanwhile, `deleted` the SPIs of those that went. A message
    that was lost for want of room is an OSError at the end of the block."""

    def __enter__(self):
        self.added, self.deleted, self.failure = [], [], None
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
        self.socket.bind((0, 1 << (SA_GROUP - 1)))
        self.socket.settimeout(0.2)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()
        return self

    def _listen(self):
        while True:
            try:
                self._take(self.socket.recv(1 << 16))
            except TimeoutError:  # nothing is left that was sent before
                if self.done.is_set():
                    return
            except OSError as error:
                self.failure = error
                return

    def _take(self, datagram):
        while len(datagram) >= HEADER.size:
            length, kind, *_ = HEADER.unpack_from(datagram)
            body = datagram[HEADER.size:length]
            if kind == NEW:
                self.added.append(_added(body))
            elif kind == DELETED:
                self.deleted.append(body[16:20].hex())
            datagram = datagram[(length + 3) & ~3:]

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.socket.close()
        if self.failure:
            raise self.failure
