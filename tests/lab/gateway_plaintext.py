#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No plaintext, ever: marked packets leave from behind the gateway all the time, and its wire is searched for the mark. Start, rekey,
refused offload, link flap, SAs flushed, an SA that expires as its peer is not heard, reloads, kill -9, stop and start with
on_stop = keep, stop with close; and what does leak when somebody else flushes the policies, and for how long.

tools/lab run --out DIR -- python3 tests/lab/gateway_plaintext.py; rows in DIR/plaintext.json.
"""
import os
import re
import signal
import sys
import time

from demo import CBC, GCM, child, configs
from scenario import counters, daemon, hosts
from scenario.marked import Marked, WholeCapture, found
from scenario.results import run_scenario
from scenario.shell import Failed, ns, run, wait_for

NUMBER = {"hw": 1, "sw": 2, "trap": 3, "idle": 4, "strict": 5, "short": 6, "six": 7, "added": 8, "uncovered": 9}
FAULT = "/sys/kernel/debug/simnic/simnic0/fault"
ALWAYS = ("hw", "sw", "trap", "idle", "strict", "short", "six")  # covered all the time
SHORT = {"rekey_time": "10s", "life_time": "14s", "rand_time": "0s"}


def children(hw=GCM, added=False):
    out = {name: child(NUMBER[name], suite, offload) for name, suite, offload in (
        ("hw", hw, "auto"), ("sw", CBC, "no"), ("trap", GCM, "auto"), ("idle", GCM, "auto"), ("strict", GCM, "crypto"),
        ("short", GCM, "no"), ("six", GCM, "auto"))}
    for name in ("hw", "sw", "strict", "short", "six"):
        out[name][0]["start_action"] = "start"
    out["trap"][0]["start_action"] = "trap"
    out["short"][0].update(SHORT)
    ours, theirs = out["six"]
    number = NUMBER["six"]
    ours.update(local_ts=hosts.network(1, number, 6), remote_ts=hosts.network(2, number, 6))
    theirs.update(local_ts=hosts.network(2, number, 6), remote_ts=hosts.network(1, number, 6))
    out["added"] = child(NUMBER["added"], GCM, "auto")
    out["added"][0]["start_action"] = "start"
    return out if added else {name: pair for name, pair in out.items() if name != "added"}


def gw_config(stop="keep", **how):
    return f"gateway {{\n  on_stop = {stop}\n  retransmit_timeout = 0.5\n}}\n" + configs(children(**how))[0]


class Plaintext:
    def __init__(self, directory, results):
        self.results = results
        theirs = configs(children(added=True))[1].replace("esp_proposals = aes128gcm16", "esp_proposals = aes128gcm16,aes256gcm16")
        self.peer = daemon.Charon(f"{directory}/peer").start(theirs)
        self.gateway = daemon.Gateway(f"{directory}/gw")
        self.gateway.patience = 120
        self.capture = WholeCapture(f"{directory}/wire.pcap")
        self.windows = []  # (what, begin, end): the time when somebody else had flushed the policies
        self.marked = Marked({name: (hosts.inner(1, n, 6 if name == "six" else 4), hosts.inner(2, n, 6 if name == "six" else 4))
                              for name, n in NUMBER.items()})

    # ------------------------------------------------------------------------------------------ helpers
    def arrives(self, when, *names, seconds=30):
        """That packets of these children reach the peer now: its inbound SAs count more."""
        def counts():
            rows = self.gateway.children()
            theirs = counters.kernel_sas(hosts.PEER)
            return {name: theirs.get(rows.get(f"demo/{name}", {"out": {"spi": ""}})["out"]["spi"], {}).get("packets", 0) for name in names}
        first = counts()
        last = {}

        def more():
            last.update(counts())
            return all(last[name] > first[name] for name in names)
        try:
            wait_for(f"{when}: packets that arrive", more, seconds)
        except Failed:
            pass
        silent = [name for name in names if last.get(name, 0) <= first[name]]
        self.results.add(f"{when}: children whose packets do not arrive", [], silent, not silent)

    def say(self, what):
        self.results.section(what)

    def blocked(self, way):
        """IKE between the gateways is lost, or passes."""
        if way:
            ns(hosts.WIRE, "nft", "-f", "-", stdin="table inet lost {\n chain f {\n type filter hook forward priority 0;\n udp dport { 500, 4500 } drop\n }\n}\n")
        else:
            ns(hosts.WIRE, "nft", "delete", "table", "inet", "lost")

    # --------------------------------------------------------------------------------------------- parts
    def begins(self):
        self.say("start, under traffic from the first moment that it is up")
        self.gateway.start(gw_config())
        self.marked.on.update(ALWAYS)
        self.arrives("start", "hw", "sw", "trap", "strict", "short", "six")

    def rekeys(self):
        self.say("rekey, with a device that takes nothing more")
        with open(FAULT, "w", encoding="ascii") as file:
            file.write("add_errno=28\n")
        for name in ("hw", "six", "strict"):
            self.gateway.cli("conn", "rekey", f"demo/{name}", ok=False)
        time.sleep(1)
        with open(FAULT, "w", encoding="ascii") as file:
            file.write("drop_all\n")
        time.sleep(1)
        with open(FAULT, "w", encoding="ascii") as file:
            file.write("none\n")
        self.gateway.cli("conn", "rekey", "demo/hw", ok=False)
        self.arrives("offload refused", "hw", "sw", "six")

    def flaps(self):
        self.say("link flap")
        routes = [line for line in ns(hosts.GW, "ip", "route", "show", "dev", "simnic0").stdout.splitlines() if " proto kernel" not in line]
        six = [line for line in ns(hosts.GW, "ip", "-6", "route", "show", "dev", "simnic0").stdout.splitlines()
               if " proto kernel" not in line and "via" in line]
        run("ip", "-n", hosts.GW, "link", "set", "simnic0", "down")
        time.sleep(0.3)
        run("ip", "-n", hosts.GW, "link", "set", "simnic0", "up")
        run("ip", "-n", hosts.GW, "address", "replace", f"{hosts.GW_ADDRESS[6]}/64", "dev", "simnic0", "nodad", ok=False)
        run("ip", "-n", hosts.GW, "-batch", "-", stdin="".join(f"route replace {line.strip()} dev simnic0\n" for line in routes))
        run("ip", "-n", hosts.GW, "-6", "-batch", "-", stdin="".join(
            f"route replace {re.sub('(metric|pref) .*', '', line).strip()} dev simnic0\n" for line in six))
        self.arrives("flap", "hw", "sw", "strict", "six")

    def flushed(self):
        self.say("ip xfrm state flush, by somebody else")
        run("ip", "-n", hosts.GW, "xfrm", "state", "flush")
        self.arrives("state flush", "hw", "sw", "strict", "six")

    def expires(self):
        self.say("an SA that expires while its peer is not heard")
        self.blocked(True)
        wait_for("its end", lambda: "demo/short" not in self.gateway.children(), 60)
        time.sleep(1)
        self.blocked(False)
        self.arrives("expired, then heard again", "hw", "sw", "short", seconds=60)

    def reloads(self):
        self.say("reloads: a child added, one changed, one removed")
        self.gateway.write_config(gw_config(added=True))
        self.gateway.cli("conn", "reload")
        self.marked.on.add("added")
        self.gateway.write_config(gw_config(hw="aes256gcm16", added=True))
        self.gateway.cli("conn", "reload")
        self.arrives("reloads", "hw", "added")
        self.marked.on.discard("added")
        time.sleep(0.3)
        self.gateway.write_config(gw_config())
        self.gateway.cli("conn", "reload")
        self.arrives("removed", "hw", "sw")

    def killed(self):
        self.say("kill -9, a while without espgated, a start")
        self.gateway.stop(signal.SIGKILL)
        time.sleep(2)
        self.gateway.start()
        self.arrives("killed", "hw", "sw", "trap", "six")

    def stops_and_starts(self):
        self.say("stop with on_stop = keep, a while without espgated, a start")
        self.results.equal("keep: exit status", self.gateway.stop(), 0)
        time.sleep(2)
        self.gateway.start()
        self.arrives("kept", "hw", "sw", "trap", "six")

    def policies_flushed(self):
        self.say("ip xfrm policy flush, by somebody else")
        for _ in range(3):
            begin = time.time()
            run("ip", "-n", hosts.GW, "xfrm", "policy", "flush")
            wait_for("word of it", lambda: len(counters.policies(hosts.GW)) >= 3 * len(ALWAYS), 10)
            self.windows.append(("policy flush", begin, time.time()))
            time.sleep(1)
        self.arrives("policy flush", "hw", "sw", "six")

    def closes(self):
        """Once a stop with close is through nothing of ours is left to stop anything: traffic ends with it."""
        self.say("stop with on_stop = close")
        self.gateway.write_config(gw_config("close"))
        self.gateway.cli("conn", "reload")
        os.kill(self.gateway.process.pid, signal.SIGTERM)
        self.marked.on.clear()
        wait_for("its end", lambda: self.gateway.process.poll() is not None, 30)
        self.results.equal("close: exit status", self.gateway.process.returncode, 0)
        self.results.equal("close: policies left", counters.policies(hosts.GW), [])

    def judge(self):
        self.say("what was on the wire")
        self.results.equal("capture: packets dropped", self.capture.dropped, 0)
        seen = found(self.capture.path)
        self.results.more("capture: packets that nothing covers, seen", sum(1 for name, _, _ in seen if name == "uncovered"))
        leaked = [(name, at) for name, at, _ in seen if name != "uncovered"]
        inside = {number: [each for each in leaked if begin <= each[1] <= end] for number, (_, begin, end) in enumerate(self.windows)}
        for number, packets in inside.items():
            begin = self.windows[number][1]
            last = max((at - begin for _, at in packets), default=0.0)
            self.results.add(f"policy flush {number + 1}: packets in the clear, the last one how many seconds after it", "any, until they are back",
                             [len(packets), round(last, 3)], True)
        outside = [each for each in leaked if not any(each in packets for packets in inside.values())]
        self.results.add("in the clear at any other time: packets of children", [], outside[:20], not outside)
        self.results.more("packets sent by children", min(self.marked.sent[name] for name in ALWAYS), 500)


def scenario(directory, results):
    hosts.build()
    test = Plaintext(directory, results)
    try:
        with test.capture, test.marked:
            for step in (test.begins, test.rekeys, test.flaps, test.flushed, test.expires, test.reloads, test.killed,
                         test.stops_and_starts, test.policies_flushed, test.closes):
                step()
            test.marked.on.add("uncovered")
            time.sleep(0.5)
            test.marked.on.clear()
        test.judge()
    except Failed as failure:
        results.holds("the scenario runs to its end", False, str(failure))
    finally:
        if any(not row["pass"] for row in results.rows):
            print("espgated's log:\n" + test.gateway.log()[-14000:] + "\ncharon's log:\n" + test.peer.log()[-3000:])
        test.gateway.stop()
        test.peer.stop()
        hosts.destroy()


if __name__ == "__main__":
    sys.exit(run_scenario("plaintext", scenario))
