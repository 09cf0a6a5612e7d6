# SPDX-License-Identifier: Apache-2.0
"""A man in the middle who records, and datagrams made from what he recorded: cut, lengthened, flipped, random."""
import contextlib
import random
import select
import socket
import struct
import threading

from common import ADDRESS, LEFT, RIGHT, WIRE, inside

MARKER = bytes(4)  # RFC 3948 2.2
HEADER = 28        # octets of an IKE header, RFC 7296 3.1
PORTS = (500, 4500)


def sockets():
    """UDP sockets of the namespace WIRE, by port."""
    out = {}
    with inside(WIRE):
        for port in PORTS:
            out[port] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            out[port].bind((ADDRESS[WIRE], port))
    return out


@contextlib.contextmanager
def recording(socks):
    """Carries datagrams between LEFT and RIGHT, both of which take WIRE for the other; yields the list of what passed,
    (port, octets) each."""
    passed, over = [], threading.Event()

    def carry():
        while not over.is_set():
            for sock in select.select(list(socks.values()), [], [], 0.1)[0]:
                data, sender = sock.recvfrom(65535)
                port = sock.getsockname()[1]
                passed.append((port, data))
                sock.sendto(data, (ADDRESS[LEFT if sender[0] == ADDRESS[RIGHT] else RIGHT], port))

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        yield passed
    finally:
        over.set()
        thread.join()


def _with_length(message):
    """The message with the length that its header promises."""
    return message[:24] + struct.pack(">I", len(message)) + message[HEADER:] if len(message) >= HEADER else message


class Mutator:
    """Yields (port, datagram) for ever, the same for the same seed; cuts at every octet come first."""

    def __init__(self, recorded, seed):
        self.random = random.Random(seed)
        # IKE messages without the marker, each once.
        self.messages = list(dict.fromkeys(data[4:] if port == 4500 else data for port, data in recorded
                                           if port == 500 or data[:4] == MARKER))

    def __iter__(self):
        for port in PORTS:
            for message in self.messages:
                for end in range(len(message) + 1):
                    yield self._on(port, message[:end])
                    yield self._on(port, _with_length(message[:end]))
        kinds = (self._flipped, self._flipped, self._longer, self._spliced, self._random, self._header, self._new_spi)
        while True:
            port = self.random.choice(PORTS)
            data = self.random.choice(kinds)(self.random.choice(self.messages))
            yield self._on(port, data) if self.random.random() < 0.95 else (port, data)

    @staticmethod
    def _on(port, message):
        return (port, MARKER + message if port == 4500 else message)

    def _flipped(self, message):
        data = bytearray(message)
        for _ in range(self.random.choice((1, 1, 1, 2, 4, 16))):
            data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
        return bytes(data)

    def _longer(self, message):
        more = message + self.random.randbytes(self.random.choice((1, 2, 4, 8, 64, 1000)))
        return _with_length(more) if self.random.random() < 0.5 else more

    def _spliced(self, message):
        """The head of one, the tail of another."""
        other = self.random.choice(self.messages)
        return _with_length(message[:self.random.randrange(len(message))] + other[self.random.randrange(len(other)):])

    def _random(self, _):
        return self.random.randbytes(self.random.choice((0, 1, 3, 4, 27, 28, 29, 100, 600, 1400)))

    def _header(self, message):
        """A header that holds, of a message that exists, with anything behind it."""
        behind = self.random.randbytes(self.random.randrange(200))
        return _with_length(message[:16] + self.random.randbytes(8) + bytes(4) + behind)

    def _new_spi(self, message):
        """A stranger: another initiator's SPI, else sometimes whole, sometimes not."""
        fresh = self.random.randbytes(8) + message[8:]
        return fresh if self.random.random() < 0.3 else self._flipped(fresh)
