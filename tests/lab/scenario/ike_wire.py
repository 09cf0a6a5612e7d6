# SPDX-License-Identifier: Apache-2.0
"""The headers of all IKE messages that went over the router (RFC 7296 3.1), from a capture that is still being written."""
import struct
from dataclasses import dataclass

SKF = 53  # RFC 7383 2.5: the payload of a fragment
IKE_AUTH, INFORMATIONAL = 35, 37


@dataclass(frozen=True)
class Message:
    src: str  # hex of the address
    natt: bool  # port 4500
    exchange: int
    response: bool
    number: int  # message id
    fragment: bool
    octets: int


def _udp(frame):
    """(source address in hex, ports, UDP payload) of an Ethernet frame that is a first or only fragment of UDP, else None."""
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == 0x0800 and frame[23] == 17 and not struct.unpack_from("!H", frame, 20)[0] & 0x1FFF:
        at, src = 14 + (frame[14] & 15) * 4, frame[26:30]
    elif kind == 0x86dd and frame[20] == 17:
        at, src = 54, frame[22:38]
    elif kind == 0x86dd and frame[20] == 44 and frame[54] == 17 and not struct.unpack_from("!H", frame, 56)[0] & 0xFFF8:
        at, src = 62, frame[22:38]
    else:
        return None
    return src.hex(), struct.unpack_from("!HH", frame, at), frame[at + 8:]


def message(frame):
    """The IKE message of a frame, or None."""
    found = _udp(frame)
    if not found:
        return None
    src, ports, data = found
    natt = 4500 in ports
    if natt and data[:4] != b"\0\0\0\0":
        return None  # ESP, or a keepalive
    data = data[4:] if natt else data
    if len(data) < 28:
        return None
    following, _, exchange, flags, number, octets = struct.unpack_from("!BBBBII", data, 16)
    return Message(src, natt, exchange, bool(flags & 0x20), number, following == SKF, octets)


class Wire:
    """What was written since the last look, of a Capture that runs."""

    def __init__(self, capture):
        self.path, self.at = capture.path, 24

    def look(self):
        with open(self.path, "rb") as file:
            file.seek(self.at)
            data = file.read()
        out, at = [], 0
        while at + 16 <= len(data):
            length = struct.unpack_from("=I", data, at + 8)[0]
            if at + 16 + length > len(data):
                break
            made = message(data[at + 16:at + 16 + length])
            at += 16 + length
            if made:
                out.append(made)
        self.at += at
        return out
