#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Frames sent by hand from a namespace's device, for the emulated NIC's receive side.

simnic_replay.py NS DEVICE again COMMAND...  runs COMMAND in NS, then sends each ESP frame that left by DEVICE meanwhile once more
simnic_replay.py NS DEVICE plain SRC DST     sends one UDP packet in the clear, as if from SRC to DST (IPv4)
Prints how many frames it sent.
"""
import socket
import struct
import subprocess
import sys

from scenario.namespace import in_namespace

ETH_P_ALL = 3
OUTGOING = 4


def is_esp(frame):
    return (frame[12:14] == b"\x08\x00" and frame[23] == 50) or (frame[12:14] == b"\x86\xdd" and frame[20] == 50)


def again(name, line, command):
    subprocess.run(["nsenter", f"--net=/run/netns/{name}", "--", *command], stdout=subprocess.DEVNULL, check=False)
    frames = []
    line.settimeout(0.5)
    try:
        while True:
            frame, address = line.recvfrom(1 << 16)
            if address[2] == OUTGOING and is_esp(frame):
                frames.append(frame)
    except OSError:
        pass
    return frames


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def plain(line, device, source, destination):
    mine = line.getsockname()[4]
    peer = bytearray(mine)
    peer[5] ^= 1  # the ends of a pair differ in the last bit
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + 8 + 4, 1, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(destination))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return [bytes(peer) + mine + b"\x08\x00" + head + struct.pack("!HHHH", 7777, 7777, 12, 0) + b"bare"]


def main():
    name, device, what, *rest = sys.argv[1:]
    line = in_namespace(name, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)))
    line.bind((device, ETH_P_ALL))
    frames = again(name, line, rest) if what == "again" else plain(line, device, *rest)
    for frame in frames:
        line.send(frame)
    print(len(frames))


main()
