#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients of the control socket that are slow, silent, half gone, greedy or out of their minds do not stall espgated."""
import contextlib
import os
import pathlib
import random
import resource
import socket
import struct
import time

from common import LEFT, PATIENCE, RIGHT, Node, config, expect, lan, main, pair, wait_for

REQUEST, RESPONSE, UNKNOWN, REGISTER, CONFIRM = 0, 1, 2, 3, 5
CLIENTS = 100
SEED = 1


def packet(kind, name=b"", elements=b""):
    body = bytes([kind]) + (bytes([len(name)]) + name if kind in (REQUEST, REGISTER) else b"") + elements
    return struct.pack(">I", len(body)) + body


def client(node, timeout=PATIENCE):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    sock.connect(str(node.socket))
    return sock


def read_exactly(sock, count):
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        expect("the daemon does not hang up", more)
        data += more
    return data


def answer(sock):
    return read_exactly(sock, struct.unpack(">I", read_exactly(sock, 4))[0])


def version(sock):
    sock.sendall(packet(REQUEST, b"version"))
    reply = answer(sock)
    expect("an answer to version", reply[0] == RESPONSE and b"espgate" in reply, reply)


def answers(node):
    with client(node) as sock:
        version(sock)


def hung_up(sock):
    """Whether the daemon closes this connection; whatever it says before is read."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def alone(directory):
    lan(LEFT)
    return Node(directory, LEFT).start(config(LEFT))


def descriptors(node):
    return len(os.listdir(f"/proc/{node.process.pid}/fd"))


def half_open_clients(directory):
    """Silent ones, and ones that stop in the middle of a frame, wait for ever and disturb nobody."""
    node = alone(directory)
    whole = packet(REQUEST, b"list-sas")
    with contextlib.ExitStack() as stack:
        for end in [0] * 20 + list(range(1, len(whole))):
            stack.enter_context(client(node)).sendall(whole[:end])
        answers(node)
        late = stack.enter_context(client(node))
        for octet in packet(REQUEST, b"version"):  # one octet at a time is a request, too
            late.sendall(bytes([octet]))
            time.sleep(0.002)
        expect("a slow one is answered", answer(late)[0] == RESPONSE)
    node.stop_cleanly()


def garbage(directory):
    node = alone(directory)
    numbers = random.Random(SEED)
    before = descriptors(node)
    frames = [packet(REQUEST, b"version"), packet(REQUEST, b"list-sas", b"\x03\x05noblk\x00\x03yes"),
              packet(REGISTER, b"list-sa"), packet(REQUEST, b"initiate", b"\x03\x05child\x00\x08nonsense")]
    for frame in frames:
        for end in range(len(frame)):
            body = frame[4:4 + end]  # cut, and its length says so
            with client(node) as sock:
                sock.sendall(struct.pack(">I", len(body)) + body)
    for _ in range(500):
        frame = bytearray(numbers.choice(frames))
        for _ in range(numbers.choice((1, 1, 2, 8))):
            frame[numbers.randrange(4, len(frame))] ^= 1 << numbers.randrange(8)
        with client(node) as sock, contextlib.suppress(ConnectionError):
            sock.sendall(bytes(frame))
            sock.sendall(numbers.randbytes(numbers.randrange(100)))
    for words in (b"\xff\xff\xff\xff", struct.pack(">I", 0), packet(RESPONSE), packet(77), packet(REQUEST),
                  packet(REQUEST, b"version", b"\x00\x01a" * 40), packet(REQUEST, b"version", b"\x06\x06\x02")):
        with client(node) as sock:
            sock.sendall(words)
            sock.shutdown(socket.SHUT_WR)
            expect(f"{words[:12]} ends the connection", hung_up(sock))
    with client(node) as sock:  # a command that nobody knows is no crime
        sock.sendall(packet(REQUEST, b"frobnicate"))
        expect("unknown command", answer(sock)[0] == UNKNOWN)
        version(sock)
    wait_for("the descriptors to be given back", lambda: descriptors(node) <= before, PATIENCE)
    answers(node)
    node.stop_cleanly()


def greedy_client(directory):
    """One asks and asks and reads nothing: what waits for it is bounded, and others are served."""
    node = alone(directory)
    before_kb = node.rss_kb()
    with client(node) as sock:
        sock.setblocking(False)
        asked, request = 0, packet(REQUEST, b"espgate-children")
        end = time.monotonic() + 2
        while time.monotonic() < end:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                asked += sock.send(request * 1000)
            time.sleep(0.001)
        answers(node)
        grown_kb = node.rss_kb() - before_kb
        print(f"  {asked // len(request)} requests unread, RSS +{grown_kb} kB", flush=True)
        expect("memory is bounded", grown_kb < 160 * 1024, grown_kb)
    answers(node)
    node.stop_cleanly()


def many_clients(directory):
    """A hundred at once, each of whom gets its answers, while an SA is being brought up."""
    left, right = pair(directory)
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(client(left)) for _ in range(CLIENTS)]
        for sock in socks:
            sock.sendall(packet(REGISTER, b"list-sa"))
            sock.sendall(packet(REQUEST, b"list-sas"))
        for sock in socks:
            expect("registered", answer(sock)[0] == CONFIRM)
            expect("an empty list", answer(sock)[0] == RESPONSE)
        for _ in range(5):
            for sock in socks:
                version(sock)
        done = left.cli("conn", "up", "demo", "--timeout", PATIENCE, ok=False, timeout=2 * PATIENCE)
        expect("conn up", done.returncode == 0, done)
        # Half of them ask and leave without waiting.
        for number, sock in enumerate(socks):
            sock.sendall(packet(REQUEST, b"list-sas"))
            if number % 2:
                sock.close()
        for sock in socks[::2]:
            expect("the SA, then the end of the list", b"demo" in answer(sock) and answer(sock)[0] == RESPONSE)
    answers(left)
    for node in (left, right):
        node.stop_cleanly()


def out_of_descriptors(directory):
    """With no descriptor left, clients wait; espgated does not spin, says so, and takes them when there is room."""
    node = alone(directory)
    resource.prlimit(node.process.pid, resource.RLIMIT_NOFILE, (descriptors(node) + 10, 4096))
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(client(node))
        wait_for("it to say so", lambda: "cannot accept" in node.log(), PATIENCE)
        began, busy = time.monotonic(), cpu_seconds(node)
        time.sleep(2)
        busy, wall = cpu_seconds(node) - busy, time.monotonic() - began
        expect("it does not spin", busy < 0.2 * wall, busy, wall)
        expect("few lines", node.log().count("cannot accept") <= 3 + wall * 2, node.log())
    answers(node)
    node.stop_cleanly()


def cpu_seconds(node):
    fields = pathlib.Path(f"/proc/{node.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(half_open_clients, garbage, greedy_client, many_clients, out_of_descriptors)
