#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Garbage on UDP 500 and 4500: espgated neither crashes nor grows, keeps what it had, and takes new peers afterwards.

20,000 datagrams; a million with ESPGATE_SOAK=1. Under the asan preset the sanitizers watch, leaks at exit included.
"""
import itertools
import os
import pathlib
import time

from common import (ADDRESS, LEFT, PATIENCE, RIGHT, WIRE, Node, config, expect, lan, main, memory_is_measured,
                    sanitized, wait_for)
from garbage import Mutator, recording, sockets

DATAGRAMS = 1_000_000 if os.environ.get("ESPGATE_SOAK") else 20_000
SEED = int(os.environ.get("ESPGATE_SEED", 1))
AT_ONCE = 32            # datagrams between two looks at the receiver's queue
QUEUE_LIMIT = 32 * 1024  # octets: far below the smallest receive buffer, so that nothing is lost on the way
GROWTH_KB = 64 * 1024    # what a daemon may grow by, half-open SAs included


def udp_counts(node):
    """The namespace's UDP counters."""
    lines = pathlib.Path(f"/proc/{node.process.pid}/net/snmp").read_text().splitlines()
    names, values = [line.split()[1:] for line in lines if line.startswith("Udp:")]
    return dict(zip(names, map(int, values)))


def waiting(node):
    """Octets in the receive queues of its UDP sockets."""
    lines = pathlib.Path(f"/proc/{node.process.pid}/net/udp").read_text().splitlines()[1:]
    return sum(int(line.split()[4].partition(":")[2], 16) for line in lines)


def drained(node):
    end = time.monotonic() + PATIENCE
    while waiting(node) > QUEUE_LIMIT:
        expect(f"{node.name} reads on", time.monotonic() < end and node.process.poll() is None, node.log()[-9000:])
        time.sleep(0.0005)


def throw(socks, node, datagrams):
    """Sends them, never faster than the daemon reads; returns how many."""
    sent = 0
    for port, data in datagrams:
        socks[port].sendto(data, (ADDRESS[node.name], port))
        sent += 1
        if sent % AT_ONCE == 0:
            drained(node)
    wait_for(f"{node.name} to have read all", lambda: waiting(node) == 0, PATIENCE)
    return sent


def bring_up(node, name):
    done = node.cli("conn", "up", name, "--timeout", PATIENCE, ok=False, timeout=2 * PATIENCE)
    expect(f"conn up {name}", done.returncode == 0, done, node.log()[-9000:])


def spis(node):
    return {(row["conn"], row["in"]["spi"], row["out"]["spi"]) for row in node.json("sa", "show")}


def start(directory):
    """LEFT takes anybody who knows the secret. RIGHT calls it directly, and once more through the man in WIRE."""
    lan(LEFT, RIGHT, WIRE)
    anybody = config(LEFT).replace(f"remote_addrs = {ADDRESS[RIGHT]}", "remote_addrs = %any")
    through = config(RIGHT).replace(f"remote_addrs = {ADDRESS[LEFT]}", f"remote_addrs = {ADDRESS[WIRE]}")
    memory_is_measured()
    # Room for the strangers of the short run, so that it need not wait until they are forgotten; the long run fills it.
    anybody += "gateway {\n  half_open_limit = 4000\n}\n"
    left = Node(directory, LEFT).start(anybody, wait=False)
    right = Node(directory, RIGHT).start(config(RIGHT) + through.replace("demo {", "proxied {"), wait=False)
    for node in (left, right):
        node.wait_up()
    return left, right


def garbage(directory):
    left, right = start(directory)
    bring_up(right, "demo")
    socks = sockets()
    with recording(socks) as recorded:
        bring_up(right, "proxied")
    expect("both exchanges were recorded, on both ports", len(recorded) >= 4 and {port for port, _ in recorded} ==
           {500, 4500}, [(port, len(data)) for port, data in recorded])
    for node, conns in ((left, ["demo", "demo"]), (right, ["demo", "proxied"])):
        expect(f"{node.name}: both SAs are up", sorted(conn for conn, *_ in spis(node)) == conns, spis(node), node.log())
    before = {node: (spis(node), node.rss_kb(), udp_counts(node)) for node in (left, right)}
    began = time.monotonic()
    stream = iter(Mutator(recorded, SEED))
    for node, share in ((left, DATAGRAMS * 3 // 4), (right, DATAGRAMS // 4)):
        lines, since = len(node.log().splitlines()), time.monotonic()
        half = throw(socks, node, itertools.islice(stream, share // 2))
        middle_kb = node.rss_kb()
        sent = half + throw(socks, node, itertools.islice(stream, share - half))
        seconds = time.monotonic() - since
        check(node, before[node], sent, len(node.log().splitlines()) - lines, seconds, middle_kb)
        if node is left:
            stream = iter(Mutator(recorded, SEED + 1))
    for node in (left, right):
        expect(f"{node.name}: the SAs of before are up, and no other", spis(node) == before[node][0],
               before[node][0], spis(node), node.log()[-9000:])
    print(f"  {DATAGRAMS} datagrams, seed {SEED}, in {time.monotonic() - began:.1f} s"
          f"{', sanitizers watching' if sanitized() else ''}", flush=True)
    afterwards(left, right)


def check(node, before, sent, lines, seconds, middle_kb):
    _, rss_kb, counts = before
    now_kb, now = node.rss_kb(), udp_counts(node)
    got, lost = (now[name] - counts[name] for name in ("InDatagrams", "RcvbufErrors"))
    print(f"  {node.name}: {sent} datagrams in {seconds:.1f} s, {got} read, {lost} lost; RSS {rss_kb} -> {middle_kb} -> "
          f"{now_kb} kB; {lines} log lines", flush=True)
    expect("every datagram came to the daemon", got >= sent and lost == 0, sent, got, lost)
    expect("it lives", node.process.poll() is None, node.log()[-6000:])
    expect("memory is bounded", now_kb - rss_kb < GROWTH_KB, rss_kb, middle_kb, now_kb)
    expect("the log is rate-limited", lines < 60 + 30 * seconds, lines, seconds)


def afterwards(left, right):
    expect("conn down", right.cli("conn", "down", "demo", ok=False).returncode == 0, right.log()[-4000:])
    # Strangers' half-open SAs may fill the table for a while.
    wait_for("a new SA after the garbage", lambda: right.cli("conn", "up", "demo", "--timeout", 10,
                                                             ok=False).returncode == 0, PATIENCE, every=1)
    expect("a new SA is there", {row["conn"] for row in right.json("sa", "show")} == {"demo", "proxied"})
    for node in (right, left):
        node.stop_cleanly()


if __name__ == "__main__":
    main(garbage)
