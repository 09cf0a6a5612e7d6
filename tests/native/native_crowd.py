#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A gateway and a crowd of peers (one espgated with as many connections, each from an address of its own) that come at
once, go at once, come back, stand still, and are told of a stop or not. ESPGATE_CROWD says how many: 300 by default,
10,000 in the soak."""
import json
import os
import pathlib
import signal
import time

from common import LEFT, PATIENCE, PROPOSAL, RIGHT, Node, expect, lan, main, memory_is_measured, ns, run, wait_for

PEERS = int(os.environ.get("ESPGATE_CROWD", 300))
LONG = PATIENCE + PEERS // 4  # seconds, for what takes the longer the more there are
STILL = 60 if "ESPGATE_CROWD" in os.environ else 12  # seconds without a sign of life
HUB = "192.0.2.1"
# The more there are, the longer the last of them waits for its turn.
TRIES = 3 if PEERS <= 2000 else 6
TIMES = f"gateway {{\n  retransmit_timeout = 1\n  retransmit_tries = {TRIES}\n  retransmit_base = 1.5\n  max_sas = %d\n%s}}\n"


def address(number):
    return f"10.9.{number >> 8}.{number & 255}"


def inner(number):
    return f"10.20.{number >> 8}.{number & 255}/32"


def hub_config(extra=""):
    """One connection for all: the address is the identity."""
    return TIMES % (6 * PEERS + 1000, "  cookie_threshold = 0\n  half_open_limit = 100000\n" + extra) + f"""connections {{
  crowd {{
    local_addrs = {HUB}
    remote_addrs = %any
    proposals = {PROPOSAL}
    unique = replace
    dpd_delay = 4s
    local {{
      auth = psk
      id = hub.example.org
    }}
    remote {{
      auth = psk
    }}
    children {{
      net {{
        local_ts = 10.30.0.0/16
        remote_ts = 10.20.0.0/16
        esp_proposals = aes128gcm16
      }}
    }}
  }}
}}
secrets {{
  ike-all {{
    secret = "one for the crowd"
  }}
}}
"""


def crowd_config():
    conns = "".join(f"""  peer-{number} {{
    local_addrs = {address(number)}
    remote_addrs = {HUB}
    proposals = {PROPOSAL}
    dpd_delay = 4s
    local {{
      auth = psk
      id = {address(number)}
    }}
    remote {{
      auth = psk
      id = hub.example.org
    }}
    children {{
      net {{
        local_ts = {inner(number)}
        remote_ts = 10.30.0.0/16
        esp_proposals = aes128gcm16
        start_action = start
        close_action = start
        dpd_action = start
      }}
    }}
  }}
""" for number in range(PEERS))
    return TIMES % (6 * PEERS + 1000, "") + f"""connections {{
{conns}}}
secrets {{
  ike-all {{
    secret = "one for the crowd"
  }}
}}
"""


def sas(node):
    """How many IKE SAs it has, and how many children; None: it is too busy to say."""
    time.sleep(PEERS / 2000)  # thousands of rows are work, too
    shown = [node.cli("-j", what, "show", ok=False, timeout=LONG) for what in ("ike", "sa")]
    return tuple(len(json.loads(done.stdout)) if done.returncode == 0 else None for done in shown)


def both(directory, extra=""):
    memory_is_measured()
    lan(LEFT, RIGHT)
    ns(RIGHT, "ip", "route", "add", "local", "10.9.0.0/16", "dev", "lo")
    ns(LEFT, "ip", "route", "add", "10.9.0.0/16", "via", "192.0.2.2")
    hub, crowd = Node(directory, LEFT), Node(directory, RIGHT)
    for node in (hub, crowd):
        node.patience = LONG
    return hub.start(hub_config(extra)), crowd


def all_up(what, hub, crowd):
    wait_for(f"{what}: {PEERS} tunnels at the hub", lambda: sas(hub) == (PEERS, PEERS), LONG)
    wait_for(f"{what}: {PEERS} tunnels at the peers", lambda: sas(crowd) == (PEERS, PEERS), LONG)


def cpu_seconds(node):
    fields = pathlib.Path(f"/proc/{node.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def at_rest(what, hub):
    """Once all is settled next to nothing is done: liveness checks of each peer, and that is it."""
    time.sleep(2)
    before, began = cpu_seconds(hub), time.monotonic()
    time.sleep(5)
    share = (cpu_seconds(hub) - before) / (time.monotonic() - began)
    print(f"  {what}: {share:.1%} of a CPU at rest", flush=True)
    expect(f"{what}: it is at rest", share < 0.05 + PEERS * 0.0001, share)


def gone_and_back(directory):
    """All come at once; all die at once (kill -9) and come back at once, and again; all stay away. What the hub needs
    of memory for it does not grow from one time to the next."""
    hub, crowd = both(directory)
    crowd.start(crowd_config(), wait=False)
    all_up("at once", hub, crowd)
    at_rest("all up", hub)
    sizes = []
    for number in range(3):
        crowd.process.kill()
        crowd.process.wait()
        crowd.socket.unlink(missing_ok=True)
        crowd.start(wait=False)
        crowd.wait_up()
        all_up(f"back {number + 1}", hub, crowd)
        sizes.append(hub.rss_kb())
    print(f"  RSS of the hub: {sizes} kB", flush=True)
    expect("memory is bounded", sizes[2] < sizes[0] * 1.1 + 4096, sizes)
    mark = len(hub.log())
    crowd.process.kill()
    crowd.process.wait()
    began = time.monotonic()
    wait_for("the hub to give them up", lambda: sas(hub) == (0, 0), LONG)
    wall = time.monotonic() - began
    at_rest("all gone", hub)
    said = [line for line in hub.log()[mark:].splitlines() if " warning " in line or " error " in line]
    print(f"  given up after {wall:.0f} s; {len(said)} warnings, such as: {said[0] if said else ''}", flush=True)
    expect("no error among them", not [line for line in said if " error " in line], *said[:5])
    crowd.socket.unlink(missing_ok=True)
    crowd.start(wait=False)
    all_up("back at last", hub, crowd)
    for node in (crowd, hub):
        node.stop_cleanly()


def stands_still(directory):
    """The hub does nothing for a minute (SIGSTOP) and goes on: in the end both sides hold the same SAs, and no others."""
    hub, crowd = both(directory)
    crowd.start(crowd_config(), wait=False)
    all_up("at once", hub, crowd)
    os.kill(hub.process.pid, signal.SIGSTOP)
    time.sleep(STILL)
    os.kill(hub.process.pid, signal.SIGCONT)

    def agree():
        if sas(hub) != (PEERS, PEERS) or sas(crowd) != (PEERS, PEERS):
            return False
        ours = {(row["in"]["spi"], row["out"]["spi"]) for row in hub.json("sa", "show", timeout=LONG)}
        theirs = {(row["out"]["spi"], row["in"]["spi"]) for row in crowd.json("sa", "show", timeout=LONG)}
        return ours == theirs
    wait_for("both to agree", agree, LONG)
    for node in (crowd, hub):
        node.stop_cleanly()


def told_of_a_stop(directory):
    """SIGTERM while all of them are on their way up: told with on_stop = close, not told with keep; clean either way."""
    for how in ("close", "keep"):
        place = directory / how
        place.mkdir()
        hub, crowd = both(place, f"  on_stop = {how}\n")
        crowd.start(crowd_config(), wait=False)
        wait_for("some to be up", lambda: hub.log().count("child SA up") >= PEERS // 10, LONG)
        os.kill(hub.process.pid, signal.SIGTERM)
        wait_for("its end", lambda: hub.process.poll() is not None, LONG)
        expect(f"{how}: status 0", hub.process.returncode == 0, hub.process.returncode, hub.log()[-2000:])
        hub.expect_sane()
        told = crowd.log().count("the peer deleted the IKE SA")
        expect(f"{how}: peers are told, or not", (told > 0) == (how == "close"), told, crowd.log()[-3000:])
        crowd.process.kill()
        crowd.process.wait()
        for name in ("bridge", LEFT, RIGHT):
            run("ip", "netns", "del", name)


if __name__ == "__main__":
    main(gone_and_back, stands_still, told_of_a_stop)
