#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shield on this kernel: a flood of IKE_SA_INIT with spoofed sources, and who gets through it; what espgated says of it;
another configuration while it runs; a daemon that dies, and comes back."""
import os
import signal

import schema
from common import ADDRESS, PATIENCE, Node, Skip, expect, main, mount_bpffs, ns, programs, wait_for
from shield_scene import CLIENT, GATE, STRANGER, Gate, client_conf, finish_flood, gate_conf, link, set_up, start_flood, wire

NATIVE = {"mode": "native", "cookie_rate": 20}
FLOOD = {"seconds": 4, "rate": 3000}  # bounded; far above cookie_rate


def gate(directory, shield=None):
    wire(directory)
    node = Gate(directory).start(gate_conf(shield))
    if "nothing is kept away" in node.log() or "accounting" in node.log():
        raise Skip(f"no BPF here: {node.log()}")
    return node


def client(directory, count=20):
    return Node(directory, CLIENT).start(client_conf(count))


def checked(node):
    """Rules and events, after the whole answer was held against its schema."""
    breaches = schema.breaches("shield-show", node.json("shield", "show"))
    expect("`shield show` fits its schema", not breaches, *breaches)
    return node.shield()


def all_up(node, count, within=60):
    took, failures = set_up(node, count, workers=4, within=within)
    expect(f"all {count} come up", len(took) == count, failures, node.log()[-3000:])


def through_a_flood(directory):
    """Who returns the cookie gets in; the flood does not reach the daemon."""
    node, peer = gate(directory, NATIVE), client(directory)
    rules, events, xdp = checked(node)
    expect("it acts", rules["active"] and xdp == "native" and rules["cookie_rate"] == 20, rules, xdp)
    expect("and says so", "shield: on; IKE_SA_INIT without a cookie: 20 a second" in node.log(), node.log())
    flood = start_flood(programs(), **FLOOD)
    wait_for("the first line", lambda: "eth0: challenging IKE_SA_INIT with cookies" in node.log())
    all_up(peer, 20)
    sent = finish_flood(flood)
    rules, events, _ = checked(node)
    expect("nearly all of it was answered in XDP", events["cookie-sent"] > 0.9 * sent["requests"], events, sent)
    expect("some passed under the rate", 0 < events["init-passed"] < 20 * 12, events)
    expect("the client's came back", 0 < events["cookie-good"], events)
    expect("nothing else", events["source-dropped"] == events["init-dropped"] == events["allowed"] == 0, events)
    verdicts = node.verdicts()
    expect("tx, in `stats show`, too", verdicts["tx"] == events["cookie-sent"], verdicts, events)
    metrics = node.cli("export", "prometheus").stdout
    expect("and in the metrics", f'espgate_shield_packets_total{{dev="eth0",event="cookie-good"}} {events["cookie-good"]}\n'
           in metrics, metrics[-3000:])
    wait_for("the last line", lambda: "eth0: no longer challenging IKE_SA_INIT: in " in node.log(), PATIENCE)
    expect("one of each", node.log().count("shield: eth0:") == 2, node.log())
    for each in (peer, node):
        each.stop_cleanly()


def in_fragments(directory):
    """Fragments pass so many a second, and the client is none the worse for the others."""
    node, peer = gate(directory, {**NATIVE, "fragment_rate": 10}), client(directory, 8)
    flood = start_flood(programs(), **FLOOD, fragmented=100)
    all_up(peer, 8)
    sent = finish_flood(flood)
    _, events, _ = checked(node)
    expect("most are dropped", events["fragment-dropped"] > 0.5 * sent["requests"], events, sent)
    expect("few pass", 0 < events["fragment-passed"] < 2 * 10 * 12, events)
    for each in (peer, node):
        each.stop_cleanly()


def reloaded(directory):
    """Off, on, other rates, an allow-list, off: each with the next packet."""
    node, peer = gate(directory), client(directory, 8)
    rules, events, xdp = checked(node)
    expect("off until asked for", not rules["active"] and xdp == "native", rules, xdp)
    send_esp(5)
    expect("nothing is counted of it", not any(checked(node)[1].values()), checked(node))

    def reload(shield):
        node.write_config(gate_conf(shield))
        node.cli("conn", "reload")
    reload({**NATIVE, "unknown_spi": "drop"})
    expect("the rules are others", checked(node)[0] == {"active": True, "unknown_spi": "drop", "cookie_rate": 20,
                                                        "fragment_rate": 100, "source_rate": 1000}, checked(node))
    send_esp(5)
    events = checked(node)[1]
    dropped = events["unknown-dropped"]
    supported = "none is dropped" not in node.log()
    expect("an unknown SPI is seen, and dropped where the kernel can be asked", events["unknown-spi"] == 5 and
           dropped == (5 if supported else 0), events, node.log())
    reload({**NATIVE, "allow": f"{ADDRESS[CLIENT]}/32"})
    flood = start_flood(programs(), **FLOOD)
    wait_for("the flood to be challenged", lambda: checked(node)[1]["cookie-sent"] > 100)
    all_up(peer, 8)
    finish_flood(flood)
    events = checked(node)[1]
    expect("the client was asked for no cookie", events["cookie-good"] == 0 and events["allowed"] >= 16, events)
    reload(None)
    expect("off again", not checked(node)[0]["active"], checked(node))
    expect("the log says so", "shield: off, packets are only counted" in node.log(), node.log())
    for each in (peer, node):
        each.stop_cleanly()


def send_esp(count):
    """ESP to the gateway with an SPI that nobody knows."""
    program = ("import socket,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_RAW,50)\n"
               "for i in range(int(sys.argv[2])): s.sendto(bytes.fromhex('0badcafe')+bytes(60),(sys.argv[1],0))")
    ns(STRANGER, "python3", "-c", program, ADDRESS[GATE], count)


def generic(directory):
    """Generic XDP, where it can be had, does the same; and a mode that changes changes how XDP is attached."""
    node, peer = gate(directory, {**NATIVE, "mode": "generic"}), client(directory, 8)
    if checked(node)[2] != "generic":
        why = [line for line in node.log().splitlines() if "eth0: " in line and "the shield " in line]
        expect("it says why, in one line", len(why) == 1, node.log())
        raise Skip(why[0])
    flood = start_flood(programs(), **FLOOD)
    all_up(peer, 8)
    finish_flood(flood)
    expect("it challenges", checked(node)[1]["cookie-sent"] > 0, checked(node))
    node.write_config(gate_conf(NATIVE))
    node.cli("conn", "reload")
    expect("native now", checked(node)[2] == "native", checked(node), node.log())
    for each in (peer, node):
        each.stop_cleanly()


def through_a_dispatcher(directory):
    """Beside other programs, where the kernel lets libxdp do that; else it says why, and leaves nothing on the device."""
    os.environ["LIBXDP_BPFFS"] = str(mount_bpffs(directory / "bpf-xdp"))
    node, peer = gate(directory, {**NATIVE, "dispatcher": "yes"}), client(directory, 8)
    if checked(node)[2] != "dispatcher":
        why = [line for line in node.log().splitlines() if "eth0: no XDP through a dispatcher of libxdp's" in line]
        expect("it says why, in one line", len(why) == 1 and "the shield does not act there" in why[0], node.log())
        expect("nothing is on the device", "xdp" not in link(GATE), link(GATE))
        node.write_config(gate_conf(NATIVE))
        node.cli("conn", "reload")
        expect("without, it is attached", checked(node)[2] == "native", checked(node), node.log())
        for each in (peer, node):
            each.stop_cleanly()
        raise Skip(why[0])
    ns(GATE, "xdp-filter", "load", "--mode", "native", "eth0")  # somebody else's program, which passes everything
    flood = start_flood(programs(), **FLOOD)
    all_up(peer, 8)
    finish_flood(flood)
    expect("it challenges", checked(node)[1]["cookie-sent"] > 1000, checked(node))
    places = {place for row in node.json("prog", "show") for place in row["attached"]}
    expect("prog show says so", "eth0 dispatcher" in places, places)
    expect("and stats show", "xdp dispatcher" in node.json("stats", "show", "dev", "eth0")[0]["attached"], node.json("stats", "show"))
    loaded = lambda: ns(GATE, "xdp-loader", "status", "eth0").stdout
    expect("both are there", "espgate_shield" in loaded() and "xdpfilt" in loaded(), loaded())
    for each in (peer, node):
        each.stop_cleanly()
    expect("the other's stays", "espgate_shield" not in loaded() and "xdpfilt" in loaded(), loaded())


def no_native_xdp(directory):
    """A device without native XDP is named, once, with the reason."""
    wire(directory)
    ns(GATE, "ip", "link", "add", "br7", "up", "type", "bridge")
    node = Gate(directory).start(gate_conf(NATIVE).replace("gateway {", "gateway {\n  interfaces = eth0, br7", 1))
    said = [line for line in node.log().splitlines() if "br7" in line and "does not act" in line]
    expect("one line", len(said) == 1 and "no native XDP (" in said[0], node.log())
    rows = {row["dev"]: row["xdp"] for row in node.json("shield", "show")["devices"]}
    expect("shield show, too", rows == {"eth0": "native", "br7": "none"}, rows)
    node.stop_cleanly()


def dies_and_comes_back(directory):
    """What is pinned goes on without the daemon, with secrets that grow old; the next one has others, and peers get in."""
    node, peer = gate(directory, NATIVE), client(directory, 12)
    all_up(peer, 4)
    node.process.send_signal(signal.SIGKILL)
    node.process.wait()
    before = checked(node)
    expect("it still acts", before[0]["active"] and before[2] == "native", before)
    finish_flood(start_flood(programs(), seconds=1, rate=3000))
    after = checked(node)[1]
    expect("and still answers", after["cookie-sent"] > before[1]["cookie-sent"] + 1000, after)
    node.socket.unlink()
    node.start()
    flood = start_flood(programs(), **FLOOD)
    took, failures = set_up(peer, 12, workers=4, within=60)
    expect("peers get in", len(took) == 12, failures, node.log()[-3000:])
    finish_flood(flood)
    events = checked(node)[1]
    expect("counts go on", events["cookie-sent"] >= after["cookie-sent"], events, after)
    for each in (peer, node):
        each.stop_cleanly()
    expect("XDP is off the device", "xdp" not in link(GATE), link(GATE))


if __name__ == "__main__":
    main(through_a_flood, in_fragments, reloaded, generic, through_a_dispatcher, no_native_xdp, dies_and_comes_back)
