#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What operators do beside bringing tunnels up: watch, raise the log, collect a bundle, convert a file, and do things wrong."""
import fcntl
import json
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import tarfile
import termios
import time

import schema
from common import LEFT, PATIENCE, RIGHT, ROOT, Node, config, expect, lan, main, ns, ns_start, pair, run, wait_for

LIBRESWAN = """conn %default
    ikev2=yes
    authby=secret
conn a
    left=192.0.2.1
    leftid=@left.example.org
    right=192.0.2.2
    rightid=@right.example.org
    leftsubnet=10.1.1.0/24
    rightsubnet=10.2.1.0/24
    ike=aes_gcm128-sha2_256;dh31
    esp=aes_gcm128-null
    nic-offload=auto
    auto=add
"""


def fits(name, value):
    breaches = schema.breaches(name, value)
    expect(f"it fits docs/schema/{name}.json", not breaches, *breaches, value)


def series(node, name):
    """{labels: value} of a metric."""
    text = node.cli("export", "prometheus").stdout
    return {labels or "": float(value) for labels, value in re.findall(rf"^{name}(?:{{(.*?)}})? (\S+)$", text, re.M)}


def metrics(directory):
    """Exchanges are counted on both sides, by who began them and how they ended; a broken reload shows."""
    left, right = pair(directory, before="gateway {\n  retransmit_timeout = 0.2\n  retransmit_tries = 3\n}\n")
    left.cli("conn", "up", "demo/net", "--timeout", PATIENCE, timeout=2 * PATIENCE)
    for node, role in ((left, "initiator"), (right, "responder")):
        found = series(node, "espgate_ike_exchanges_total")
        for exchange in ("ike_sa_init", "ike_auth"):
            key = f'exchange="{exchange}",role="{role}",result="done"'
            expect(f"{node.name} counted {key}", found[key] == 1, found)
        expect("nothing went wrong", not any(value for key, value in found.items() if "done" not in key), found)
        changed = series(node, "espgate_child_last_change_timestamp_seconds")['conn="demo",child="net"']
        expect("it came up just now", abs(time.time() - changed) < 2 * PATIENCE, changed)
        expect("no message was sent again", series(node, "espgate_ike_retransmits_total")[""] == 0)
    before = left.config.read_text()
    left.write_config(before.replace("local_ts", "locale_ts"))
    refused = left.cli("conn", "reload", ok=False)
    expect("the broken file is refused, with its line", refused.returncode == 2 and "locale_ts" in refused.stderr, refused.stderr)
    expect("the metric says so", series(left, "espgate_config_last_reload_success")[""] == 0)
    expect("the old one stands", left.states()["demo/net"]["state"] == "up")
    left.write_config(before)
    left.cli("conn", "reload")
    expect("and is taken again", series(left, "espgate_config_last_reload_success")[""] == 1)
    # A peer that is gone: requests are sent again, and time out.
    right.process.kill()
    right.process.wait()
    left.cli("conn", "down", "demo", "--timeout", PATIENCE, ok=False, timeout=2 * PATIENCE)
    wait_for("retransmissions", lambda: series(left, "espgate_ike_retransmits_total")[""] > 0, PATIENCE)
    wait_for("the exchange to time out", lambda: series(left, "espgate_ike_exchanges_total")[
        'exchange="informational",role="initiator",result="timeout"'] == 1, PATIENCE)


def watching(directory):
    """monitor tells what happens; log level changes how much of it, for one connection and for some time."""
    left, _ = pair(directory)
    seen = directory / "monitor"
    watcher = ns_start(LEFT, "espgate", "--vici", f"unix://{left.socket}", "-j", "monitor", output=seen)
    time.sleep(1)
    fits("log-level", left.json("log", "level", "ike", "debug", "conn", "demo", "for", "10m"))
    left.cli("conn", "up", "demo/net", "--timeout", PATIENCE, timeout=2 * PATIENCE)
    wait_for("the child in the monitor", lambda: "child SA up" in seen.read_text(), PATIENCE)
    watcher.terminate()
    watcher.wait()
    events = [json.loads(line) for line in seen.read_text().splitlines()]
    for event in events:
        fits("monitor-show", event)
    expect("the change of the level is one", any("ike about demo logs debug and above for 600 s" in each["text"] for each in events), events)
    for words, says in ((("all", "loud"), "there is no level 'loud'"), (("net", "info"), "there is no subsystem 'net'")):
        wrong = left.cli("log", "level", *words, ok=False)
        expect(f"log level {words} is refused", wrong.returncode == 2 and says in wrong.stderr, wrong.stderr)
    wrong = left.cli("log", "level", "all", "info", "for", "ever", ok=False)
    expect("a time that is none", wrong.returncode == 1 and "90s" in wrong.stderr, wrong.stderr)


def top(directory):
    """On a terminal: sorted by the key that is pressed, another size, q; without maps a sentence and status 2."""
    left, _ = pair(directory, bpffs=True)
    if left.cli("-j", "map", "show", ok=False).returncode:
        no_maps = left.cli("top", "count", 1, ok=False)
        expect("without maps it says so", no_maps.returncode == 2 and "nothing is pinned" in no_maps.stderr, no_maps.stderr)
        return
    left.cli("conn", "up", "demo/net", "--timeout", PATIENCE, timeout=2 * PATIENCE)
    once = json.loads(left.cli("-j", "top", "interval", 1, "count", 1).stdout)
    fits("top-show", once)
    expect("the child is there", [row["child"] for row in once["children"]] == ["net"], once)
    expect("a table into a pipe", "demo/net" in left.cli("top", "interval", 1, "count", 1).stdout)
    master, slave = pty.openpty()
    process = subprocess.Popen(["nsenter", f"--net=/run/netns/{LEFT}", "espgate", "--vici", f"unix://{left.socket}", "--bpffs",
                                str(left.bpffs), "top", "interval", "1"], stdin=slave, stdout=slave, stderr=slave, env={**os.environ, "TERM": "xterm"})
    os.close(slave)
    text = ""

    def until(word):
        nonlocal text
        wait_for(word, lambda: word in read(), PATIENCE, 0.05)

    def read():
        nonlocal text
        text += os.read(master, 65536).decode(errors="replace")
        return text

    until("sorted by rate")
    os.write(master, b"n")
    until("sorted by name")
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 3, 80, 0, 0))
    process.send_signal(signal.SIGWINCH)  # the terminal would, if this were its session
    until("lines more")
    os.write(master, b"q")
    expect("q ends it", process.wait(PATIENCE) == 0)
    try:
        read()
    except OSError:
        pass
    expect("the screen is as it was", text.rstrip().endswith("\x1b[?1049l"), text[-80:])


def bundle(directory):
    left, _ = pair(directory)
    left.cli("conn", "up", "demo/net", "--timeout", PATIENCE, timeout=2 * PATIENCE)
    path = directory / "bundle.tar"
    fits("support-bundle", left.json("support-bundle", "to", path, "config", left.config, timeout=PATIENCE))
    expect("for its owner alone", path.stat().st_mode & 0o777 == 0o600)
    with tarfile.open(path) as archive:
        files = {pathlib.Path(each.name).name: archive.extractfile(each).read().decode(errors="replace") for each in archive.getmembers()}
    for name in ("doctor.txt", "conn.json", "metrics.prom", "espgate.conf", "routes.txt"):
        expect(f"{name} is in it", files.get(name), sorted(files))
    expect("the configuration is, too", "remote_addrs" in files["espgate.conf"])
    expect("no secret", not any("a secret of the test" in text for text in files.values()))
    expect("conn.json is JSON", json.loads(files["conn.json"])[0]["conn"] == "demo")
    full = left.cli("support-bundle", "to", "/proc/nowhere.tar", ok=False, timeout=PATIENCE)
    expect("where it cannot be written, it says so", full.returncode == 2 and "/proc/nowhere.tar" in full.stderr, full.stderr)


def converted(directory):
    """A libreswan file, converted, with its secret written below, brings a tunnel up."""
    source = directory / "ipsec.conf"
    source.write_text(LIBRESWAN)
    lan(LEFT, RIGHT)
    left, right = Node(directory, LEFT), Node(directory, RIGHT)
    text = run("espgate", "config", "convert", source).stdout
    converted_json = json.loads(run("espgate", "-j", "config", "convert", source).stdout)
    fits("config-convert", converted_json)
    expect("the same configuration", converted_json["configuration"] == text, text)
    secret = 'secrets {\n  ike-a {\n    id-1 = left.example.org\n    id-2 = right.example.org\n    secret = "a secret of the test"\n  }\n'
    left.start(text.replace("secrets {\n", secret), wait=False)
    right.start(config(RIGHT), wait=False)
    for node in (left, right):
        node.wait_up()
    left.cli("conn", "up", "a/a", "--timeout", PATIENCE, timeout=2 * PATIENCE)
    expect("it is up", left.states()["a/a"]["state"] == "up")
    for words, says in ((("/nowhere",), "No such file"), ((left.log_file,), "no `conn` section")):
        wrong = run("espgate", "config", "convert", *words, ok=False)
        expect(f"convert {words} is refused", wrong.returncode == 2 and says in wrong.stderr, wrong.stderr)


def credentials(directory):
    """A secret by way of systemd's credentials directory."""
    lan(LEFT, RIGHT)
    store = directory / "credentials"
    store.mkdir()
    whole = config(LEFT)
    at = whole.index("secrets {")
    (store / "espgate-secrets.conf").write_text(whole[at:])
    (store / "espgate-secrets.conf").chmod(0o400)
    left, right = Node(directory, LEFT), Node(directory, RIGHT)
    left.write_config(whole[:at] + "include %d/espgate-secrets.conf\n")
    without = ns(LEFT, "espgated", "--check-config", "--config", left.config, ok=False)
    expect("without credentials a warning says so", "LoadCredential" in without.stdout + without.stderr, without)
    os.environ["CREDENTIALS_DIRECTORY"] = str(store)
    try:
        left.start(wait=False)
    finally:
        del os.environ["CREDENTIALS_DIRECTORY"]
    right.start(config(RIGHT), wait=False)
    for node in (left, right):
        node.wait_up()
    left.cli("conn", "up", "demo/net", "--timeout", PATIENCE, timeout=2 * PATIENCE)
    expect("it is up", left.states()["demo/net"]["state"] == "up")


WRONG = """gateway {
  hw_offlod = auto
  fragment_size = big
  steer { intervall = 1s }
}
connections {
  a {
    version = 3
    local_addrs = 192.0.2.300
    proposals = aes128gcm16-prfsha999
    dpd_delay = soon
    unique = maybe
    encap = perhaps
    rekey_tyme = 1h
    local { auth = pks
      idd = x }
    remote { auth = psk
      revocation = loose }
    children {
      net {
        local_ts = 10.1.0.0/33
        remote_ts = 10.2.0.0/16[tcp/99999]
        esp_proposals = aes127gcm16
        mode = tunel
        hw_offload = always
        start_action = now
        replay_window = many
        when_down = open
        life_time = 1y
      }
    }
  }
}
secret { }
"""


def wrong_use(directory):
    """Twenty mistakes in one file are found in one run, each with line and column; and other things that are no use."""
    lan(LEFT)
    path = directory / "wrong.conf"
    path.write_text(WRONG)
    path.chmod(0o600)
    done = run("espgated", "--check-config", "--config", path, ok=False)
    lines = {int(match) for match in re.findall(rf"^{path}:(\d+):\d+: ", done.stderr, re.M)}
    mistakes = {number for number, line in enumerate(WRONG.splitlines(), 1) if re.search(r"= |secret \{", line)} - {17}
    expect("exit status 1", done.returncode == 1)
    expect("every one of twenty mistakes", len(mistakes) >= 20 and mistakes <= lines, sorted(mistakes - lines), done.stderr)

    def refused(status, says, *words):
        wrong = run("espgate", *words, ok=False)
        expect(f"espgate {' '.join(words)}: {says}", wrong.returncode == status and says in wrong.stderr, wrong.returncode, wrong.stderr)
        wrong = run("espgate", "-j", *words, ok=False)
        if status == 2:
            expect("in JSON as an error", json.loads(wrong.stdout)["error"]["code"], wrong.stdout)

    refused(1, "did you mean 'shield'", "sheild", "show")
    refused(1, "unknown object", "frobnicate")
    refused(1, "expected", "sa", "show", "spi", "zz")
    refused(2, "systemctl start espgated", "--vici", "unix:///run/nowhere", "conn", "show")
    refused(2, "systemctl start espgated", "--vici", "unix:///run/nowhere", "monitor")
    refused(2, "nothing is pinned", "--bpffs", str(directory), "policy", "show")
    left = Node(directory, LEFT).start(config(LEFT))
    for words in (("conn", "up", "nosuch"), ("conn", "down", "demo/nosuch"), ("conn", "show", "name", "nosuch")):
        wrong = left.cli(*words, ok=False)
        expect(f"{words}", wrong.returncode == 2 and "nosuch" in wrong.stderr and "there is demo/net" in wrong.stderr, wrong.returncode, wrong.stderr)
    # No rights: neither root nor of the group espgate.
    wrong = ns(LEFT, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", programs_copy(directory), "--vici",
               f"unix://{left.socket}", "conn", "show", ok=False)
    expect("without rights", wrong.returncode == 2 and "group espgate" in wrong.stderr, wrong.returncode, wrong.stderr)


# What has no JSON of its own: the text of export is Prometheus', and conn's three share one.
NO_SCHEMA = {"export prometheus": "Prometheus' text format", "conn up": "done", "conn down": "done", "conn rekey": "done",
             "conn reload": "reload", "support-bundle write": "support-bundle"}


def schemas(directory):
    """Each command that `help` lists has its schema, and each schema its command."""
    del directory
    wanted = {"error"}
    objects = re.findall(r"^  ([a-z-]+) {2,}", run("espgate", "help").stdout, re.M)
    expect("help lists the objects", {"sa", "conn", "doctor", "support-bundle"} <= set(objects), objects)
    for name in objects:
        for command in re.findall(rf"^  espgate {name} ([a-z-]+)", run("espgate", name, "help").stdout, re.M):
            known = NO_SCHEMA.get(f"{name} {command}", f"{name}-{command}")
            if " " not in known:
                wanted.add("doctor" if known == "doctor-show" else known)
    there = {path.stem for path in (ROOT / "docs/schema").glob("*.json")}
    expect("commands and schemas agree", wanted == there, sorted(wanted - there), sorted(there - wanted))


def programs_copy(directory):
    """Where somebody else may run it from, and the socket's folder open to him."""
    for folder in (directory, directory / LEFT):
        folder.chmod(0o755)
    program = directory / "espgate"
    program.write_bytes(pathlib.Path(run("sh", "-c", "command -v espgate").stdout.strip()).read_bytes())
    program.chmod(0o755)
    return program


if __name__ == "__main__":
    main(metrics, watching, top, bundle, converted, credentials, wrong_use, schemas)
