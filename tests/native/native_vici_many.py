#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Very many SAs, and who lists them: clients that read on and on, and ones that ask and then read nothing, hold up neither each
other nor a handshake, and cost a bounded amount of memory. Very many connections over vici. ESPGATE_MANY says how many SAs: 1,000
by default, 10,000 in the soak."""
import contextlib
import os
import threading
import time

from common import (ADDRESS, IDENTITY, LEFT, PATIENCE, PROPOSAL, RIGHT, Node, expect, lan, main, memory_is_measured,
                    wait_for)
from native_vici import REGISTER, REQUEST, answer, client, packet, version
from scenario import vici

MANY = int(os.environ.get("ESPGATE_MANY", 1000))
CHILDREN = 25  # of a connection
CONNS = MANY // CHILDREN
LONG = PATIENCE + MANY // 10
SILENT, READERS = 50, 4
CONNECTIONS = 300  # over vici


def connection(name, me, other, children, start):
    text = "".join(f"""      net{number} {{
        local_ts = {10 + (me == RIGHT)}.{name >> 8}.{name & 255}.{number}/32
        remote_ts = {10 + (me == LEFT)}.{name >> 8}.{name & 255}.{number}/32
        esp_proposals = aes128gcm16
{'        start_action = start' if start else ''}
      }}
""" for number in range(children))
    return f"""  conn{name} {{
    local_addrs = {ADDRESS[me]}
    remote_addrs = {ADDRESS[other]}
    proposals = {PROPOSAL}
    local {{
      auth = psk
      id = {name}.{IDENTITY[me]}
    }}
    remote {{
      auth = psk
      id = {name}.{IDENTITY[other]}
    }}
    children {{
{text}    }}
  }}
"""


def config(me, other, start):
    conns = "".join(connection(name, me, other, CHILDREN, start) for name in range(CONNS))
    extra = connection(CONNS, me, other, 1, False)
    return f"""gateway {{
  max_sas = {3 * MANY + 1000}
  half_open_limit = 100000
  cookie_threshold = 0
}}
connections {{
{conns}{extra}}}
secrets {{
  ike-all {{
    secret = "a secret of the test"
  }}
}}
"""


class Reader(threading.Thread):
    """Lists SAs again and again, and counts what it is told."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.line = vici.Client(node.socket, LONG)
        self.lists, self.wrong, self.on = 0, [], True
        self.start()

    def run(self):
        while self.on:
            _, events = self.line.command("list-sas", {"noblock": "yes"}, "list-sa")
            self.lists += 1
            children = sum(len(body["child-sas"]) for event in events for body in event.values())
            if children < MANY:
                self.wrong.append(children)

    def stop(self):
        self.on = False
        self.join(LONG)
        self.line.close()


def lists_and_handshakes(directory):
    memory_is_measured()
    lan(LEFT, RIGHT)
    right, left = Node(directory, RIGHT), Node(directory, LEFT)
    for node in (left, right):
        node.patience = LONG
    right.start(config(RIGHT, LEFT, False))
    began = time.monotonic()
    left.start(config(LEFT, RIGHT, True), wait=False)
    left.wait_up()
    wait_for(f"{MANY} SAs", lambda: left.log().count("child SA up") >= MANY, LONG)
    print(f"  {MANY} SAs of {CONNS} IKE SAs after {time.monotonic() - began:.1f} s", flush=True)
    line = vici.Client(left.socket, LONG)
    began = time.monotonic()
    _, events = line.command("list-sas", {}, "list-sa")
    print(f"  one list: {len(events)} events in {(time.monotonic() - began) * 1000:.0f} ms", flush=True)
    line.close()
    before_kb = left.rss_kb()
    with contextlib.ExitStack() as stack:
        for _ in range(SILENT):  # asks for all, and reads nothing
            sock = stack.enter_context(client(left))
            sock.sendall(packet(REGISTER, b"list-sa") + packet(REQUEST, b"list-sas"))
        readers = [Reader(left) for _ in range(READERS)]
        wait_for("a list each", lambda: all(reader.lists for reader in readers), LONG)
        with client(left) as sock:
            version(sock)
        began = time.monotonic()
        lists = sum(reader.lists for reader in readers)
        done = left.cli("conn", "up", f"conn{CONNS}", "--timeout", PATIENCE, ok=False, timeout=2 * PATIENCE)
        took = time.monotonic() - began
        expect("a handshake meanwhile", done.returncode == 0, done)
        lists = sum(reader.lists for reader in readers) - lists
        grown_kb = left.rss_kb() - before_kb
        print(f"  a handshake within {took * 1000:.0f} ms beside {READERS} readers ({lists} lists meanwhile) and {SILENT} silent ones; "
              f"RSS +{grown_kb} kB", flush=True)
        for reader in readers:
            reader.stop()
            expect("each list is whole", not reader.wrong, *reader.wrong[:5])
        expect("memory is bounded", grown_kb < 200 * 1024, grown_kb)
        sock = stack.enter_context(client(left))
        sock.sendall(packet(REGISTER, b"list-sa") + packet(REQUEST, b"list-sas"))
        answer(sock)  # confirmed
        for _ in range(3):
            answer(sock)  # and goes away in the middle
    with client(left) as sock:
        version(sock)
    for node in (left, right):
        node.stop_cleanly()


def many_connections(directory):
    """Each is loaded, listed, loaded again without effect, and unloaded; one that is up is untouched by it all."""
    lan(LEFT, RIGHT)
    nodes = [Node(directory, name).start(config_of_one(name)) for name in (LEFT, RIGHT)]
    left = nodes[0]
    left.cli("conn", "up", "conn0", timeout=2 * PATIENCE)
    spi = left.json("sa", "show")[0]["in"]["spi"]
    line = vici.Client(left.socket, LONG)

    def load(number, rekey):
        return line.ask("load-conn", {f"vici{number}": {
            "remote_addrs": [f"198.51.{number >> 8}.{number & 255}"], "rekey_time": rekey,
            "local": {"auth": "psk", "id": "left.example.org"}, "remote": {"auth": "psk"},
            "children": {"net": {"remote_ts": [f"10.200.{number >> 8}.{number & 255}/32"], "start_action": "trap"}}}})

    for what in ("load", "load again"):
        began = time.monotonic()
        for number in range(CONNECTIONS):
            done, why = load(number, "3h")
            expect(what, done, number, why)
        print(f"  {what} {CONNECTIONS} connections: {time.monotonic() - began:.1f} s", flush=True)
    conns = line.command("get-conns")[0]["conns"]
    expect("all are there", conns == [f"vici{number}" for number in range(CONNECTIONS)], conns)
    expect("all are trapped", sum(row["state"] == "trapped" for row in left.json("conn", "show")) == CONNECTIONS)
    for number in range(CONNECTIONS):
        expect("unload", line.ask("unload-conn", {"name": f"vici{number}"})[0])
    expect("none is there", line.command("get-conns")[0]["conns"] == [])
    expect("the SA that was up still is", left.json("sa", "show")[0]["in"]["spi"] == spi)
    line.close()
    for node in nodes:
        node.stop_cleanly()


def config_of_one(me):
    other = RIGHT if me == LEFT else LEFT
    return f"""connections {{
{connection(0, me, other, 1, False)}}}
secrets {{
  ike-all {{
    secret = "a secret of the test"
  }}
}}
"""


if __name__ == "__main__":
    main(lists_and_handshakes, many_connections)
