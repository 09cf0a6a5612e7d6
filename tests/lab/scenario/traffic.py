# SPDX-License-Identifier: Apache-2.0
"""Traffic of known size: pings that must all come back, and one TCP flow whose octets are compared at the end."""
import re
import signal
import subprocess
import sys
import time

from .shell import Failed, ns, ns_start, run, wait_for

SERVER = r"""
import hashlib, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.create_server((sys.argv[1], 5201), family=family) as server:
    print("listening", flush=True)
    peer, _ = server.accept()
    digest, size = hashlib.sha256(), 0
    while data := peer.recv(1 << 16):
        digest.update(data)
        size += len(data)
    print("got", size, digest.hexdigest(), flush=True)
"""
CLIENT = r"""
import hashlib, random, socket, sys
size = int(sys.argv[3])
block = random.Random(1).randbytes(1 << 16)
digest = hashlib.sha256()
with socket.create_connection((sys.argv[2], 5201), source_address=(sys.argv[1], 0)) as peer:
    while size > 0:
        part = block[:min(size, len(block))]
        digest.update(part)
        peer.sendall(part)
        size -= len(part)
    peer.shutdown(socket.SHUT_WR)
    peer.recv(1)
print("sent", digest.hexdigest())
"""


def ping(name, source, target, count=100, size=56, interval=0.005, wait=2):
    """Sends pings; returns how many were answered."""
    done = ns(name, "ping", "-n", "-q", "-i", interval, "-c", count, "-s", size, "-W", wait, "-I", source, target,
              ok=False, timeout=60 + count)
    found = re.search(r"(\d+) packets transmitted, (\d+) received", done.stdout)
    if not found:
        raise Failed(f"ping from {source} to {target}: {done.stdout}{done.stderr}")
    return int(found.group(2))


def ping_all(name, source, target, count=100, **how):
    answered = ping(name, source, target, count, **how)
    if answered != count:
        raise Failed(f"{count - answered} of {count} pings from {source} to {target} were lost")


class PingStream:
    """Pings in the background, 50 a second: as many as it took, none of which may be lost."""

    def __init__(self, directory, name, source, target):
        self.log = f"{directory}/ping-{time.monotonic_ns()}.log"
        self.process = ns_start(name, "ping", "-n", "-q", "-i", "0.02", "-W", "5", "-I", source, target, output=self.log)

    def end(self):
        """(sent, answered)."""
        for _ in range(30):  # ping loses a signal that comes while it is about to wait for an answer
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=1)
                break
            except subprocess.TimeoutExpired:
                continue
        else:
            self.process.kill()
        text = open(self.log, encoding="utf-8").read()
        found = re.search(r"(\d+) packets transmitted, (\d+) received", text)
        if not found:
            raise Failed(f"ping said: {text}")
        return int(found.group(1)), int(found.group(2))


def tcp(directory, client, source, server, target, octets, patience=600):
    """One TCP flow from `source` in namespace `client` to `target` in `server`; octets arrive whole, within `patience` seconds, or Failed."""
    log = f"{directory}/tcp-{time.monotonic_ns()}.log"
    receiver = ns_start(server, sys.executable, "-c", SERVER, target, output=log)
    try:
        wait_for("the TCP server", lambda: "listening" in open(log, encoding="utf-8").read())
        sent = ns(client, sys.executable, "-c", CLIENT, source, target, octets, timeout=patience).stdout.split()[1]
        receiver.wait(timeout=60)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"TCP from {source} to {target}: not done after {patience} s") from late
    finally:
        if receiver.poll() is None:
            receiver.kill()
    got = re.search(r"got (\d+) (\w+)", open(log, encoding="utf-8").read())
    if not got or int(got.group(1)) != octets or got.group(2) != sent:
        raise Failed(f"TCP from {source} to {target}: {octets} octets sent, {got and got.group(1)} arrived as sent")


def quiesce():
    """Until nothing is under way any more: acknowledgements delayed by TCP come within 200 ms."""
    time.sleep(1.5)


def gro(name, device, on):
    run("nsenter", f"--net=/run/netns/{name}", "ethtool", "-K", device, "gro", "on" if on else "off")


def gso(name, device, on):
    word = "on" if on else "off"
    run("nsenter", f"--net=/run/netns/{name}", "ethtool", "-K", device, "tso", word, "gso", word, ok=False)
