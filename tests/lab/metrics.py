#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""espgate's metrics the whole way: textfile, node_exporter, Prometheus, the dashboard's queries. ESPGATE_OBSERVERS: where
Debian's programs are (tests/lab/metrics.sh). With --out what Prometheus gathered is left there (tools/screenshot);
ESPGATE_METRICS_SECONDS: how long there is traffic.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

from demo import CBC, GCM, child, configs
from scenario import daemon, hosts, traffic
from scenario.shell import ROOT, Failed, run, wait_for

OBSERVERS = pathlib.Path(os.environ["ESPGATE_OBSERVERS"])
CHILDREN = {"hw": child(1, GCM, "auto"), "refused": child(2, CBC, "auto")}
CHILDREN["down"] = child(3, CBC, "crypto")
SECONDS = int(os.environ.get("ESPGATE_METRICS_SECONDS", 25))
OUT = pathlib.Path("/run/lab/out")
NODE, PROMETHEUS = "127.0.0.1:9100", "127.0.0.1:9090"
# Panels that stay empty here, and why.
EMPTY = {"Certificates expire in": "both ends have pre-shared keys", "Fallbacks of offloaded SAs, by reason": "no packet falls back",
         "Shield": "nothing is attached: the shield is off", "Packets by class": "no XDP program where the shield is off",
         "IKE that came to nothing": "nothing does"}
PROMETHEUS_CONF = """
global: {{ scrape_interval: 2s, evaluation_interval: 2s }}
rule_files: [{rules}]
scrape_configs:
  - job_name: node
    static_configs: [{{ targets: ["{node}"] }}]
"""


def expect(what, condition, *details):
    if not condition:
        raise Failed(f"expected: {what}" + "".join(f"\n  {detail}" for detail in details))


def get(address, path, **query):
    url = f"http://{address}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def ask(expression):
    return json.loads(get(PROMETHEUS, "/api/v1/query", query=expression))["data"]["result"]


def ready(expression):
    try:
        return ask(expression)
    except OSError:
        return None


class Scene:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.textfiles = self.directory / "node-exporter"
        self.textfiles.mkdir()
        self.path = self.textfiles / "espgate.prom"
        ours, theirs = configs(CHILDREN)
        self.peer = daemon.Charon(f"{directory}/peer").start(theirs)
        self.gateway = daemon.Gateway(f"{directory}/gw").start(ours)
        self.children = []

    def start(self, name, *words):
        log = open(self.directory / f"{name}.log", "ab")
        self.children.append(subprocess.Popen([OBSERVERS / name, *map(str, words)], stdout=log, stderr=log))

    def export(self, path=None, ok=True):
        return self.gateway.cli("export", "prometheus", "textfile", path or self.path, ok=ok)

    def observe(self):
        self.start("prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
                   f"--collector.textfile.directory={self.textfiles}", f"--web.listen-address={NODE}")
        conf = self.directory / "prometheus.yml"
        conf.write_text(PROMETHEUS_CONF.format(rules=ROOT / "packaging/prometheus/espgate.rules.yml", node=NODE))
        self.start("prometheus", f"--config.file={conf}", f"--storage.tsdb.path={self.directory}/tsdb", f"--web.listen-address={PROMETHEUS}")

    def end(self):
        for each in self.children:
            each.terminate()
            each.wait(30)


def lint(scene):
    text = scene.path.read_text()
    done = run(OBSERVERS / "promtool", "check", "metrics", stdin=text, ok=False)
    expect("promtool has nothing to say", done.returncode == 0 and not done.stdout + done.stderr, done.stdout + done.stderr)
    expect("no SPI and no address in a label", not re.search(r'="[0-9a-f]{8}"|="\d+\.\d+\.\d+\.\d+', text), text)
    names = set(re.findall(r"^(espgate_\w+)", text, re.M))
    promised = set(re.findall(r"^\| `(espgate_\w+)", (ROOT / "docs/metrics.md").read_text(), re.M))
    expect("docs/metrics.md names each of them", names <= promised, names - promised)
    return names


def traffic_for(scene, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for number in (1, 2):
            # Software gets less and less of it.
            count = 20 if number == 1 else max(2, round(20 * (end - time.monotonic()) / seconds))
            traffic.ping(hosts.GW, hosts.inner(1, number), hosts.inner(2, number), count=count, size=800, interval=0.02)
        scene.export()


def dashboard(scene):
    panels = json.loads((ROOT / "packaging/grafana/espgate.json").read_text())["panels"]
    for panel in panels:
        found = 0
        for target in panel["targets"]:
            expression = target["expr"].replace("$instance", ".*").replace("$__rate_interval", "30s")
            found += len(ask(expression))
        print(f"{panel['title']}: {found} series" + (f" ({EMPTY[panel['title']]})" if not found and panel["title"] in EMPTY else ""), flush=True)
        expect(f"data for '{panel['title']}'", found or panel["title"] in EMPTY)


def dead_daemon(scene):
    """Counters stay, and what only the daemon knows goes."""
    before = scene.path.read_text()
    scene.gateway.stop(signal.SIGKILL)
    scene.export()
    after = scene.path.read_text()
    expect("espgate_up is 0", "\nespgate_up 0\n" in after, after)
    expect("no IKE SAs are made up", "espgate_ike_sas" not in after)
    packets = 'espgate_child_packets_total{conn="demo",child="hw",direction="out",path="hardware"} '
    value = {name: float(text.split(packets)[1].split("\n")[0]) for name, text in (("before", before), ("after", after))}
    expect("the counter is there and has not fallen", value["after"] >= value["before"] > 0, value)
    wait_for("Prometheus to see it", lambda: [row for row in ask("espgate_up") if row["value"][1] == "0"], 30)


def full_disk(scene):
    small = scene.directory / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small)
    path = small / "espgate.prom"
    scene.export(path)
    old = path.read_text()
    try:
        (small / "filler").write_bytes(bytes(1 << 20))
    except OSError:
        pass
    failed = scene.export(path, ok=False)
    expect("a full disk is an error", failed.returncode == 2 and "No space left" in failed.stderr, failed.stderr)
    expect("the old file stands", path.read_text() == old)
    expect("nothing else is left behind", sorted(each.name for each in small.iterdir()) == ["espgate.prom", "filler"], list(small.iterdir()))
    run("umount", small)


def main():
    with tempfile.TemporaryDirectory(prefix="espgate-metrics.") as directory:
        hosts.build()
        scene = Scene(directory)
        scene.observe()
        for name in ("hw", "refused"):
            scene.gateway.cli("conn", "up", f"demo/{name}", "--timeout", "90")
        scene.gateway.cli("conn", "up", "demo/down", ok=False)
        scene.export()
        names = lint(scene)
        for name in ("espgate_child_last_change_timestamp_seconds", "espgate_child_hard_expiry_timestamp_seconds",
                     "espgate_ike_exchanges_total", "espgate_ike_retransmits_total", "espgate_config_last_reload_success"):
            expect(f"{name} is there", name in names, sorted(names))
        wait_for("Prometheus", lambda: ready("espgate_build_info"), 180)
        traffic_for(scene, SECONDS)
        if OUT.is_dir():
            shutil.copytree(scene.directory / "tsdb", OUT / "tsdb", dirs_exist_ok=True, ignore=shutil.ignore_patterns("lock", "queries.active"))
        dashboard(scene)
        expect("the rules are evaluated", ask("espgate:software_share:5m"))
        dead_daemon(scene)
        full_disk(scene)
        scene.end()
        print("metrics: ok")


try:
    main()
except Failed as failure:
    print(f"FAILED: {failure}", file=sys.stderr)
    sys.exit(1)
