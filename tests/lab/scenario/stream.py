# SPDX-License-Identifier: Apache-2.0
"""UDP packets between inner addresses, echoed by the far side, unless said a hundred a second each: when answers came, and when not."""
import select
import socket
import threading
import time

from . import hosts
from .namespace import in_namespace

EVERY = 0.01  # seconds
PORT = 4000
SO_RCVBUFFORCE = 33  # asm-generic/socket.h


class Stream:
    """pairs: {name: (near address in gw, far address in peer)}."""

    def __init__(self, pairs, near=hosts.GW, far=hosts.PEER, every=EVERY):
        self.every = every
        self.answers = {name: [] for name in pairs}  # (when sent, when answered)
        self.sent = {name: 0 for name in pairs}
        self.sockets, self.echoes = {}, []
        for name, (source, target) in pairs.items():
            self.sockets[name] = in_namespace(near, lambda source=source, target=target: self._socket(source, target))
            self.echoes.append(in_namespace(far, lambda target=target: self._socket(target)))
        self.quiet, self.over = threading.Event(), threading.Event()
        self.threads = [threading.Thread(target=each) for each in (self._send, self._receive, self._echo)]

    @staticmethod
    def _socket(source, target=None):
        out = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET, socket.SOCK_DGRAM)
        out.bind((source, PORT))
        if target:
            out.connect((target, PORT))
        out.setblocking(False)
        # A machine that stands still for some seconds is not to be taken for a network that loses packets.
        out.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
        return out

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.quiet.set()
        self.over.set()
        for thread in self.threads:
            thread.join()
        for each in (*self.sockets.values(), *self.echoes):
            each.close()

    def _send(self):
        due = time.monotonic()
        while not self.quiet.is_set():
            for name, each in self.sockets.items():
                try:
                    each.send(repr(time.monotonic()).encode())
                except OSError:
                    pass  # no route, or no SA yet: as good as lost
                self.sent[name] += 1
            due = max(due + self.every, time.monotonic() - 1)
            time.sleep(max(0.0, due - time.monotonic()))

    def _receive(self):
        names = {each: name for name, each in self.sockets.items()}
        while not self.over.is_set():
            for each in select.select(list(names), [], [], 0.2)[0]:
                try:
                    self.answers[names[each]].append((float(each.recv(64)), time.monotonic()))
                except OSError:
                    pass  # an ICMP error about an earlier one

    def _echo(self):
        while not self.over.is_set():
            for each in select.select(self.echoes, [], [], 0.2)[0]:
                try:
                    each.sendto(*each.recvfrom(64))
                except OSError:
                    pass

    def end(self, seconds=5):
        """Sends no more, and waits for what is under way, until nothing came for so long: {name: (sent, answered)}."""
        self.quiet.set()
        came, since = -1, time.monotonic()
        while time.monotonic() - since < seconds and any(len(self.answers[name]) < sent for name, sent in self.sent.items()):
            now = sum(len(answers) for answers in self.answers.values())
            if now != came:
                came, since = now, time.monotonic()
            time.sleep(0.1)
        return {name: (sent, len(self.answers[name])) for name, sent in self.sent.items()}

    def silence(self, name, since):
        """The longest time without an answer from `since` on, in seconds."""
        times = [since, *(answered for _, answered in list(self.answers[name]) if answered >= since), time.monotonic()]
        return max(later - earlier for earlier, later in zip(times, times[1:]))

    def answered_lately(self, name, seconds):
        return bool(self.answers[name]) and time.monotonic() - self.answers[name][-1][1] <= seconds
