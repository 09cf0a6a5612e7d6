#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What espgated knows of devices, without a kernel to try them on: its cache, the order of suites that follows, devices
beneath others, `offload show` and `offload forgive`."""
import json
import os

import schema
from common import ADDRESS, LEFT, PATIENCE, RIGHT, Node, config, expect, lan, main, run, wait_for

USUAL = [name for suite in ("aes128gcm16", "aes256gcm16", "chacha20poly1305", "aes128-sha256", "aes256-sha256")
         for name in (suite + "-esn", suite)]
TAKEN = ["aes256gcm16", "aes128gcm16"]  # nobody asked about ESN
STEERED = TAKEN + [name for name in USUAL if name not in TAKEN]
FREE = {"esp_proposals": "default", "hw_offload": "auto"}


class Knowing(Node):
    """With a cache of its own."""

    def __init__(self, directory, name):
        super().__init__(directory, name)
        self.cache = self.directory / "devices.json"
        self.arguments += ["--devices", self.cache]

    def devices(self):
        rows = self.json("--devices", self.cache, "offload", "show")
        breaches = schema.breaches("offload-show", rows)
        expect("`offload show` fits its schema", not breaches, *breaches, json.dumps(rows)[:4000])
        return {row["dev"]: row for row in rows}

    def forgive(self, *words, ok=True):
        return self.cli("-j", "offload", "forgive", *words, ok=ok)

    def suite_of(self, name="demo/net"):
        done = self.cli("conn", "up", name, "--timeout", PATIENCE, ok=False, timeout=2 * PATIENCE)
        expect(f"{name} is up", done.returncode == 0, done.stderr, self.log()[-3000:])
        return self.json("sa", "show")[0]["suite"]


def answer(suite, direction, result="taken"):
    refused = result == "refused"
    return {"suite": suite, "esn": False, "mode": "crypto", "dir": direction, "sa_mode": "tunnel", "family": "ipv4",
            "encap": False, "replay_window": 128 if direction == "in" else 0, "result": result,
            "errno": 22 if refused else 0, "words": "Only GCM" if refused else "", "learned": "probe", "at": 1790000000}


def record(device, suites=("aes128gcm16", "aes256gcm16"), kernel=None):
    """As a former run left it: that device took these, and refused one."""
    answers = [answer(suite, way) for suite in suites for way in ("in", "out")]
    answers += [answer("chacha20poly1305", way, "refused") for way in ("in", "out")]
    return {"dev": device["dev"], "driver": device["driver"] or "", "driver_version": device["driver_version"] or "",
            "firmware": device["firmware"] or "", "kernel": kernel or os.uname().release,
            "slots": {"in": None, "out": 33}, "answers": answers}


def write_cache(node, *records):
    node.directory.mkdir(parents=True, exist_ok=True)
    node.cache.write_text(json.dumps({"version": 1, "devices": records}))
    node.cache.chmod(0o600)


def offered(row):
    return [each["suite"] for each in row["offers"]]


def knowing(directory, name, **how):
    """A gateway that has learned of eth0 what record() says. The first run tells how eth0 calls itself."""
    node = Knowing(directory, name).start(config(name, child=FREE, **how))
    device = node.devices()["eth0"]
    node.stop_cleanly()
    write_cache(node, record(device))
    node.socket.unlink(missing_ok=True)
    return node.start(config(name, child=FREE, **how))


def nothing_known(directory):
    lan(LEFT)
    node = Knowing(directory, LEFT).start(config(LEFT, child=FREE))
    row = node.devices()["eth0"]
    expect("a veth has no such feature, and is not tried", row["esp_hw_offload"] is None and not row["takes"], row)
    expect("with --kernel null nothing is", row["probe"] == {"state": "unsuited", "text": "not tried: --kernel null"}, row)
    expect("the usual order", offered(row) == USUAL, row["offers"])
    expect("nobody knows where it runs", {each["carrier"] for each in row["offers"]} == {"unknown"}, row["offers"])
    node.stop_cleanly()
    expect("and nothing is written", not node.cache.exists())


def from_the_cache(directory):
    lan(LEFT)
    node = knowing(directory, LEFT)
    row = node.devices()["eth0"]
    expect("what was known is known", len(row["takes"]) == 6, row)
    expect("and from where", {each["learned"] for each in row["takes"]} == {"cache"}, row)
    expect("slots", row["slots"] == {"used": {"in": 0, "out": 0}, "known": {"in": None, "out": 33}}, row)
    expect("in the device's order", offered(row) == STEERED, row["offers"])
    reasons = {each["suite"]: each["reason"] for each in row["offers"]}
    expect("with reasons", [reasons[suite] for suite in (*TAKEN, "aes128gcm16-esn", "chacha20poly1305")] ==
           ["eth0 takes it in crypto mode", "eth0 takes it in crypto mode", "eth0 was not asked yet",
            "eth0 refuses it (in): \"Only GCM\" (EINVAL)"], row["offers"])
    expect("the log says so", "demo/net: esp_proposals = default means now, in this order: aes256gcm16, aes128gcm16 (eth0 takes it"
           in node.log(), node.log())
    text = node.cli("offload", "show", "dev", "eth0").stdout
    expect("so does the text", "1  aes256gcm16" in text and "cache; " in text, text)
    node.stop_cleanly()
    down = node.devices()["eth0"]
    expect("daemon down: from the cache", offered(down) == STEERED and down["probe"] is None, down)


def forgiven(directory):
    lan(LEFT)
    node = knowing(directory, LEFT)
    done = node.forgive("dev", "eth0", "suite", "aes256gcm16")
    expect("its answers go", json.loads(done.stdout) == {"dev": "eth0", "dropped": 2}, done)
    breaches = schema.breaches("offload-forgive", json.loads(done.stdout))
    expect("as the schema says", not breaches, breaches)
    expect("the order follows", offered(node.devices()["eth0"])[0] == "aes128gcm16")
    wait_for("the log to say so", lambda: "in this order: aes128gcm16 (eth0 takes it" in node.log())
    node.forgive("dev", "eth0")
    expect("all of it", node.devices()["eth0"]["takes"] == [] and offered(node.devices()["eth0"]) == USUAL)
    for words, said in ((("dev", "eth7"), "eth7 is no device"), (("dev", "eth0", "suite", "rot13"), "rot13 is no suite")):
        done = node.forgive(*words, ok=False)
        expect(f"{words} is refused", done.returncode == 2 and said in done.stdout, done)
    node.stop_cleanly()


def negotiated(directory):
    """Who knows its device decides: as the initiator by its order, as the responder by its choice. Else the usual."""
    lan(LEFT, RIGHT)
    left = knowing(directory, LEFT)
    right = Knowing(directory, RIGHT).start(config(RIGHT, child=FREE))
    expect("the responder's choice", right.suite_of() == "aes256gcm16", right.json("sa", "show"))
    right.cli("conn", "down", "demo")
    wait_for("both to be down", lambda: not left.json("ike", "show") and not right.json("ike", "show"))
    expect("the initiator's order", left.suite_of() == "aes256gcm16", left.json("sa", "show"))
    for node in (left, right):
        node.stop_cleanly()


def said_by_the_operator(directory):
    """Proposals that are spelt out keep their order, and the floor keeps weak ones out of `default`."""
    lan(LEFT, RIGHT)
    left = knowing(directory, LEFT)
    spelt = config(LEFT, child={**FREE, "esp_proposals": "aes128gcm16, aes256gcm16"})
    left.write_config(spelt)
    left.process.send_signal(1)
    wait_for("the reload", lambda: "configuration reloaded" in left.log())
    right = Knowing(directory, RIGHT).start(config(RIGHT, child=FREE))
    expect("as spelt out", right.suite_of() == "aes128gcm16", right.json("sa", "show"))
    for node in (left, right):
        node.stop_cleanly()
    floored = Knowing(directory / "floor", LEFT).start("gateway {\n  esp_floor = 256\n}\n" + config(LEFT, child=FREE))
    row = floored.devices()["eth0"]
    expect("nothing below it", offered(row) == [name for name in USUAL if name.startswith(("aes256", "chacha"))], row)
    floored.stop_cleanly()


def unusable_cache(directory):
    lan(LEFT)
    for text, said in (("{", "it is no JSON"), ('{"version": 9, "devices": []}', "it is of version 9")):
        node = Knowing(directory / said.replace(" ", "-"), LEFT)
        node.cache.write_text(text)
        node.start(config(LEFT, child=FREE))
        expect("said once", node.log().count(said) == 1, node.log())
        expect("and not believed", node.devices()["eth0"]["takes"] == [])
        node.stop_cleanly()


def another_kernel(directory):
    """What was learned under another kernel is not believed."""
    lan(LEFT)
    node = knowing(directory, LEFT)
    device = node.devices()["eth0"]
    node.stop_cleanly()
    write_cache(node, record(device, kernel="5.10.0-old"))
    node.start(config(LEFT, child=FREE))
    expect("it is found out anew", "eth0 is not what it was (kernel 5.10.0-old, now " in node.log(), node.log())
    expect("nothing is believed", node.devices()["eth0"]["takes"] == [])
    node.stop_cleanly()


def beneath_others(directory):
    """A bridge of two: the connection leaves by both, and they disagree."""
    lan(LEFT)
    ip = ("ip", "-n", LEFT)
    for name in ("nic0", "nic1"):
        run(*ip, "link", "add", name, "up", "type", "veth", "peer", "name", f"{name}-end")
    run(*ip, "link", "add", "br0", "up", "type", "bridge")
    for name in ("nic0", "nic1"):
        run(*ip, "link", "set", name, "master", "br0")
    run(*ip, "address", "del", f"{ADDRESS[LEFT]}/24", "dev", "eth0")
    run(*ip, "address", "add", f"{ADDRESS[LEFT]}/24", "dev", "br0")
    node = Knowing(directory, LEFT).start(config(LEFT, child=FREE))
    rows = node.devices()
    expect("the devices beneath", sorted(rows) == ["nic0", "nic1"], rows)
    expect("and what they carry", rows["nic0"]["carries"] == ["br0"], rows["nic0"])
    node.stop_cleanly()
    write_cache(node, record(rows["nic0"]), record(rows["nic1"], suites=("aes128gcm16",)))
    node.start(config(LEFT, child=FREE))
    said = "in crypto mode nic0 takes aes128gcm16, aes256gcm16, nic1 takes aes128gcm16"
    expect("the log says that they disagree", f"br0: the devices beneath it disagree: {said}" in node.log(), node.log())
    rows = node.devices()
    expect("`offload show`, too", rows["nic1"]["disagreement"].startswith(f"under br0: {said}"), rows["nic1"])
    expect("what both take comes first", "in this order: aes128gcm16 (nic0 takes it in crypto mode; nic1 takes it"
           in node.log(), node.log())
    node.stop_cleanly()


main(nothing_known, from_the_cache, forgiven, negotiated, said_by_the_operator, unusable_cache, another_kernel,
     beneath_others)
