#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""IKE_SA_INIT requests from one namespace to another, over real sockets.

shield_traffic.py NS1 ADDR1 NS2 ADDR2 PORT COUNT: a socket of NS2 on PORT stands in for the daemon. Sends COUNT requests from NS1,
then one with the cookie that came last. Prints "RECEIVED CHALLENGES WRONG COOKIE": requests that reached NS2, challenges that
reached NS1, answers that are none, and 1 if the request with the cookie reached NS2.
"""
import socket
import struct
import sys
import time

from scenario.namespace import in_namespace

SPI = bytes(range(1, 9))
NONCE = bytes(range(32))
NOTIFY, COOKIE = 41, 16390


def payload(following, content):
    return struct.pack("!BBH", following, 0, 4 + len(content)) + content


def request(cookie=b""):
    body = payload(34, bytes(44)) + payload(40, bytes(36)) + payload(0, NONCE)
    first = 33
    if cookie:
        body = payload(33, struct.pack("!BBH", 0, 0, COOKIE) + cookie) + body
        first = NOTIFY
    return SPI + bytes(8) + struct.pack("!BBBBII", first, 0x20, 34, 0x08, 0, 28 + len(body)) + body


def cookie_of(answer):
    """The cookie of a challenge, or nothing."""
    head = SPI + bytes(8) + struct.pack("!BBBBII", NOTIFY, 0x20, 34, 0x20, 0, 45) + struct.pack("!BBHBBH", 0, 0, 17, 0, 0, COOKIE)
    return answer[len(head) :] if len(answer) == 45 and answer.startswith(head) else b""


def bound(address, port):
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    made.bind((address, port))
    return made


def drain(end, patience=1.0):
    out = []
    end.settimeout(patience)
    try:
        while True:
            out.append(end.recv(4096))
    except OSError:
        return out


def main(ns1, addr1, ns2, addr2, port, count):
    asking = in_namespace(ns1, lambda: bound(addr1, 0))
    daemon = in_namespace(ns2, lambda: bound(addr2, port))
    marker = bytes(4) if port == 4500 else b""
    for _ in range(count):
        asking.sendto(marker + request(), (addr2, port))
        time.sleep(0.002)
    answers = [answer[len(marker) :] for answer in drain(asking)]
    received = len(drain(daemon, 0.1))
    cookies = [cookie for cookie in map(cookie_of, answers) if cookie]
    returned = 0
    if cookies:
        asking.sendto(marker + request(cookies[-1]), (addr2, port))
        returned = sum(marker + request(cookies[-1]) == got for got in drain(daemon))
    print(received, len(cookies), len(answers) - len(cookies), returned)


main(*sys.argv[1:5], int(sys.argv[5]), int(sys.argv[6]))
