# SPDX-License-Identifier: Apache-2.0
"""A client of strongSwan's vici protocol, for charon and espgated alike: where many commands are given, a process for each would
take most of the time. Messages are nested dictionaries of str, list and dict."""
import socket
import struct

REQUEST, RESPONSE, UNKNOWN, REGISTER, UNREGISTER, CONFIRM, UNKNOWN_EVENT, EVENT = range(8)
SECTION, SECTION_END, KEY, LIST, ITEM, LIST_END = range(1, 7)


def _name(text):
    raw = text.encode()
    return bytes([len(raw)]) + raw


def _value(text):
    raw = str(text).encode()
    return struct.pack("!H", len(raw)) + raw


def encode(message):
    out = b""
    for name, value in message.items():
        if isinstance(value, dict):
            out += bytes([SECTION]) + _name(name) + encode(value) + bytes([SECTION_END])
        elif isinstance(value, (list, tuple)):
            items = b"".join(bytes([ITEM]) + _value(item) for item in value)
            out += bytes([LIST]) + _name(name) + items + bytes([LIST_END])
        else:
            out += bytes([KEY]) + _name(name) + _value(value)
    return out


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        return self.data[self.at - count:self.at]

    def name(self):
        return self.take(self.take(1)[0]).decode()

    def value(self):
        return self.take(struct.unpack("!H", self.take(2))[0]).decode(errors="replace")

    def section(self):
        out = {}
        while self.at < len(self.data):
            kind = self.take(1)[0]
            if kind == SECTION_END:
                break
            name = self.name()
            if kind == SECTION:
                out[name] = self.section()
            elif kind == LIST:
                out[name] = []
                while self.take(1)[0] == ITEM:
                    out[name].append(self.value())
            else:
                out[name] = self.value()
        return out


def decode(data):
    return _Reader(data).section()


class Client:
    """One connection; a command waits for its response."""

    def __init__(self, path, timeout=90.0):
        self.line = socket.socket(socket.AF_UNIX)
        self.line.settimeout(timeout)
        self.line.connect(str(path))

    def close(self):
        self.line.close()

    def _send(self, kind, name, message=b""):
        frame = bytes([kind]) + _name(name) + message
        self.line.sendall(struct.pack("!I", len(frame)) + frame)

    def _exactly(self, count):
        out = b""
        while len(out) < count:
            part = self.line.recv(count - len(out))
            if not part:
                raise ConnectionError("the vici socket was closed")
            out += part
        return out

    def _receive(self):
        frame = self._exactly(struct.unpack("!I", self._exactly(4))[0])
        return frame[0], frame[1:]

    def command(self, name, message=None, event=None):
        """(response, [events]) of a command; `event`: the one by which it streams."""
        if event:
            self._send(REGISTER, event)
            self._receive()
        self._send(REQUEST, name, encode(message or {}))
        events = []
        while True:
            kind, data = self._receive()
            if kind == EVENT:
                events.append(decode(data[1 + data[0]:]))
                continue
            break
        if event:
            self._send(UNREGISTER, event)
            self._receive()
        if kind != RESPONSE:
            raise ConnectionError(f"{name}: answered by a frame of type {kind}")
        return decode(data), events

    def ask(self, name, message=None):
        """(done, what was said)"""
        answer, _ = self.command(name, message)
        return answer.get("success", "yes") == "yes", answer.get("errmsg", "")

    def ikes(self, conn):
        """The IKE SAs of a connection, as list-sas has them."""
        _, events = self.command("list-sas", {"ike": conn}, "list-sa")
        return [row[conn] for row in events if conn in row]
