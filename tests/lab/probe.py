#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`espgate offload probe` on the emulated NIC with its knobs, on netdevsim, on veth, and on what stands upon devices; what
it leaves behind, killed or not; how long it takes (told, not judged: an emulated machine shared with others).

Usage, in the lab: probe.py
"""
import json
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from scenario.offload_probe import ESPGATE, probe, reasons, results as outcomes, sa_count, select, shape, tally
from scenario.results import Results
from scenario.sa_monitor import Monitor
from scenario.shell import Failed, lib, run, wait_for

GCM = ("aes128gcm16", "aes256gcm16")
OTHERS = ("aes128gcm12", "aes128gcm8", "aes128-sha256", "aes256-sha256", "chacha20poly1305")
RUNS = 7
KILLS = 20


def knob(name, value):
    lib("simnic_knob", "simnic0", name, value)


def simnic(r):
    r.section("the emulated NIC")
    plan = probe("simnic0", "--plan")
    r.equal("--plan tries nothing", outcomes(plan), [None])
    rows = probe("simnic0")
    r.equal("as many rows as --plan, in its order", shape(rows) == shape(plan), True)
    r.equal("GCM in crypto mode, outside UDP: every shape is taken",
            outcomes(select(rows, suite=GCM, mode="crypto", encap=False)), ["taken"])
    r.equal("in UDP", reasons(select(rows, mode="crypto", encap=True)), ["Encapsulated xfrm states cannot be offloaded"])
    r.equal("packet mode", reasons(select(rows, mode="packet")), ["Packet offload mode is not supported"])
    r.equal("CBC with HMAC", reasons(select(rows, suite=("aes128-sha256", "aes256-sha256"), mode="crypto")),
            ["Cannot offload authenticated xfrm states"])
    r.equal("short ICVs", reasons(select(rows, suite=("aes128gcm12", "aes128gcm8"), mode="crypto")),
            ["Cannot offload xfrm states with ICV length other than 128bit"])
    r.equal("ChaCha20-Poly1305", reasons(select(rows, suite="chacha20poly1305", mode="crypto")),
            ["Only AES-GCM xfrm states can be offloaded"])
    r.equal("errno of every refusal", sorted({row["errno"] for row in select(rows, result="refused")}), ["EINVAL"])
    print(run(ESPGATE, "offload", "probe", "dev", "simnic0").stdout, flush=True)


def simnic_knobs(r):
    r.section("its knobs")
    cells = [("suites", "aes128gcm16", "aes128gcm16 aes256gcm16", {"suite": "aes256gcm16", "mode": "crypto"},
              "Cannot offload xfrm states with key length other than 128bit"),
             ("suites", "none", "aes128gcm16 aes256gcm16", {"suite": GCM, "mode": "crypto", "encap": False},
              "Cipher suite is disabled on this device"),
             ("esn", "0", "1", {"suite": GCM, "mode": "crypto", "esn": True},
              "Device doesn't support offload with ESN"),
             ("modes", "none", "crypto", {"mode": "crypto"}, "Crypto offload mode is not supported"),
             ("slots", "tx=1024 rx=0", "1024", {"suite": GCM, "mode": "crypto", "dir": "in", "encap": False},
              "No space for SA in Rx table!")]
    for name, value, default, wanted, words in cells:
        knob(name, value)
        rows = probe("simnic0")
        r.equal(f"{name} = {value}: refused so", reasons(select(rows, **wanted)), [words])
        rest = [row for row in select(rows, suite=GCM, mode="crypto", encap=False) if row not in select(rows, **wanted)]
        r.equal(f"{name} = {value}: the others", outcomes(rest), ["taken"] if rest else [])
        knob(name, default)
    usual = tally(probe("simnic0"))
    knob("slots", "1")
    r.equal("one slot is enough", tally(probe("simnic0")), usual)
    knob("slots", "1024")
    knob("fault", "accept_silent")
    r.equal("a driver that says EOPNOTSUPP", outcomes(select(probe("simnic0"), suite=GCM, mode="crypto", encap=False)),
            ["silent-software"])
    knob("fault", "none")


def nothing_left(r):
    r.section("nothing is left behind")
    with Monitor() as seen:
        rows = probe("simnic0")
    taken = len(select(rows, result="taken"))
    r.equal("SAs in hardware that others were told of", sum(sa.offloaded for sa in seen.added), taken)
    r.equal("their hard limits, in seconds", sorted({sa.hard for sa in seen.added if sa.offloaded}), [5])
    r.holds("every other SA goes by itself as soon", all(1 <= sa.hard <= 5 for sa in seen.added))
    r.equal("each between documentation addresses",
            [sa.source for sa in seen.added if not sa.source.startswith(("192.0.2.", "198.51.100.", "2001:db8:"))], [])
    r.equal("each was deleted", sorted(seen.deleted), sorted(sa.spi for sa in seen.added))
    r.equal("SAs", sa_count(), 0)
    r.equal("policies", run("ip", "xfrm", "policy").stdout, "")
    wait_for("the NIC to have let go", lambda: pathlib.Path("/sys/kernel/debug/simnic/simnic0/sas").read_text() == "")


def killed(r, device):
    r.section(f"killed at {KILLS} random points, on {device}")
    usual = statistics.median(walls_of(3, "-j", "offload", "probe", "dev", device))
    at_once, late, cut_short, tries = 0, 0, 0, 0
    while cut_short < KILLS and tries < 4 * KILLS:
        tries += 1
        process = subprocess.Popen([ESPGATE, "-j", "offload", "probe", "dev", device], stdout=subprocess.DEVNULL)
        wait = random.uniform(0.1, 1) * usual
        time.sleep(wait)
        process.send_signal((signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM)[tries % 4])
        if process.wait() == 0:  # it was done before; how long it takes depends on what else the machine does
            usual = max(0.1, min(usual, wait))
            continue
        cut_short += 1
        end = time.monotonic() + 6
        if sa_count() == 0:
            at_once += 1
            continue
        while time.monotonic() < end and sa_count():
            time.sleep(0.5)
        late += sa_count() != 0
    r.equal("SAs left after 6 s", late, 0)
    r.equal("runs that were really cut short", cut_short, KILLS)
    print(f"  no SA there at once in {at_once} of {KILLS}", flush=True)


def walls_of(runs, *words):
    """Seconds that the command took, each time."""
    out = []
    for _ in range(runs):
        begun = time.monotonic()
        run(ESPGATE, *words)
        out.append(time.monotonic() - begun)
    return out


def timed(r, device):
    r.section(f"time, on {device}")
    inside = [int(re.search(r"(?m)^took (\d+) ms$", run(ESPGATE, "offload", "probe", "dev", device).stdout)[1])
              for _ in range(RUNS)]
    command = statistics.median(walls_of(RUNS, "-j", "offload", "probe", "dev", device))
    bare = statistics.median(walls_of(RUNS, "--version"))
    print(f"  medians of {RUNS}: the probe itself {statistics.median(inside)} ms ({min(inside)} to {max(inside)}); the "
          f"command {1000 * command:.0f} ms, of which a bare --version takes {1000 * bare:.0f}", flush=True)


def netdevsim(r):
    r.section("netdevsim")
    run("modprobe", "netdevsim")
    pathlib.Path("/sys/bus/netdevsim/new_device").write_text("7 1", encoding="ascii")
    device = next(pathlib.Path("/sys/bus/netdevsim/devices/netdevsim7/net").iterdir()).name
    rows = probe(device)
    r.equal("as many rows as --plan", len(rows), len(probe(device, "--plan")))
    r.equal("GCM in crypto mode, also the 256-bit keys that it does not know",
            outcomes(select(rows, suite=GCM, mode="crypto", esn=False)), ["taken"])
    r.equal("ESN", reasons(select(rows, suite=GCM, mode="crypto", esn=True)),
            ["Device doesn't support offload with ESN"])
    r.equal("packet mode is refused", outcomes(select(rows, mode="packet")), ["refused"])
    for suite, words in (("aes128-sha256", "Unsupported IPsec algorithm"),
                         ("aes128gcm12", "IPsec offload requires 128 bit authentication"),
                         ("chacha20poly1305", "please use rfc4106(gcm(aes))")):
        said = reasons(select(rows, suite=suite, mode="crypto"))
        r.holds(f"{suite}: netlink's words, and what only the kernel's log says",
                len(said) == 1 and "Failed to get key data for SA table; kernel log: " in said[0] and words in said[0],
                said)
    r.equal("SAs left", sa_count(), 0)
    print(run(ESPGATE, "offload", "probe", "dev", device).stdout, flush=True)
    return device


def veth(r):
    r.section("veth, without offload")
    run("ip", "link", "add", "veth-a", "type", "veth", "peer", "name", "veth-b")
    rows = probe("veth-a")
    r.equal("crypto mode is silently software", outcomes(select(rows, mode="crypto")), ["silent-software"])
    r.equal("packet mode is refused", outcomes(select(rows, mode="packet")), ["refused"])
    r.equal("SAs left", sa_count(), 0)


def stacked(r, other):
    r.section("what stands upon devices")
    single = len(probe("simnic0", "--plan"))
    run("ip", "link", "add", "bond0", "type", "bond", "mode", "active-backup", "fail_over_mac", "active")
    for member in ("simnic0", "simnic1"):
        run("ip", "link", "set", member, "down")
        run("ip", "link", "set", member, "master", "bond0")
    run("ip", "link", "add", "link", "bond0", "name", "vlan9", "type", "vlan", "id", "9")
    run("ip", "link", "add", "br0", "type", "bridge")
    run("ip", "link", "set", "vlan9", "master", "br0")
    for device in ("bond0", "vlan9", "br0"):
        rows = probe(device)
        r.equal(f"{device}: rows of each NIC", [len(select(rows, dev=nic)) for nic in ("simnic0", "simnic1")],
                [single, single])
    r.holds("members agree", "disagree" not in run(ESPGATE, "offload", "probe", "dev", "bond0").stdout)
    knob("suites", "aes128gcm16")
    said = run(ESPGATE, "offload", "probe", "dev", "bond0").stdout
    r.holds("members that disagree are named", "simnic0, simnic1 disagree on" in said,
            next((line for line in said.splitlines() if "disagree" in line), said))
    done = run(ESPGATE, "-j", "offload", "probe", "dev", "bond0")
    r.holds("and in JSON mode on stderr", "disagree on" in done.stderr)
    knob("suites", "aes128gcm16 aes256gcm16")
    r.equal("a VLAN on a foreign NIC", sorted({row["dev"] for row in vlan_on(other)}), [other])


def vlan_on(device):
    run("ip", "link", "add", "link", device, "name", "vlan7", "type", "vlan", "id", "7")
    return probe("vlan7", "--plan")


def refused(r):
    r.section("errors")
    done = run(ESPGATE, "-j", "offload", "probe", "dev", "nosuch", ok=False)
    r.equal("no such device", (done.returncode, json.loads(done.stdout)["error"]["code"]), (2, "no-device"))
    bare = ("setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all")
    done = run(*bare, ESPGATE, "-j", "offload", "probe", "dev", "simnic0", ok=False)
    r.equal("no rights", (done.returncode, json.loads(done.stdout)["error"]["code"]), (2, "no-permission"))
    done = run(*bare, ESPGATE, "-j", "offload", "probe", "dev", "simnic0", "--plan", ok=False)
    r.equal("a plan needs none", done.returncode, 0)


def reported(r, other):
    r.section("report")
    report = json.loads(run(ESPGATE, "offload", "report").stdout)
    kernel = run("uname", "-r").stdout.strip()
    r.equal("kernel", report["kernel"]["release"], kernel)
    drivers = {each["dev"]: each["driver"] for each in report["devices"]}
    r.equal("the devices that have the feature", {dev: drivers.get(dev) for dev in ("simnic0", "simnic1", other)},
            {"simnic0": "simnic", "simnic1": "simnic", other: "netdevsim"})
    r.equal("their rows", sorted({len(each["probe"]) for each in report["devices"]}), [len(probe("simnic0", "--plan"))])


def main():
    r = Results("probe")
    try:
        lib("simnic_load", 1)
        run("ip", "link", "set", "simnic0", "up")
        begun = time.monotonic()
        probe("simnic0")  # the kernel loads what it needs of ESP and ciphers
        print(f"first run: {1000 * (time.monotonic() - begun):.0f} ms", flush=True)
        simnic(r)
        simnic_knobs(r)
        nothing_left(r)
        timed(r, "simnic0")
        killed(r, "simnic0")
        other = netdevsim(r)
        timed(r, other)
        killed(r, other)
        veth(r)
        stacked(r, other)
        refused(r)
        reported(r, other)
    except Failed as failure:
        r.holds("the scenario runs to its end", False, str(failure))
    return r.finish()


if __name__ == "__main__":
    sys.exit(main())
