#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Traps, shunts and uniqueness in the real programs, with `--kernel null`: what is shown, and what a reload does."""
import os
import signal

import schema
from common import ADDRESS, LEFT, expect, main, pair, wait_for
from native_pair import up

PASSED = "lan { children { here { mode = pass\nlocal_ts = 10.1.1.0/24\nremote_ts = 10.1.0.0/16\nstart_action = trap } } }"


def layers(node):
    rows = node.json("policy", "show")
    breaches = schema.breaches("policy-show", rows)
    expect("policy show fits its schema", not breaches, *breaches)
    return {(row["conn"], row["child"], row["layer"]) for row in rows if row["layer"] in ("trap", "shunt", "child")}


def state(node, name="demo/net"):
    breaches = schema.breaches("conn-show", node.json("conn", "show"))
    expect("conn show fits its schema", not breaches, *breaches)
    return node.states()[name]["state"]


def reload(node):
    before = node.log().count("configuration reloaded")
    os.kill(node.process.pid, signal.SIGHUP)
    wait_for("the new configuration", lambda: node.log().count("configuration reloaded") > before)


def a_trap_stands_from_load_to_unload(directory):
    left, right = pair(directory, bpffs=True, child={"start_action": "trap"}, right={"child": {}})
    trap = ("demo", "net", "trap")
    expect("trapped", state(left) == "trapped", left.states())
    expect("the other is not", state(right) == "down", right.states())
    expect("its policy stands", layers(left) == {trap}, layers(left))
    text = left.cli("policy", "show").stdout
    expect("what becomes of the first packet is said", "net.core.xfrm_larval_drop" in text, text)
    up(left, "demo")
    expect("up", state(left) == "up")
    expect("above it, not in its place", layers(left) == {trap, ("demo", "net", "child")}, layers(left))
    left.cli("conn", "down", "demo")
    wait_for("the trap to be all that is left", lambda: state(left) == "trapped" and layers(left) == {trap})
    text = left.config.read_text()
    left.write_config(text.replace("start_action = trap", "start_action = none"))
    reload(left)
    expect("gone by reload", state(left) == "down" and layers(left) == set(), left.states(), layers(left))
    left.write_config(text)
    reload(left)
    expect("back by reload", state(left) == "trapped" and layers(left) == {trap}, left.states(), layers(left))
    for node in (left, right):
        node.stop_cleanly()


def the_peer_that_closes_leaves_a_trap(directory):
    left, right = pair(directory, bpffs=True, child={"close_action": "trap"}, right={"child": {}})
    expect("no trap yet", state(left) == "down" and layers(left) == set())
    up(left, "demo")
    right.cli("conn", "down", "demo/net")
    wait_for("the trap", lambda: state(left) == "trapped" and layers(left) == {("demo", "net", "trap")})
    for node in (left, right):
        node.stop_cleanly()


def shunts_need_no_peer(directory):
    left, right = pair(directory, bpffs=True)
    text = left.config.read_text()
    expect("the configuration has connections", "connections {" in text, text)
    left.write_config(text.replace("connections {", "connections {\n" + PASSED + "\n", 1))
    reload(left)
    expect("it passes", state(left, "lan/here") == "pass", left.states())
    expect("its policies stand", layers(left) == {("lan", "here", "shunt")}, layers(left))
    up(left, "demo")
    left.write_config(text)
    reload(left)
    expect("gone by reload, and nothing else with it", layers(left) == {("demo", "net", "child")}, layers(left))
    for node in (left, right):
        node.stop_cleanly()


def a_second_one_of_the_same_peer_is_kept_out(directory):
    """The left one dies without a word and says nothing of it (unique = never): the right one keeps the first."""
    left, right = pair(directory, extra="unique = never", right={"extra": "unique = keep"})
    up(left, "demo")
    left.process.kill()
    left.process.wait()
    left.start()
    answer = up(left, "demo", status=2)
    expect("it is refused", answer["error"]["code"] == "auth-failed", answer)
    wait_for("the reason to stand in the log", lambda: "not-unique" in right.log())
    expect("the first stays", len(right.json("ike", "show")) == 1)
    left.write_config(left.config.read_text().replace("unique = never", "unique = no"))
    reload(left)
    up(left, "demo")  # now it says that it started afresh
    wait_for("one again", lambda: len(right.json("ike", "show")) == 1)
    expect("of the same peer", ADDRESS[LEFT] in str(right.json("ike", "show")), right.json("ike", "show"))
    for node in (left, right):
        node.stop_cleanly()


if __name__ == "__main__":
    main(a_trap_stands_from_load_to_unload, the_peer_that_closes_leaves_a_trap, shunts_need_no_peer,
         a_second_one_of_the_same_peer_is_kept_out)
