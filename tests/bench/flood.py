#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who gets through a flood: a client sets 1,000 SAs up while one core sends IKE_SA_INIT from spoofed sources, a tenth of them
of the client's own /24; with espgate's shield, without it, and with strongSwan's charon in the same place.

Natively, in namespaces of its own, with `--kernel null`. Usage: tests/bench/flood.py build/release/bin; takes about ten minutes.
ESPGATE_FLOOD="sas=100 within=30 alone=3 fragmented=20 only=shield" says otherwise. Prints rows as JSON, then the table that
docs/shield.md has.
"""
import json
import os
import pathlib
import shutil
import signal
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1] / "native"))
from common import Failed, Node, main, programs, run  # noqa: E402
from scenario.daemon import Charon  # noqa: E402
from shield_scene import CLIENT, GATE, GATE_CONF, ROOT, Gate, client_conf, cpu_seconds, finish_flood, gate_conf, set_up  # noqa: E402
from shield_scene import start_flood, wire  # noqa: E402

HOW = {"sas": 1000, "within": 120, "alone": 10, "fragmented": 0, "workers": 4, "pause": 35, "only": ""}
FLOOD_CORE, OTHER_CORE = 0, 1


def settings():
    out = dict(HOW)
    for word in os.environ.get("ESPGATE_FLOOD", "").split():
        key, _, value = word.partition("=")
        out[key] = value if key == "only" else int(value)
    return out


def pin(pid):
    """All threads away from the flood's core."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {OTHER_CORE})


class EspgateGate:
    def __init__(self, directory, shield):
        self.node = Gate(directory).start(gate_conf(shield))
        self.pid = self.node.process.pid

    def notes(self):
        return {"shield": self.node.shield()[1], "ike_verdicts": self.node.verdicts()}

    def stop(self):
        self.node.stop_cleanly()


class CharonGate:
    """charon as Debian builds it, unpacked by tools/lib/peers.sh and laid over /usr in this mount namespace. This kernel may have no
    ESP: then its children fail after IKE_AUTH, and the IKE SA is what counts."""
    def __init__(self, directory):
        scripts = " ".join(f". {ROOT}/tools/lib/{name}.sh;" for name in ("debian", "cache", "peers"))
        layer = run("bash", "-c", f"{scripts} peers_layer", timeout=600).stdout.strip()
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={layer}/usr:/usr", "/usr")
        if shutil.which("charon-systemd") is None:
            raise Failed(f"no charon-systemd in {layer}")
        self.charon = Charon(directory / "charon", GATE)
        self.charon.start(GATE_CONF)
        self.pid = int((self.charon.directory / "pid").read_text())

    def notes(self):
        return {}

    def stop(self):
        os.kill(self.pid, signal.SIGKILL)  # its peers are gone, and it would go on telling them
        run("umount", "--lazy", "/usr")


def got_through(peer, how):
    """Sets them up. A child that the gateway's kernel refused after IKE_AUTH counts: charon may have no ESP here."""
    return set_up(peer, how["sas"], workers=how["workers"], within=how["within"],
                  enough=lambda said: "IKE_AUTH: the peer refused child" in said)


def measure(directory, name, make_gate, how):
    """One row: without the flood, the flood alone, both."""
    wire(directory)
    row = {"gate": name, "sas": how["sas"], "fragmented_percent": how["fragmented"]}
    gate = make_gate(directory)
    pin(gate.pid)
    peer = Node(directory / "before", CLIENT).start(client_conf(how["sas"]))
    pin(peer.process.pid)
    cpu, began = cpu_seconds(gate.pid), time.monotonic()
    took, failures = got_through(peer, how)
    row["calm"] = {"up": len(took), "seconds": round(time.monotonic() - began, 2), "failures": failures,
                   "cpu_s": round(cpu_seconds(gate.pid) - cpu, 2)}
    row["calm"]["median_s"] = round(statistics.median(took), 4) if took else None
    peer.stop_cleanly()

    cpu = cpu_seconds(gate.pid)
    sent = finish_flood(start_flood(programs(), seconds=how["alone"], fragmented=how["fragmented"], core=FLOOD_CORE))
    row["alone"] = {"requests_per_s": round(sent["requests"] / sent["seconds"]),
                    "cpu_percent": round(100 * (cpu_seconds(gate.pid) - cpu) / sent["seconds"], 1)}
    time.sleep(how["pause"])  # what the flood left half open has gone by then

    peer = Node(directory / "during", CLIENT).start(client_conf(how["sas"]))
    pin(peer.process.pid)
    flood = start_flood(programs(), seconds=how["within"] + 60, fragmented=how["fragmented"], core=FLOOD_CORE)
    time.sleep(2)
    cpu, began = cpu_seconds(gate.pid), time.monotonic()
    took, failures = got_through(peer, how)
    seconds, spent = time.monotonic() - began, cpu_seconds(gate.pid) - cpu
    sent = finish_flood(flood, now=True)
    up = len(took)
    per_sa = row["calm"]["cpu_s"] / max(row["calm"]["up"], 1)
    row["flooded"] = {"up": up, "percent": round(100 * up / how["sas"], 1), "seconds": round(seconds, 2),
                      "failures": failures, "requests_per_s": round(sent["requests"] / sent["seconds"]),
                      "cpu_s": round(spent, 2), "cpu_percent": round(100 * spent / seconds, 1),
                      "cpu_percent_of_the_flood": round(max(100 * (spent - per_sa * up) / seconds, 0), 1)}
    if took:
        ordered = sorted(took)
        row["flooded"]["median_s"] = round(statistics.median(ordered), 4)
        row["flooded"]["p99_s"] = round(ordered[int(0.99 * (len(ordered) - 1))], 3)
    row["notes"] = gate.notes()
    peer.stop(seconds=60)
    gate.stop()
    return row


def table(rows):
    """A CPU per cent is of one core. "Begun": each try waits 30 s, four at a time, so that in vain few can be made."""
    yield ("| gateway | IKE_SA_INIT a second | of them in fragments | SAs up, of those begun | in | a set-up, median, 99 % | daemon's CPU, flood alone | "
           "flood's part during the set-up |")
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        calm, alone, flooded = row["calm"], row["alone"], row["flooded"]
        yield f"| {row['gate']} | 0 | - | {ups(calm)} | {calm['seconds']:.1f} s | {1000 * (calm['median_s'] or 0):.1f} ms | - | - |"
        spread = f"{1000 * flooded['median_s']:.1f} ms, {flooded['p99_s']:.2f} s" if "median_s" in flooded else "-"
        yield (f"| {row['gate']} | {flooded['requests_per_s']:,} | {row['fragmented_percent']} % | {ups(flooded)} | {flooded['seconds']:.1f} s | "
               f"{spread} | {alone['cpu_percent']} % | {flooded['cpu_percent_of_the_flood']} % |")


def ups(part):
    return f"{part['up']} of {part['up'] + sum(part['failures'].values())}"


def flood(directory):
    how = settings()
    gates = {"shield": ("espgate, shield native", lambda at: EspgateGate(at, {"mode": "native"})),
             "bare": ("espgate, shield off", lambda at: EspgateGate(at, None)),
             "charon": ("charon", CharonGate)}
    os.sched_setaffinity(0, {OTHER_CORE})
    rows = []
    for key, (name, make_gate) in gates.items():
        if how["only"] not in ("", key):
            continue
        (directory / key).mkdir()
        rows.append(measure(directory / key, name, make_gate, how))
        print(json.dumps(rows[-1]), flush=True)
        for each in ("bridge", CLIENT, GATE, "wire"):
            run("ip", "netns", "del", each)
    print("\n".join(table(rows)), flush=True)


if __name__ == "__main__":
    main(flood)
