#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every key that the peer and the kernel tell of is searched for in all that espgated and espgate say, at the highest log
level, and in what a core dump would have; and espgated is as confined with a real kernel as it has to be.

tools/lab run --out DIR -- python3 tests/lab/gateway_secrets.py; rows in DIR/secrets.json. The peer is strongSwan, whose log
at its highest level has SK_* and KEYMAT; the kernel's keys come from `ip xfrm state` of both ends.
"""
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "native"))
import memory  # noqa: E402
from demo import CBC, GCM, child, configs  # noqa: E402
from scenario import daemon, hosts  # noqa: E402
from scenario.exchange import Exchange  # noqa: E402
from scenario.results import run_scenario  # noqa: E402
from scenario.shell import ns  # noqa: E402

SECRET = "a secret of this scenario that is like no other 0815"
CHILDREN = {"hw": child(1, GCM, "auto"), "refused": child(2, CBC, "auto")}
SHOWS = [("sa", "show", "kernel"), ("ike", "show"), ("conn", "show"), ("policy", "show"), ("offload", "show"),
         ("stats", "show"), ("flow", "show"), ("shield", "show"), ("prog", "show"), ("map", "show"),
         ("export", "prometheus"), ("doctor",)]
CONF = """charon-systemd {{
  load = random nonce openssl pem pkcs1 pkcs8 x509 pubkey constraints kdf kernel-netlink socket-default vici
  plugins {{
    vici {{
      socket = unix://{0}/vici
    }}
  }}
  filelog {{
    log {{
      path = {0}/charon.log
      flush_line = yes
      default = 1
      ike = 4
      chd = 4
    }}
  }}
}}
swanctl {{
  load = random openssl pem pkcs1 pkcs8 x509 pubkey constraints
}}
"""


def peers_keys(log):
    """{name: octets} of the secret dumps in charon's log: "SK_d secret => 32 bytes @ 0x..." and the lines after it."""
    out = {}
    for found in re.finditer(r"\] ([^\n]*?) => (\d+) bytes @ \S+\n((?:[^\n]*\]\s+\d+: [0-9A-F ]+ {2}[^\n]*\n)+)", log):
        name, count, lines = found[1], int(found[2]), found[3]
        if not re.search(r"SK_|SKEYSEED|secret|key", name) or count < 16:
            continue
        octets = b"".join(bytes.fromhex("".join(re.match(r".*\]\s+\d+: ((?:[0-9A-F]{2} ?)+)", line)[1].split()))
                          for line in lines.splitlines())[:count]
        out[f"{name} {octets[:2].hex()}"] = octets
    return out


def kernels_keys():
    out = {}
    for name in (hosts.GW, hosts.PEER):
        for number in re.findall(r"\b0x([0-9a-f]{32,})\b", ns(name, "ip", "xfrm", "state").stdout):
            key = bytes.fromhex(number)
            out[f"ESP key {number[:4]}"] = key
            out[f"ESP key {number[:4]} without its salt"] = key[:-4] if len(key) % 8 else key
    return out


def everything_said(gateway):
    out = {f"espgate {' '.join(words)}": done.stdout + done.stderr
           for words in [(*form, *show) for show in SHOWS for form in ((), ("-j",))]
           for done in [gateway.cli(*words, ok=False)]}
    out["espgated's log"] = gateway.log()
    for file in ("cmdline", "environ", "status"):
        out[f"/proc/PID/{file}"] = pathlib.Path(f"/proc/{gateway.process.pid}/{file}").read_text()
    return {where: text.encode(errors="surrogateescape") for where, text in out.items()}


def search(results, when, gateway, keys):
    results.more(f"{when}: keys to look for", len(keys), 8)
    said = everything_said(gateway)
    results.more(f"{when}: octets said", sum(map(len, said.values())), 5000)
    found = [f"{name} in {where}" for where, text in said.items() for name, octets in keys.items()
             if memory.found_in(text, octets)]
    results.add(f"{when}: keys in what was said", [], found, not found)
    core = memory.dumped(gateway.process.pid)
    results.more(f"{when}: octets of a core dump", sum(map(len, core)), 1 << 20)
    found = [name for name, octets in keys.items() if any(octets in block for block in core)]
    results.add(f"{when}: keys in what a core dump has", [], found, not found)


def confined(results, gateway):
    kept = 1 << 12 | 1 << 38 | 1 << 39  # CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF
    for task in pathlib.Path(f"/proc/{gateway.process.pid}/task").iterdir():
        status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
        for which in ("CapPrm", "CapEff", "CapBnd"):
            results.equal(f"thread {status['Name']}: {which} beyond what is kept", int(status[which], 16) & ~kept, 0)
        results.equal(f"thread {status['Name']}: seccomp, no new privileges", (status["Seccomp"], status["NoNewPrivs"]),
                      ("2", "1"))


def scenario(directory, results):
    hosts.build()
    ours, theirs = configs(CHILDREN, secret=SECRET)
    home = pathlib.Path(directory) / "peer"
    home.mkdir()
    (home / "strongswan.conf").write_text(CONF.format(home))
    peer = daemon.Charon(home).start(theirs)
    gateway = daemon.Gateway(f"{directory}/gw", arguments=("--log-level", "trace"))
    keys = {"the shared secret": SECRET.encode()}
    try:
        gateway.start(ours)
        confined(results, gateway)
        with Exchange() as exchange:
            for name in CHILDREN:
                gateway.cli("conn", "up", f"demo/{name}")
            keys |= kernels_keys()
            exchange.carry(1, "ping=20x56")
            search(results, "up", gateway, keys | peers_keys(peer.log()))
            for what in ("demo/hw", "demo"):
                gateway.cli("conn", "rekey", what)
                time.sleep(2)  # the old generation goes
                keys |= kernels_keys()
            exchange.carry(1, "ping=20x56")
            exchange.carry(2, "ping=20x56")
            search(results, "rekeyed", gateway, keys | peers_keys(peer.log()))
        gateway.cli("conn", "down", "demo")
        results.equal("stopped", gateway.stop(), 0)
        log = gateway.log().encode(errors="surrogateescape")
        found = [name for name, octets in (keys | peers_keys(peer.log())).items() if memory.found_in(log, octets)]
        results.add("stopped: keys in the whole log", [], found, not found)
    finally:
        gateway.stop()
        peer.stop()
        hosts.destroy()


if __name__ == "__main__":
    sys.exit(run_scenario("secrets", scenario))
