#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two espgated negotiate with each other over a veth, with `--kernel null`; `espgate` brings up, shows and takes down."""
import json
import re
import sys

import schema
from common import ADDRESS, IDENTITY, LEFT, PATIENCE, QUICK, RIGHT, expect, main, ns, pair, wait_for

SHOWN = {"ike show": "ike-show", "conn show": "conn-show", "sa show": "sa-show", "policy show": "policy-show",
         "stats show": "stats-show", "shield show": "shield-show", "prog show": "prog-show"}
CHILDREN = ("net", "lab", "guest")


def up(node, name, status=0):
    done = node.cli("-j", "conn", "up", name, "--timeout", PATIENCE, ok=False, timeout=2 * PATIENCE)
    expect(f"conn up {name}: exit status {status}", done.returncode == status, done.stdout, done.stderr, node.log())
    answer = json.loads(done.stdout)
    breaches = schema.breaches("error" if status else "done", answer)
    expect("its answer fits the schema", not breaches, *breaches, done.stdout)
    return answer


def valid(node, objects=tuple(SHOWN)):
    """What every `show` says, each checked against its schema."""
    out = {}
    for words, name in ((each, SHOWN[each]) for each in objects):
        out[words] = node.json(*words.split())
        breaches = schema.breaches(name, out[words])
        expect(f"{node.name}: `espgate -j {words}` fits docs/schema/{name}.json", not breaches, *breaches)
    return out


def up_and_down(directory):
    left, right = pair(directory, bpffs=True)
    up(left, "demo")
    expect("again: exit status 0", up(left, "demo/net") is not None)
    for node in (left, right):
        shown = valid(node)
        expect("one IKE SA", len(shown["ike show"]) == 1, shown["ike show"])
        expect("it is up", [row["state"] for row in shown["conn show"]] == ["up"], shown["conn show"])
        expect("one child SA", len(shown["sa show"]) == 1, shown["sa show"])
    ours, theirs = (node.json("sa", "show")[0] for node in (left, right))
    expect("one's in is the other's out", (ours["in"]["spi"], ours["out"]["spi"]) ==
           (theirs["out"]["spi"], theirs["in"]["spi"]), ours, theirs)
    expect("nothing is offloaded", ours["out"]["offload"]["actual"] == "none", ours)
    expect("text, too", "demo" in left.cli("sa", "show").stdout)
    done = left.cli("conn", "down", "demo", ok=False)
    expect("conn down: exit status 0", done.returncode == 0, done)
    for node in (left, right):
        wait_for("both to be down", lambda node=node: not node.json("ike", "show") and not node.json("sa", "show"))
        shown = valid(node)
        expect("it is down, in peace", [row["state"] for row in shown["conn show"]] == ["down"], shown["conn show"])
    up(right, "demo")  # the other way round
    left.stop_cleanly()
    wait_for("the right one to hear of it", lambda: not right.json("ike", "show"))
    right.stop_cleanly()


def reloads_by_command(directory):
    """`conn reload`: a broken file changes nothing and every mistake in it is named; --dry-run only looks."""
    left, right = pair(directory, bpffs=True)
    up(left, "demo")
    good = left.config.read_text()
    left.write_config(good.replace("version = 2", "versoin = 2\n mobike = perhaps"))
    for words in (("conn", "reload"), ("conn", "reload", "--dry-run")):
        done = left.cli("-j", *words, ok=False)
        expect("exit status 2", done.returncode == 2, done)
        breaches = schema.breaches("error", json.loads(done.stdout))
        expect("its answer fits the schema", not breaches, *breaches)
        expect("both are named with their places", all(word in done.stdout for word in ("espgate.conf:3:", "versoin",
                                                                                       "mobike")), done.stdout)
    left.write_config(good.replace("demo {", "demo2 {", 1))
    for words, result, name in ((("--dry-run",), "valid", "demo"), ((), "reloaded", "demo2")):
        answer = left.json("conn", "reload", *words)
        breaches = schema.breaches("reload", answer)
        expect("its answer fits the schema", not breaches and answer["result"] == result, *breaches, answer)
        expect(f"then there is {name}", [row["conn"] for row in left.json("conn", "show")] == [name])
    for node in (left, right):
        node.stop_cleanly()


def the_garbage_is_counted(directory):
    left, right = pair(directory, bpffs=True)
    send = "import socket,sys; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'\\xff' * 40, (sys.argv[1], 500))"
    for _ in range(3):
        ns(RIGHT, sys.executable, "-c", send, ADDRESS[LEFT])

    def counted():
        text = left.cli("export", "prometheus").stdout
        return re.findall(r'espgate_ike_rejected_total\{reason="([a-z-]+)"\} 3$', text, re.M)
    wait_for("three rejected datagrams in the metrics", counted)
    for node in (left, right):
        node.stop_cleanly()


def children_at_once(directory):
    """`conn up` of a connection asks for all its children before its IKE SA is there: one IKE SA, all of them in it."""
    left, right = pair(directory, children=CHILDREN)
    up(left, "demo")
    for node in (left, right):
        expect("all are up", {row["state"] for row in node.states().values()} == {"up"}, node.states(), node.log())
        expect("in one IKE SA", len(node.json("ike", "show")) == 1, node.json("ike", "show"))
        expect("each once", sorted(row["child"] for row in node.json("sa", "show")) == sorted(CHILDREN))
    left.cli("conn", "down", "demo/lab")
    for node in (left, right):
        wait_for("one to be down", lambda node=node: node.states()["demo/lab"]["state"] == "down")
        expect("the others stay", {row["child"] for row in node.json("sa", "show")} == {"net", "guest"})
    for node in (left, right):
        node.stop_cleanly()


def rekeys(directory):
    """`conn rekey` of the child and of the IKE SA, from both ends; then by time, unasked."""
    left, right = pair(directory, child={"esp_proposals": "aes128gcm16-x25519"})
    up(left, "demo")

    def spis(node):
        return {row["in"]["spi"] for row in node.json("sa", "show") if row["state"] == "INSTALLED"}

    def unique_ids(node):
        return {row["unique_id"] for row in node.json("ike", "show")}

    for node in (left, right):
        before = spis(node)
        expect("sa show says when it is rekeyed", node.json("sa", "show")[0]["rekey_at"], node.json("sa", "show"))
        done = node.cli("conn", "rekey", "demo/net", ok=False)
        expect("conn rekey of a child: exit status 0", done.returncode == 0, done, node.log())
        for each in (left, right):
            wait_for("one generation again", lambda each=each: len(each.json("sa", "show")) == 1, PATIENCE)
        expect("it is another one", spis(node).isdisjoint(before), before)
        before = unique_ids(node)
        done = node.cli("conn", "rekey", "demo", ok=False)
        expect("conn rekey of an IKE SA: exit status 0", done.returncode == 0, done, node.log())
        expect("there is one, another one", len(unique_ids(node)) == 1 and unique_ids(node).isdisjoint(before))
        expect("rekey_at in ike show", node.json("ike", "show")[0]["rekey_at"])
    ours, theirs = (node.json("sa", "show")[0] for node in (left, right))
    expect("one's in is the other's out", (ours["in"]["spi"], ours["out"]["spi"]) ==
           (theirs["out"]["spi"], theirs["in"]["spi"]), ours, theirs)
    expect("it was never down", all("child SA closed" not in node.log() for node in (left, right)), left.log())
    done = left.cli("conn", "rekey", "demo/nonsense", ok=False)
    expect("no such child: exit status 2", done.returncode == 2, done)
    left.cli("conn", "down", "demo")
    done = left.cli("conn", "rekey", "demo", ok=False)
    expect("nothing to be rekeyed: exit status 2", done.returncode == 2, done)
    for node in (left, right):
        node.stop_cleanly()


def rekeys_by_time(directory):
    left, right = pair(directory, child={"rekey_time": "3s", "life_time": "6s", "rand_time": "1s"},
                       extra="rekey_time = 5s\nover_time = 5s",
                       before=QUICK)  # a packet that is lost must not cost a life of 6 s
    up(left, "demo")
    wait_for("five rekeys of the child", lambda: left.log().count("child SA rekeyed") >= 5, PATIENCE)
    wait_for("two of the IKE SA", lambda: left.log().count(" rekeyed: ") - left.log().count("child SA rekeyed") >= 2,
             PATIENCE)
    expect("it was never down", "child SA closed" not in left.log() + right.log(), left.log(), right.log())
    for node in (left, right):
        expect("it is up", node.states()["demo/net"]["state"] == "up")
    for node in (left, right):
        node.stop_cleanly()


def from_both_ends(directory):
    """start_action = start on both sides: they meet in the middle, and both are up."""
    left, right = pair(directory, child={"start_action": "start"})
    for node in (left, right):
        wait_for("both to be up", lambda node=node: node.states()["demo/net"]["state"] == "up", PATIENCE)
    for node in (left, right):
        node.stop_cleanly()


def wrong_secret(directory):
    left, right = pair(directory, right={"secret": "another secret"})
    for initiator, responder in ((left, right), (right, left)):
        answer = up(initiator, "demo", status=2)
        expect("it names step and notify", "IKE_AUTH" in answer["error"]["text"] and
               "AUTHENTICATION_FAILED" in answer["error"]["text"], answer)
        error = initiator.states()["demo/net"]["last_error"]
        expect("conn show: step, notify, text", error["step"] == "IKE_AUTH" and error["text"] and
               error["peer_notify"] == "AUTHENTICATION_FAILED", error)
        expect("the responder says whom it refused", "auth-failed" in responder.log() and
               IDENTITY[initiator.name] in responder.log(), responder.log())
        for node in (initiator, responder):
            expect("nothing is left", not node.json("ike", "show") and not node.json("sa", "show"))
            expect("no secret in a log", "secret of the test" not in node.log() and "another secret" not in node.log())
            valid(node, ("ike show", "conn show", "sa show"))
    for node in (left, right):
        node.stop_cleanly()


def nobody_there(directory):
    """A peer that does not answer: `conn up` gives up when it was told to, and a clean stop does not wait for it."""
    left, right = pair(directory)
    right.stop_cleanly()
    done = left.cli("conn", "up", "demo", "--timeout", 2, ok=False)
    expect("exit status 2", done.returncode == 2, done)
    expect("conn show says that it is trying", left.states()["demo/net"]["state"] in ("connecting", "down"))
    done = left.cli("conn", "up", "demo/nonsense", ok=False)
    expect("no such child: exit status 2 and its name", done.returncode == 2 and "nonsense" in done.stderr, done)
    left.stop_cleanly()


def silent_peer(directory):
    """A peer that died without a word: `conn down` says that it waits for it, and with --force it does not."""
    left, right = pair(directory)
    up(left, "demo")
    right.process.kill()
    right.process.wait()
    done = left.cli("conn", "down", "demo", "--timeout", 1, ok=False)
    expect("not down yet: exit status 2, and what to do", done.returncode == 2 and "--force" in done.stderr, done)
    done = left.cli("conn", "down", "demo", "--force", ok=False)
    expect("down by force", done.returncode == 0, done)
    wait_for("it to be down", lambda: not left.json("ike", "show"))
    left.stop_cleanly()


if __name__ == "__main__":
    main(silent_peer, up_and_down, reloads_by_command, the_garbage_is_counted, children_at_once, rekeys, rekeys_by_time,
         from_both_ends, wrong_secret, nobody_there)
