#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`espgate doctor` on machines with something wrong with them: it names the cause, and no secret."""
import json

import schema
from common import ADDRESS, LEFT, PATIENCE, RIGHT, expect, main, ns, pair, run


def doctor(node, *words):
    """Its findings as {check: [finding...]}; text and JSON have to agree."""
    done = node.cli("-j", "doctor", "show", "config", node.config, *words)
    answer = json.loads(done.stdout)
    breaches = schema.breaches("doctor", answer)
    expect("its answer fits the schema", not breaches, *breaches, done.stdout)
    text = node.cli("doctor", "show", "config", node.config, *words).stdout
    found = {}
    for finding in answer["findings"]:
        found.setdefault(finding["check"], []).append(finding)
        expect("the text has each subject", (finding["subject"] or "") in text, finding, text)
        expect("what is wrong has a next step", finding["level"] == "note" or finding["next_step"], finding)
    expect("no secret", "secret of the test" not in done.stdout + text + done.stderr, text)
    return found


def said(found, check, *words):
    texts = [f"{each['subject']} {each['text']} {each['next_step']}" for each in found.get(check, [])]
    expect(f"{check}: {words}", any(all(word in text for word in words) for text in texts), found)


def ways(directory):
    """No route to the peer's network; then one by another device, which is none the worse; the peer by another device under
    strict rp_filter; then the right one."""
    left, _ = pair(directory)
    ns(LEFT, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=1",
       "net.ipv4.ip_forward=0")
    found = doctor(left)
    said(found, "route", "demo/net", "no route to 10.2.1.0/24", "ip route add")
    said(found, "forwarding", "ip_forward = 0")
    run("ip", "-n", LEFT, "link", "add", "other0", "up", "type", "veth", "peer", "name", "other1")
    run("ip", "-n", LEFT, "link", "set", "other1", "up")
    run("ip", "-n", LEFT, "route", "add", "10.2.1.0/24", "dev", "other0")
    ns(LEFT, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    found = doctor(left)
    expect("a route, and forwarding", not {"route", "forwarding"} & found.keys(), found)
    expect("no word of rp_filter", "rp-filter" not in found, found)
    run("ip", "-n", LEFT, "route", "add", ADDRESS[RIGHT], "dev", "other0")
    said(doctor(left), "rp-filter", "rp_filter = 1 on eth0", ADDRESS[LEFT], "by other0")
    run("ip", "-n", LEFT, "route", "delete", ADDRESS[RIGHT], "dev", "other0")
    run("ip", "-n", LEFT, "route", "replace", "10.2.1.0/24", "dev", "eth0")
    found = doctor(left)
    expect("nothing is wrong with the ways", not {"route", "rp-filter", "connections", "config"} & found.keys(), found)


def devices(directory):
    """A strict child whose packets leave by a device that offloads nothing; too small an MTU; disable_xfrm."""
    left, _ = pair(directory, child={"hw_offload": "crypto"})
    run("ip", "-n", LEFT, "link", "set", "eth0", "mtu", "1200")
    ns(LEFT, "sysctl", "-qw", "net.ipv4.conf.eth0.disable_xfrm=1")
    found = doctor(left)
    said(found, "offload", "demo/net", "eth0, which cannot offload ESP", "strict")
    said(found, "mtu", "eth0", "1200", "gateway.fragment_size = 1200")
    said(found, "sysctl", "eth0", "in the clear")


def peers(directory):
    """A wrong secret, then a peer that is silent, then a daemon that is not there."""
    left, right = pair(directory, right={"secret": "another secret of the test"})
    left.cli("conn", "up", "demo", "--timeout", PATIENCE, ok=False, timeout=2 * PATIENCE)
    said(doctor(left), "connections", "demo/net", "AUTHENTICATION_FAILED", "compare the secret")
    right.stop_cleanly()
    left.stop_cleanly()
    left.start("gateway {\n  retransmit_timeout = 0.1\n  retransmit_tries = 2\n}\n" + left.config.read_text())
    left.cli("conn", "up", "demo", "--timeout", PATIENCE, ok=False, timeout=2 * PATIENCE)
    said(doctor(left), "connections", "demo/net", "timeout", "UDP 500 and 4500")
    left.stop_cleanly()
    said(doctor(left), "daemon", "not running", "journalctl -u espgated")


def configurations(directory):
    """A broken file, and none at all: the rest is looked at all the same."""
    left, _ = pair(directory)
    left.write_config(left.config.read_text().replace("local_ts", "locale_ts"))
    said(doctor(left), "config", "espgate.conf:", "locale_ts")
    left.config.unlink()
    answer = left.json("doctor", "show", "config", left.config)
    expect("that is said", any(each["check"] == "config" and "No such file" in each["why"]
                               for each in answer["not_checked"]), answer)


if __name__ == "__main__":
    main(ways, devices, peers, configurations)
