#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an operator sees: the commands of docs/troubleshooting.md, run for real against strongSwan, with their output.

tools/lab run -- python3 tests/lab/troubleshooting.py > LOG; then tools/readme_output.py LOG docs/troubleshooting.md
"""
import os
import re
import signal
import sys
import tempfile
import time

from demo import CBC, GCM, child, configs
from scenario import counters, daemon, hosts, traffic
from scenario.shell import Failed, lib, ns, run, wait_for

CHILDREN = {"fast": child(1, GCM, "auto"), "old": child(2, CBC, "auto"), "strict": child(3, CBC, "crypto"),
            "header": child(4, GCM, "auto"), "asleep": child(5, GCM, "auto"), "third": child(6, GCM, "auto")}
for end in CHILDREN["header"]:
    end["ah_proposals"] = end.pop("esp_proposals").replace(GCM, "sha256")
CHILDREN["asleep"][0]["start_action"] = "trap"
SHUNT = """
  lan {
    children {
      printers {
        local_ts = 10.1.7.0/24
        remote_ts = 10.2.7.0/24
        mode = pass
        start_action = trap
      }
    }
  }
"""
WIDTH = 190


class Show:
    def __init__(self, directory):
        self.ours, theirs = configs(CHILDREN)
        self.ours = self.ours.replace("connections {", "connections {" + SHUNT, 1)
        self.peer = daemon.Charon(f"{directory}/peer").start(theirs)
        self.gateway = daemon.Gateway(f"{directory}/gw").start(self.ours)
        self.seen = 0  # octets of the log

    def section(self, name):
        print(f"### {name}", flush=True)

    def espgate(self, *words):
        print("$ espgate " + " ".join(words))
        done = self.gateway.cli(*words, ok=False)
        for line in (done.stdout + done.stderr).rstrip("\n").splitlines():
            print(line)
        if done.returncode:
            print(f"(exit status {done.returncode})")
        print(flush=True)

    def log(self, pattern):
        """Lines of the log since the last look, without their time."""
        text = self.gateway.log()
        for line in text[self.seen:].splitlines():
            if re.search(pattern, line):
                print("log: " + " ".join(line.split(" ")[2:]))
        self.seen = len(text)
        print(flush=True)

    def up(self, name):
        self.gateway.cli("conn", "up", f"demo/{name}")

    def ping(self, number, count=10):
        return traffic.ping(hosts.GW, hosts.inner(1, number), hosts.inner(2, number), count=count, wait=3)

    # ---------------------------------------------------------------------------------------- the questions

    def algorithms(self):
        self.section("algorithms")
        self.espgate("offload", "probe", "dev", "simnic0")

    def offered(self):
        self.section("offered")
        # It begins some seconds after the start, and tries ten SAs a second.
        wait_for("the daemon's own probe", lambda: "unknown" not in self.gateway.cli("offload", "show").stdout, 120, 2)
        self.espgate("offload", "show")

    def unsupported(self):
        self.section("unsupported")
        self.espgate("conn", "up", "demo/old")
        self.log("wanted offload")
        self.ping(2)
        self.espgate("sa", "show", "name", "demo/old")

    def strict(self):
        self.section("strict")
        self.espgate("conn", "up", "demo/strict")

    def authentication_header(self):
        self.section("ah")
        self.espgate("conn", "up", "demo/header")
        self.log("wanted offload")

    def policies(self):
        self.section("policies")
        self.espgate("policy", "show")

    def capacity(self):
        """Room for one pair: the first child has it."""
        self.section("capacity")
        self.up("fast")
        lib("simnic_knob", "simnic0", "slots", "tx=1 rx=1")
        self.log("nothing")
        self.espgate("conn", "up", "demo/third")
        self.log("third.*wanted offload")
        self.ping(1)
        self.ping(6)
        self.espgate("sa", "show")
        lib("simnic_knob", "simnic0", "slots", "tx=1024 rx=1024")

    def one_side(self):
        self.section("one-side")
        print(f"{self.ping(1, 100)} of 100 pings answered\n")
        self.espgate("sa", "show", "name", "demo/fast")
        held = [spi for spi, sa in counters.kernel_sas(hosts.PEER).items() if sa["offload"]]
        print(f"SAs that the peer's NIC holds: {len(held)}\n", flush=True)

    def crash(self):
        self.section("crash")
        print("$ kill -9 $(pidof espgated)")
        self.gateway.stop(signal.SIGKILL)
        print(f"{self.ping(1)} of 10 pings answered\n")
        self.espgate("sa", "show", "name", "demo/fast")
        print("$ systemctl start espgated")
        self.gateway.start()
        self.log("former")
        self.espgate("conn", "up", "demo/fast")
        print(f"{self.ping(1)} of 10 pings answered\n")

    def flap(self):
        self.section("flap")
        self.log("nothing")
        routes = [line for line in ns(hosts.GW, "ip", "route", "show", "dev", "simnic0").stdout.splitlines() if " proto kernel" not in line]
        before = self.gateway.children()["demo/fast"]["out"]["spi"]
        print("$ ip link set simnic0 down; ip link set simnic0 up")
        run("ip", "-n", hosts.GW, "link", "set", "simnic0", "down")
        time.sleep(0.3)
        run("ip", "-n", hosts.GW, "-batch", "-", stdin="link set simnic0 up\n" + "".join(
            f"route replace {line.strip()} dev simnic0\n" for line in routes))
        wait_for("new SAs", lambda: self.gateway.children()["demo/fast"]["out"]["spi"] != before)
        time.sleep(1)
        self.log("simnic0|demo/fast")
        print(f"{self.ping(1)} of 10 pings answered\n")

    # Last: the peer is not there any more.
    def away(self):
        self.section("away")
        self.peer.stop()
        self.gateway.cli("conn", "down", "demo", "--force", ok=False)
        self.espgate("conn", "up", "demo/fast", "--timeout", "3")
        self.espgate("conn", "show", "name", "demo/fast")


def main():
    os.environ["COLUMNS"] = str(WIDTH)
    with tempfile.TemporaryDirectory() as directory:
        hosts.build()
        show = Show(directory)
        try:
            for part in (show.algorithms, show.offered, show.unsupported, show.strict, show.authentication_header, show.policies,
                         show.capacity, show.one_side, show.flap, show.crash, show.away):
                part()
        except Failed as failure:
            print(f"FAILED: {failure}\n{show.gateway.log()[-4000:]}")
            return 1
        finally:
            show.gateway.stop()
            hosts.destroy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
