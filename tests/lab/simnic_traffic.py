#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Traffic between two namespaces whose every octet is checked.

simnic_traffic.py NS1 NS2 reads lines "ADDR1 ADDR2 WHAT..." and answers each with "ok", or with what was lost or altered.
WHAT: every       UDP there and back, every payload size from 1 to 1,400 octets
      sweep       the same, sizes 1..32 and then every 23rd
      sizes=A,B   just these payloads
      ping=NxS    N pings from side 1 with S octets each
      lost=N      N pings from side 1 and N from side 2 that must not be answered
      tcp=N       N octets of a pattern over one TCP connection, from side 1 to side 2
      both=N      the same, both ways at once
"""
import os
import socket
import struct
import sys
import threading

from scenario.namespace import in_namespace

PATTERN = bytes((i * 7 + (i >> 8)) & 0xFF for i in range(1 << 16))
TIMEOUT = 10.0


def make_socket(kind, address):
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.settimeout(TIMEOUT)
    made.bind((address, 0))
    return made


def udp(one, two, sizes):
    """Sends each size from one to two and back; returns what went wrong."""
    wrong = []
    for size in sizes:
        payload = PATTERN[size : size + size] if size <= 1 << 15 else PATTERN[:size]
        try:
            for sender, receiver in ((one, two), (two, one)):
                sender.sendto(payload, receiver.getsockname())
                if receiver.recv(1 << 16) != payload:
                    wrong.append(f"UDP payload of {size} altered")
        except OSError as error:
            wrong.append(f"UDP payload of {size}: {error}")
            if len(wrong) > 3:
                break
    return wrong


def pattern_from(offset, length):
    out = b""
    while len(out) < length:
        start = (offset + len(out)) % len(PATTERN)
        out += PATTERN[start : start + length - len(out)]
    return out


def feed(stream, total):
    sent = 0
    while sent < total:
        piece = pattern_from(sent, min(1 << 16, total - sent))
        stream.sendall(piece)
        sent += len(piece)


def drain(stream, total, wrong):
    got = 0
    try:
        while got < total:
            piece = stream.recv(1 << 16)
            if not piece or piece != pattern_from(got, len(piece)):
                break
            got += len(piece)
    except OSError as error:
        wrong.append(f"TCP: {error}")
    if got < total:
        wrong.append(f"TCP ended or altered after {got} of {total} octets")


def tcp(ns1, address1, ns2, address2, total, both):
    wrong = []
    listener = in_namespace(ns2, lambda: make_socket(socket.SOCK_STREAM, address2))
    listener.listen(1)
    client = in_namespace(ns1, lambda: make_socket(socket.SOCK_STREAM, address1))
    client.settimeout(60)
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    server.settimeout(60)
    work = [(feed, (client, total)), (drain, (server, total, wrong))]
    if both:
        work += [(feed, (server, total)), (drain, (client, total, wrong))]
    threads = [threading.Thread(target=f, args=a) for f, a in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The last acknowledgements are part of the count: let both ends close before it is taken.
    for end in (client, server):
        end.shutdown(socket.SHUT_WR)
    for end in (client, server):
        end.recv(1)
        end.close()
    return wrong


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) & ~1])) + (data[-1] << 8 if len(data) & 1 else 0)
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def ping(namespace, address, to, count, size, wait):
    """Pings one after the other; returns how many came back unaltered."""
    six = ":" in address
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if six else (socket.AF_INET, socket.IPPROTO_ICMP)
    request, reply = (128, 129) if six else (8, 0)
    line = in_namespace(namespace, lambda: socket.socket(family, socket.SOCK_RAW, protocol))
    with line:
        line.bind((address, 0))
        line.settimeout(wait)
        back = 0
        for sequence in range(count):
            tail = struct.pack("!HH", os.getpid() & 0xFFFF, sequence) + PATTERN[:size]
            head = struct.pack("!BBH", request, 0, 0)
            if not six:  # for ICMPv6 the kernel does it
                head = struct.pack("!BBH", request, 0, checksum(head + tail))
            line.sendto(head + tail, (to, 0))
            try:
                while True:
                    got = line.recv(1 << 16)
                    got = got if six else got[(got[0] & 15) * 4 :]
                    if got[0] == reply and got[4:8] == tail[:4]:
                        back += got[4:] == tail
                        break
            except OSError:
                continue
    return back


def udp_sizes(name, value):
    if name == "every":
        return range(1, 1401)
    if name == "sweep":
        return [*range(1, 33), *range(55, 1401, 23), 1400]
    return [int(size) for size in value.split(",")]


def carry(ns1, ns2, address1, address2, item):
    name, _, value = item.partition("=")
    if name in ("every", "sweep", "sizes"):
        one = in_namespace(ns1, lambda: make_socket(socket.SOCK_DGRAM, address1))
        two = in_namespace(ns2, lambda: make_socket(socket.SOCK_DGRAM, address2))
        with one, two:
            return udp(one, two, udp_sizes(name, value))
    if name in ("tcp", "both"):
        return tcp(ns1, address1, ns2, address2, int(value), name == "both")
    if name == "ping":
        count, size = map(int, value.split("x"))
        back = ping(ns1, address1, address2, count, size, TIMEOUT)
        return [] if back == count else [f"{back} of {count} pings of {size} came back"]
    if name == "lost":
        back = ping(ns1, address1, address2, int(value), 56, 0.3) + ping(ns2, address2, address1, int(value), 56, 0.3)
        return [f"{back} pings came back"] if back else []
    return [f"unknown traffic: {item}"]


def main():
    ns1, ns2 = sys.argv[1:]
    for line in sys.stdin:
        address1, address2, *what = line.split()
        try:
            wrong = [text for item in what for text in carry(ns1, ns2, address1, address2, item)]
        except OSError as error:
            wrong = [str(error)]
        print("; ".join(wrong) or "ok", flush=True)


main()
