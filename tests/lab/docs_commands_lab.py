#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the commands of README.md, docs/tutorial.md, docs/migration.md and tools/README.md as they stand there, with the paths and names
that they have, on an emulated NIC called eth0 and with strongSwan as the peer; and checks every configuration that a page shows.
Those that need systemd: package_inside.sh. tests/docs/commands.py sees to it that none is missing.

tools/lab run -- python3 tests/lab/docs_commands_lab.py > LOG; then tools/readme_output.py LOG docs/migration.md
"""
import os
import pathlib
import pty
import re
import subprocess
import sys
import tempfile
import time

from scenario import daemon, pki
from scenario.shell import ROOT, Failed, Shell, lib, run, wait_for

VICI = pathlib.Path("/run/espgate/espgated.vici")
LOG = pathlib.Path("/run/espgated.log")
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.M | re.S)
SECTION = re.compile(r"^\s*(connections|gateway|secrets|pools|authorities) \{", re.M)


def doc(command, where=ROOT, shell=None):
    """A command as a page has it; its status has to be 0. Returns what it said."""
    print(f"$ {command}", flush=True)
    if shell:
        said = shell(*["eval", command])
    else:
        done = run("bash", "-c", f"cd {where} && {command}", ok=False)
        said = done.stdout + done.stderr
        if done.returncode:
            raise Failed(f"{command}: status {done.returncode}\n{said}\n{log()}")
    print(said.rstrip("\n"), flush=True)
    return said


def doc_live(command, seconds, keys=b""):
    """One that goes on: for so long on a terminal, then ended by `keys`; without keys it stays, and is returned."""
    print(f"$ {command}", flush=True)
    if not keys:
        return subprocess.Popen(["bash", "-c", f"exec {command}"], stdout=open(LOG, "ab"), stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    master, slave = pty.openpty()
    process = subprocess.Popen(["bash", "-c", f"exec {command}"], stdin=slave, stdout=slave, stderr=slave, env={**os.environ, "TERM": "xterm"})
    os.close(slave)
    time.sleep(seconds)
    os.write(master, keys)
    screen = os.read(master, 1 << 16).decode(errors="replace")
    wait_for(f"{command} to end", lambda: process.poll() is not None, 30)
    if process.returncode:
        raise Failed(f"{command}: status {process.returncode}\n{screen}")
    return screen


def log():
    return LOG.read_text(errors="replace")[-4000:] if LOG.exists() else ""


def ends(process):
    process.terminate()
    process.wait(60)


def network():
    """eth0, an emulated NIC, and a peer at its other end."""
    lib("simnic_load", 1)
    run("ip", "link", "set", "simnic0", "name", "eth0")
    lib("ns_add", "far")
    run("ip", "link", "set", "simnic1", "netns", "far")
    run("bash", "-c", """set -e
ip address add 192.0.2.1/24 dev eth0; ip address add 10.1.0.1/32 dev lo; ip link set lo up; ip link set eth0 up
ip -n far address add 198.51.100.1/24 dev simnic1; ip -n far address add 10.2.0.1/32 dev lo; ip -n far link set simnic1 up
ip route add 198.51.100.0/24 dev eth0; ip route add 10.2.0.0/16 via 198.51.100.1 src 10.1.0.1 dev eth0
ip -n far route add 192.0.2.0/24 dev simnic1; ip -n far route add 10.1.0.0/16 via 192.0.2.1 src 10.2.0.1 dev simnic1""")


def peer(directory):
    conf = daemon.swanctl_conf(local="198.51.100.1", remote="192.0.2.1", local_id="gw-2.example.org", remote_id="gw-1.example.org",
                               secret="change me", proposals="aes128gcm16-prfsha256-x25519",
                               children={"net": {"local_ts": "10.2.0.0/16", "remote_ts": "10.1.0.0/16", "esp_proposals": "aes128gcm16", "replay_window": 128}})
    return daemon.Charon(f"{directory}/far", "far").start(conf)


def readme():
    """Running it."""
    pathlib.Path("/var/lib/prometheus/node-exporter").mkdir(parents=True, exist_ok=True)  # node_exporter's package has it
    doc("install -D -m 600 packaging/espgate.conf /etc/espgate/espgate.conf")
    doc("espgated --check-config")
    espgated = doc_live("espgated --config /etc/espgate/espgate.conf", 0)
    wait_for("its socket", VICI.exists, 30)
    doc("espgate conn up site-a/net")
    run("ping", "-q", "-c", "5", "-i", "0.1", "-I", "10.1.0.1", "10.2.0.1")
    rows = doc("espgate sa show")
    if not re.search(r"out +\w{8} +auto +crypto +eth0 +hw ", rows):
        raise Failed("the pings were expected to be encrypted by the NIC")
    doc("espgate conn show")
    doc("espgate doctor")
    doc("espgate export prometheus textfile /var/lib/prometheus/node-exporter/espgate.prom")
    return espgated


def tutorial():
    """Offload."""
    doc("espgate offload probe dev eth0")
    doc("espgate offload show")
    doc("espgate shield show")
    if "net" not in doc_live("espgate top", 8, b"q"):
        raise Failed("top does not show the child")


def migration(directory):
    """A strongSwan user's /etc/swanctl, taken as it is; then a file of libreswan's."""
    run("rm", "-rf", "/etc/espgate", "/etc/swanctl")
    for folder in ("conf.d", "x509", "x509ca", "private"):
        pathlib.Path("/etc/swanctl", folder).mkdir(parents=True)
    pathlib.Path("/etc/swanctl/swanctl.conf").write_text("include conf.d/*.conf\n")
    pathlib.Path("/etc/swanctl/conf.d/site-a.conf").write_text((ROOT / "packaging/espgate.conf").read_text())
    pathlib.Path("/etc/espgate").mkdir()
    doc("cp -a /etc/swanctl/. /etc/espgate/ && mv /etc/espgate/swanctl.conf /etc/espgate/espgate.conf")
    doc("chmod -R o= /etc/espgate")
    doc("espgated --check-config")
    espgated = doc_live("espgated --config /etc/espgate/espgate.conf", 0)
    wait_for("its socket", VICI.exists, 30)
    run("espgate", "conn", "up", "site-a/net")
    if "INSTALLED" not in doc("swanctl --list-sas --uri unix:///run/espgate/espgated.vici"):
        raise Failed("swanctl does not show the child")
    ends(espgated)
    run("cp", ROOT / "tests/docs/ipsec.conf", directory)
    print("### convert")
    doc("espgate config convert ipsec.conf > espgate.conf", directory)
    print("### end")
    run("chmod", "600", f"{directory}/espgate.conf")
    # What the remarks ask for: the certificate, its key and its CA.
    pki.Authority(f"{directory}/ca").issue(directory, "gw", "gw-1.example.org", "ecdsa256")
    run("espgated", "--check-config", "--config", f"{directory}/espgate.conf")


def charons():
    """Two strongSwans in two namespaces (tools/README.md)."""
    shell = Shell()
    for number, name in enumerate(("left", "right"), 1):
        other = 3 - number
        pathlib.Path(f"/tmp/{name}").mkdir()
        pathlib.Path(f"/tmp/{name}/swanctl.conf").write_text(daemon.swanctl_conf(
            local=f"10.77.0.{number}", remote=f"10.77.0.{other}", local_id=name, remote_id="right" if name == "left" else "left", secret="a secret",
            proposals="aes128gcm16-prfsha256-x25519", children={"net": {"local_ts": f"10.7.{number}.0/24", "remote_ts": f"10.7.{other}.0/24"}}))
    doc(". tests/lab/lib/charon.sh", shell=shell)
    doc("ip netns add left; ip netns add right", shell=shell)
    run("ip", "link", "add", "l0", "netns", "left", "type", "veth", "peer", "name", "r0", "netns", "right")
    for name, number in (("left", 1), ("right", 2)):
        run("ip", "-n", name, "address", "add", f"10.77.0.{number}/24", "dev", f"{name[0]}0")
        run("ip", "-n", name, "link", "set", f"{name[0]}0", "up")
        run("ip", "-n", name, "link", "set", "lo", "up")
    doc("charon_start left /tmp/left && charon_start right /tmp/right", shell=shell)
    doc("charon_ctl /tmp/left --initiate --child net", shell=shell)
    if "INSTALLED" not in doc("charon_ctl /tmp/right --list-sas", shell=shell):
        raise Failed("the two charons have no tunnel")
    doc("charon_stop /tmp/left; charon_stop /tmp/right", shell=shell)
    shell.close()


def configurations(directory):
    """Each block of the pages that is a configuration is one that espgated takes."""
    count = 0
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for block in BLOCK.findall(page.read_text()):
            if not SECTION.match(block):
                continue
            path = pathlib.Path(directory, "block.conf")
            path.write_text(block)
            path.chmod(0o600)
            done = run("espgated", "--check-config", "--config", path, ok=False)
            if done.returncode:
                raise Failed(f"{page.name}: a configuration that is refused:\n{block}\n{done.stderr}")
            count += 1
    if count < 3:
        raise Failed(f"only {count} configurations were found in the pages")
    print(f"{count} configurations of the pages are taken")


def main():
    os.environ["COLUMNS"] = "190"
    with tempfile.TemporaryDirectory(dir="/run") as directory:
        network()
        charon = peer(directory)
        try:
            espgated = readme()
            tutorial()
            ends(espgated)
            migration(directory)
            charons()
            configurations(directory)
        except Failed as failure:
            print(f"FAILED: {failure}\n{log()}", file=sys.stderr)
            return 1
        finally:
            charon.stop()
    print("docs_commands: ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
