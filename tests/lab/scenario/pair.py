# SPDX-License-Identifier: Apache-2.0
"""espgated at gw and charon at peer, driven by role: who initiates, who closes, and what is seen on both sides."""
import re

from . import daemon, hosts, states
from .connections import render
from .shell import Failed, wait_for


class Pair:
    def __init__(self, directory):
        self.gateway = daemon.Gateway(f"{directory}/gw")
        self.charon = daemon.Charon(f"{directory}/peer")
        self.directory = directory

    def start(self, ours, theirs):
        self.charon.start(render(theirs, 2))
        self.gateway.start(render(ours, 1))
        return self

    def up(self, role, conn, child="net"):
        """Asks for one child; returns (done, what was said)."""
        if role == "initiator":
            done = self.gateway.cli("conn", "up", f"{conn}/{child}", ok=False)
        else:
            done = self.charon.ctl("--initiate", "--ike", conn, "--child", child, "--timeout", "60", ok=False)
        return done.returncode == 0, (done.stdout + done.stderr).strip()

    def down(self, role, conn, child=None):
        """Closes the IKE SA, or one child, from the initiator's side."""
        if role == "initiator":
            done = self.gateway.cli("conn", "down", f"{conn}/{child}" if child else conn, ok=False)
        else:
            what = ("--child", child) if child else ()
            done = self.charon.ctl("--terminate", "--ike", conn, *what, "--timeout", "30", ok=False)
        return done.returncode == 0, (done.stdout + done.stderr).strip()

    def child(self, conn, child="net"):
        return self.gateway.children()[f"{conn}/{child}"]

    def ikes(self, conn):
        return [row for row in self.gateway.json("ike", "show") if row["conn"] == conn]

    def peer_ikes(self, conn):
        """[unique id of each of charon's IKE SAs of that connection that is up]"""
        text = self.charon.ctl("--list-sas", "--ike", conn).stdout
        return re.findall(rf"(?m)^{re.escape(conn)}: #(\d+), ESTABLISHED", text)

    def peer_suite(self, conn):
        """charon's words for the IKE suite in use."""
        text = self.charon.ctl("--list-sas", "--ike", conn).stdout
        found = re.search(r"(?m)^\s+(\S+/\S+)\s*$", text)
        return found.group(1) if found else text

    def status(self, conn, child="net"):
        """A row of `conn show`."""
        rows = self.gateway.json("conn", "show", "name", f"{conn}/{child}")
        return rows[0] if rows else {}

    def wait_clean(self, seconds=15.0):
        """Until neither namespace holds an ESP SA; returns how many are left in (gw, peer) at the end."""
        left = None

        def gone():
            nonlocal left
            left = len(states.states(hosts.GW)), len(states.states(hosts.PEER))
            return left == (0, 0)
        try:
            wait_for("the SAs to go", gone, seconds)
        except Failed:
            pass
        return left

    def clear(self, conns):
        """After a cell that failed: closes whatever is left by force, so that the next one begins clean."""
        for conn in conns:
            self.gateway.cli("conn", "down", conn, ok=False)
            self.charon.ctl("--terminate", "--ike", conn, "--force", "--timeout", "5", ok=False)
        self.wait_clean()

    def errors(self):
        """What the stacks of both sides have counted so far: xfrm_stat. Read without a process."""
        pids = {hosts.GW: self.gateway.process.pid, hosts.PEER: int((self.charon.directory / "pid").read_text())}
        out = {}
        for name, pid in pids.items():
            with open(f"/proc/{pid}/net/xfrm_stat", encoding="ascii") as lines:
                out[name] = {key: int(value) for key, value in (line.split() for line in lines)}
        return out


def grown(before, after):
    """Counters that went up in between: {"gw XfrmInNoStates": 1}."""
    return {f"{name} {key}": value - before[name][key]
            for name in after for key, value in after[name].items() if value != before[name][key]}
