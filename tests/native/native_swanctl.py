#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every command of stock swanctl, the same script for a pair of espgated and a pair of charon: the same exit status, the same
shape of output, but for what DIFFERENT lists, each with its reason. The kernel is null on one side, and strongSwan's own ESP in user
space on the other."""
import re
import signal
import subprocess
import time

import common
from common import Node, expect, lan, main, wait_for
from scenario.shell import run
from stock import charon, fetch_outside, lay_over, pki, pretty, swanctl

ADDRESSES = {"left": "192.0.2.1", "right": "192.0.2.2", "cleft": "192.0.2.11", "cright": "192.0.2.12"}
PAIRS = {"espgated": ("left", "right"), "charon": ("cleft", "cright")}
PROPOSAL = "aes128gcm16-prfsha256-x25519"

# What may differ, and why: the exit status, the lines.
DIFFERENT = {
    "--redirect --ike demo --gateway 192.0.2.9": ("status", "redirect is not supported: a clear no"),
    "--counters --name demo": ("status", "messages are counted for all connections together"),
    "--counters --reset --name demo": ("status", "likewise"),
    "--counters --all": ("lines", "likewise"),
    "--list-algs": ("lines", "the algorithms are what each has"),
    "--stats": ("lines", "espgate has neither plugins nor mallinfo; scheduled jobs are an engine's timers"),
    "--version --daemon": ("lines", "its name and version"),
}


def configuration(me, other):
    network = {"left": "10.1", "cleft": "10.1", "right": "10.2", "cright": "10.2"}
    return f"""connections {{
  demo {{
    version = 2
    local_addrs = {ADDRESSES[me]}
    remote_addrs = {ADDRESSES[other]}
    proposals = {PROPOSAL}
    encap = yes
    local {{
      auth = psk
      id = {me[-4:]}.example.org
    }}
    remote {{
      auth = psk
      id = {other[-4:]}.example.org
    }}
    children {{
      net {{
        local_ts = {network[me]}.0.0/24
        remote_ts = {network[other]}.0.0/24
        esp_proposals = aes128gcm16
      }}
      lan {{
        mode = pass
        local_ts = {network[me]}.0.0/24
        remote_ts = {network[me]}.0.0/24
        start_action = trap
      }}
    }}
  }}
}}
secrets {{
  ike-demo {{
    secret = "a secret of the test"
  }}
}}
authorities {{
  ours {{
    cacert = ca.pem
    crl_uris = http://crl.example.org/ca.crl
  }}
}}
pools {{
  p {{
    addrs = 10.9.0.0/24
    dns = 10.9.0.1
  }}
}}
"""


SCRIPT = [
    "--load-creds --noprompt", "--load-authorities", "--load-pools", "--load-conns", "--load-all --noprompt", "--load-all --clear --noprompt",
    "--load-conns --raw", "--list-conns", "--list-certs", "--list-certs --type x509 --flag ca", "--list-authorities",
    "--list-authorities --name ours", "--list-pools", "--list-pools --leases", "--list-pools --name p", "--list-pols",
    "--list-pols --pass", "--list-algs", "--list-sas", "--stats", "--counters", "--counters --name none", "--version --daemon",
    "--reload-settings", "--flush-certs", "--load-all --noprompt",
    "--initiate", "--initiate --child none", "--initiate --ike none --child net", "--terminate", "--terminate --ike none",
    "--terminate --child-id 99", "--rekey", "--rekey --ike none", "--redirect --ike demo",
    "--install --child none", "--uninstall --child none", "--install --child net", "--list-pols", "--uninstall --child net",
    "--uninstall --child net",
    "--initiate --child net --loglevel 0", "--list-sas", "--list-sas --ike none",
    "--rekey --child net", "SETTLE", "--list-sas", "--rekey --ike demo", "SETTLE", "--list-sas", "--counters --name demo", "--counters --all",
    "--counters --reset --name demo", "--counters --name demo", "--counters --reset --all",
    "--redirect --ike demo --gateway 192.0.2.9", "--terminate --child net", "--list-sas",
    "--initiate --child net --timeout 20", "--terminate --ike demo", "--list-sas", "--terminate --ike demo",
    "--initiate --child net --timeout 20", "--terminate --ike demo --force --timeout 5",
    "--list-conns --frobnicate", "--frobnicate",
]


def shape(text):
    """Lines without what no two runs have in common: numbers, SPIs, times; what a daemon says in words of its own."""
    out = []
    for line in text.splitlines():
        if line.startswith("[") or not line.strip():
            continue  # control-log: what each does on the way
        line = re.sub(r"^([\w-]+) failed: .*", r"\1 failed: ...", line)
        line = re.sub(r"c?(left|right)", r"\1", line)
        line = re.sub(r"[0-9a-f]{16}_[ir]\*?", "SPI", line)
        line = re.sub(r"\b[0-9a-f]{8}\b", "SPI", line)
        line = re.sub(r"[0-9]+(?=[^\w]|s\b|$)", "9", line)
        line = re.sub(r" +", " ", line)
        out.append(line)
    return out


class Pair:
    """Two daemons of one kind; the first is the one that is asked."""

    def __init__(self, kind, directory):
        self.kind = kind
        self.home = directory / "home"
        if not self.home.exists():
            pki(self.home)
        self.nodes = []
        for me, other in (PAIRS[kind], PAIRS[kind][::-1]):
            config = configuration(me, other)
            (self.home / f"{me}.conf").write_text(config)
            if kind == "espgated":
                node = Node(directory, me).start("")
                self.nodes.append(node.socket)
            else:
                network = "10.1.0.1" if me == "cleft" else "10.2.0.1"
                run("ip", "-n", me, "address", "add", f"{network}/24", "dev", "lo")
                self.nodes.append(charon(directory / me, me, kernel="kernel-libipsec kernel-netlink").directory / "vici")
        self.conf = directory / "cleft/strongswan.conf"

    def ctl(self, words, at=0):
        more = ["--file", self.home / f"{PAIRS[self.kind][at]}.conf"] if "--load" in words else []
        return swanctl(self.nodes[at], self.conf, self.home, *words.split(), *more)

    def settle(self):
        """Until no SA is on its way any more."""
        def calm():
            said = self.ctl("--list-sas").stdout
            return said.count("INSTALLED") <= 1 and "REKEY" not in said and "DELET" not in said and said.count("IKEv2") == 1
        wait_for(f"{self.kind} to settle", calm, 30)


def every_command(directory):
    lay_over()
    common.ADDRESS.update(ADDRESSES)
    lan(*ADDRESSES)
    pairs = {kind: Pair(kind, directory) for kind in ("charon", "espgated")}
    for pair in pairs.values():
        said = pair.ctl("--load-all --noprompt", at=1)
        expect("the peer loads", said.returncode == 0, said)
    wrong, done = [], set()
    for number, words in enumerate(SCRIPT):
        if words == "SETTLE":
            for pair in pairs.values():
                pair.settle()
            continue
        theirs, ours = pairs["charon"].ctl(words), pairs["espgated"].ctl(words)
        done.add(words)
        allowed = DIFFERENT.get(words, ("", ""))[0]
        if theirs.returncode != ours.returncode and allowed != "status":
            wrong.append(f"{number} {words}: status {theirs.returncode} and {ours.returncode}: {ours.stderr[-500:]}")
        pair = [shape(said.stdout) + shape(said.stderr) for said in (theirs, ours)]
        if sorted(pair[0]) != sorted(pair[1]) and not allowed:
            only = [[line for line in one if line not in other] for one, other in (pair, pair[::-1])]
            wrong.append(f"{number} {words}:\n    strongSwan alone {only[0]}\n    espgate alone {only[1]}")
    expect("what may differ was asked", set(DIFFERENT) <= done, set(DIFFERENT) - done)
    print(f"  {len(done)} commands, {len(DIFFERENT)} with a difference that is listed", flush=True)
    expect("both say the same", not wrong, *wrong)


def keys_of(message, at=""):
    """Every key of an event with sections, names of SAs left out."""
    out = set()
    for key, value in message.items():
        plain = re.sub(r"-[0-9]+$", "", key)
        out.add(f"{at}.{plain}")
        if isinstance(value, dict):
            out |= keys_of(value, f"{at}.{plain}")
    return out


class Watcher:
    """swanctl that goes on until it is told to stop."""

    def __init__(self, pair, *words):
        self.process = subprocess.Popen(
            ["env", f"STRONGSWAN_CONF={pair.conf}", f"SWANCTL_DIR={pair.home}", "stdbuf", "-oL", "swanctl", *words, "--uri",
             f"unix://{pair.nodes[0]}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(1)  # no word of it says that it has registered

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=20)[0]


def events(directory):
    """--monitor-sa and --log: the same events with the same keys, while an SA comes, is rekeyed and goes."""
    lay_over()
    common.ADDRESS.update(ADDRESSES)
    lan(*ADDRESSES)
    seen, logs, listed = {}, {}, {}
    for kind in ("charon", "espgated"):
        pair = Pair(kind, directory)
        for at in (0, 1):
            expect("loaded", pair.ctl("--load-all --noprompt", at=at).returncode == 0)
        monitor, log = Watcher(pair, "--monitor-sa", "--pretty"), Watcher(pair, "--log")
        for words in ("--initiate --child net", "--rekey --child net", "SETTLE", "--rekey --ike demo", "SETTLE",
                      "--terminate --child net", "--terminate --ike demo"):
            if words == "SETTLE":
                pair.settle()
                continue
            if words == "--terminate --child net":
                listed[kind] = keys_of(pretty(pair.ctl("--list-sas --pretty").stdout)["list-sa event"])
            said = pair.ctl(words)
            expect(f"{kind}: {words}", said.returncode == 0, said)
        time.sleep(1)
        seen[kind], logs[kind] = keys_of(pretty(monitor.stop())), log.stop()
    ours = {key for key in seen["espgated"] if ".offload" not in key}
    # NAT is what the user space ESP of charon pretends; only this side of it knows what the kernel has of an SA.
    fleeting = re.compile(r"nat-|\.use-(in|out)|tasks-|\.bytes-|\.packets-|dh-group|\.(rekey|life|reauth)-time")
    differ = {key for key in ours ^ seen["charon"] if not fleeting.search(key)}
    expect("the same events with the same keys", not differ, *sorted(f"{key} {'espgate' if key in ours else 'strongSwan'}"
                                                                    for key in differ))
    differ = {key for key in listed["espgated"] ^ listed["charon"] if ".offload" not in key and not fleeting.search(key)}
    expect("list-sas has the same keys", not differ, *sorted(differ))
    for event in ("ike-updown", "child-updown"):  # those of rekeys it does not ask for
        expect(f"{event} was raised", any(event in key for key in seen["espgated"]), *seen["espgated"])
    for kind, log in logs.items():
        expect(f"{kind} logs lines of the connection", re.search(r"^\d+\[IKE\].*demo", log, re.MULTILINE), log)


if __name__ == "__main__":
    fetch_outside("peers", "peers_layer")
    main(every_command, events)
