# SPDX-License-Identifier: Apache-2.0
"""The oracles: the NIC's own counters, GETSA on both sides, and sequence numbers on the wire."""
import os
import re
import signal
import struct
import time

from . import hosts
from .shell import ns, ns_start, wait_for

SIMNIC = "/sys/kernel/debug/simnic"


def kernel_sas(name):
    """What GETSA says of every SA of a namespace: {spi: {packets, bytes, oseq, seq, replay, integrity, src, dst}}."""
    text = ns(name, "ip", "-s", "xfrm", "state").stdout
    out = {}
    for block in re.split(r"(?m)^(?=src )", text):
        head = re.match(r"src (\S+) dst (\S+)", block)
        spi = re.search(r"proto esp spi 0x([0-9a-f]{8})", block)
        if not head or not spi:
            continue
        current = re.search(r"lifetime current:\s*\n?\s*(\d+)\(bytes\), (\d+)\(packets\)", block)
        stats = re.search(r"replay-window (\d+) replay (\d+) failed (\d+)", block[block.find("stats:"):])
        seq = re.search(r"[ ,]seq 0x([0-9a-f]+)", block)
        oseq = re.search(r"oseq 0x([0-9a-f]+)", block)
        out[spi.group(1)] = {
            "src": head.group(1), "dst": head.group(2),
            "packets": int(current.group(2)), "bytes": int(current.group(1)),
            "window": int(stats.group(1)), "replay": int(stats.group(2)), "integrity": int(stats.group(3)),
            "oseq": int(oseq.group(1), 16) if oseq else 0,
            "offload": "offload" in block,
        }
    return out


def nic_sas(device="simnic0"):
    """The NIC's own view: {(direction, spi): {packets, bytes}}."""
    out = {}
    for line in open(f"{SIMNIC}/{device}/sas", encoding="ascii"):
        words = line.split()
        numbers = {key: int(words[i + 1]) for i, key in enumerate(words) if key in ("packets", "bytes")}
        out[(words[0], words[2][2:])] = numbers
    return out


def nic_counters(name=hosts.GW, device="simnic0"):
    """ethtool -S."""
    pairs = re.findall(r"(?m)^\s+(\w+): (\d+)$", ns(name, "ethtool", "-S", device).stdout)
    return {key: int(value) for key, value in pairs}


def stack_errors(name):
    """Counters of /proc/net/xfrm_stat that are not zero."""
    pairs = [line.split() for line in ns(name, "cat", "/proc/net/xfrm_stat").stdout.splitlines()]
    return {key: int(value) for key, value in pairs if int(value)}


class Capture:
    """tcpdump on the router: every ESP packet that was on the wire, by SPI."""

    def __init__(self, path, device="veth-w", expression="esp", snap=96):
        self.path, self.device, self.expression, self.snap = path, device, expression, snap

    def __enter__(self):
        self.log = f"{self.path}.log"
        self.process = ns_start(hosts.WIRE, "tcpdump", "-i", self.device, "-n", "-p", "-U", "--immediate-mode", "-B", "65536",
                                "-s", self.snap, "-w", self.path, self.expression, output=self.log)
        wait_for("tcpdump", lambda: "listening on" in open(self.log, encoding="utf-8").read())
        return self

    def __exit__(self, *_):
        self._written_out()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)
        dropped = re.search(r"(\d+) packets dropped by kernel", open(self.log, encoding="utf-8").read())
        self.dropped = int(dropped.group(1)) if dropped else None

    def _written_out(self):
        """At SIGINT tcpdump drops what it has not read yet: wait until its file grows no more."""
        size = -1
        while size != (size := os.path.getsize(self.path)):
            time.sleep(0.5)

    def sequences(self):
        """{spi: sorted sequence numbers} of the ESP packets captured."""
        out = {}
        for packet in pcap_packets(self.path):
            esp = esp_of(packet)
            if esp:
                out.setdefault(f"{esp[0]:08x}", []).append(esp[1])
        return {spi: sorted(numbers) for spi, numbers in out.items()}


def pcap_packets(path):
    """The packets of a pcap file of this machine's byte order, Ethernet."""
    data = open(path, "rb").read()
    at = 24
    while at + 16 <= len(data):
        length = struct.unpack_from("=I", data, at + 8)[0]
        yield data[at + 16:at + 16 + length]
        at += 16 + length


def esp_of(frame):
    """(spi, sequence) of an Ethernet frame with ESP right behind the IP header, else None."""
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == 0x0800 and frame[23] == 50:
        return struct.unpack_from("!II", frame, 14 + (frame[14] & 15) * 4)
    if kind == 0x86dd and frame[20] == 50:
        return struct.unpack_from("!II", frame, 14 + 40)
    return None


def is_inner(frame):
    """Whether an Ethernet frame carries an address of the networks behind the gateways, in the clear."""
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == 0x86dd:
        return frame[22] == 0xfd or frame[38] == 0xfd
    return kind == 0x0800 and (frame[26] == 10 or frame[30] == 10)


def policy_rows(name):
    """Those policies one by one: {dir, selector (without its protocol), priority, action, esp (as `policy show` says it), reqid}."""
    out = []
    for block in policies(name):
        head = re.match(r"src (\S+) dst (\S+)", block)
        template = re.search(r"tmpl src (\S+) dst (\S+)\s+proto (\S+) (?:spi \S+ )?reqid (\d+)(?:\(\S+\))? mode (\w+)", block)
        esp = "" if not template else f"tunnel {template[1]} -> {template[2]}" if template[5] == "tunnel" else template[5]
        out.append({"dir": re.search(r"dir (\w+)", block)[1], "selector": f"{head[1]} -> {head[2]}",
                    "priority": int(re.search(r"priority (\d+)", block)[1]),
                    "action": "block" if "action block" in block else "allow", "esp": esp,
                    "reqid": int(template[4]) if template else 0})
    return out


def reqids(name):
    """Those of all SAs."""
    return {int(number) for number in re.findall(r"reqid (\d+)", ns(name, "ip", "xfrm", "state").stdout)}


def policies(name):
    """The policies of a namespace's SPD, per-socket ones left out."""
    text = ns(name, "ip", "xfrm", "policy").stdout
    return [block for block in re.split(r"(?m)^(?=src )", text) if block.strip() and "socket" not in block]
