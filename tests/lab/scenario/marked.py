# SPDX-License-Identifier: Apache-2.0
"""Marked packets from the networks behind the gateway, all the time, and a capture of its own wire that is searched for the mark:
what is found there was sent in the clear."""
import re
import socket
import struct
import threading
import time

from . import counters, hosts
from .namespace import in_namespace

PORT = 4001
MARK = b"espgate marks this packet: "
EVERY = 0.01  # seconds


class Marked:
    """pairs: {name: (near address in gw, far address in peer)}; only names in `on` are sent, from the time on that they are put there."""

    def __init__(self, pairs):
        self.on, self.sent = set(), {name: 0 for name in pairs}
        self.sockets = {name: in_namespace(hosts.GW, lambda ends=ends: self._socket(*ends)) for name, ends in pairs.items()}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._send)

    @staticmethod
    def _socket(source, target):
        out = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET, socket.SOCK_DGRAM)
        out.bind((source, PORT))
        out.connect((target, PORT))
        out.setblocking(False)
        return out

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        for each in self.sockets.values():
            each.close()

    def _send(self):
        due = time.monotonic()
        while not self.over.is_set():
            for name in list(self.on):
                try:
                    self.sockets[name].send(MARK + f"{name} {self.sent[name]} {time.time():.3f};".encode())
                except OSError:
                    pass  # no route, blocked, or an answer to an earlier one
                self.sent[name] += 1
            due = max(due + EVERY, time.monotonic() - 0.1)
            time.sleep(max(0.0, due - time.monotonic()))


class WholeCapture(counters.Capture):
    """Everything on a wire, whole packets."""

    def __init__(self, path, device="simnic1"):
        super().__init__(path, device, "ip or ip6", snap=2048)


def found(path):
    """Where the mark is in the clear: [(name, when it was seen, when it was sent)], by the wall clock."""
    data = open(path, "rb").read()
    out, at = [], 24
    while at + 16 <= len(data):
        seconds, micros, length = struct.unpack_from("=III", data, at)
        frame = data[at + 16:at + 16 + length]
        at += 16 + length
        where = frame.find(MARK)
        if where >= 0:
            said = re.match(rb"(\S+) \d+ ([\d.]+);", frame[where + len(MARK):])
            out.append((said[1].decode() if said else "?", seconds + micros / 1e6, float(said[2]) if said else 0.0))
        elif outward(frame):
            out.append(("unmarked", seconds + micros / 1e6, 0.0))
    return out


def outward(frame):
    """Whether a frame has a source address of the networks behind the gateway, outside of any ESP."""
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == 0x0800:
        return frame[26:28] == b"\x0a\x01"
    return kind == 0x86dd and frame[22:24] == b"\xfd\x01"
