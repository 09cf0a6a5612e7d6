#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The metrics the whole way, without a kernel's ESP: textfile, node_exporter, Prometheus, the alert rules, the dashboard's queries.

tests/lab/metrics.py does the same with packets in hardware and in software.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request

from common import INSIDE, LEFT, PATIENCE, ROOT, Skip, expect, main, pair, run, wait_for

NODE, PROMETHEUS = "127.0.0.1:9100", "127.0.0.1:9090"
# Panels that have nothing to show here, and why.
EMPTY = {"Software share of each child": "no packet is counted",
         "Certificates expire in": "both ends have pre-shared keys", "Fallbacks of offloaded SAs, by reason": "nothing is offloaded",
         "Shield": "it is off", "Packets by class": "no XDP program runs", "IKE that came to nothing": "nothing does",
         "Slots of devices": "no device offloads", "Moves between hardware and software": "no device offloads"}
CONF = """
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: [{rules}]
scrape_configs:
  - job_name: node
    static_configs: [{{ targets: ["{node}"] }}]
"""


def observers():
    """Debian's programs, fetched before the namespaces are entered: there is no network within."""
    script = ". tools/lib/debian.sh; . tools/lib/cache.sh; . tools/lib/observers.sh; observers_directory"
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def ask(expression):
    url = f"http://{PROMETHEUS}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return json.loads(answer.read())["data"]["result"]


def ready(expression):
    try:
        return ask(expression)
    except OSError:
        return None


def pipeline(directory):
    programs = os.environ.get("ESPGATE_OBSERVERS")
    if not programs:
        raise Skip("Prometheus could not be fetched")
    left, _ = pair(directory, bpffs=True)
    left.cli("conn", "up", "demo/net", "--timeout", PATIENCE, timeout=2 * PATIENCE)
    folder = directory / "node-exporter"
    folder.mkdir()
    path = folder / "espgate.prom"

    def export():
        left.cli("export", "prometheus", "textfile", path)

    export()
    done = run(f"{programs}/promtool", "check", "metrics", stdin=path.read_text(), ok=False)
    expect("promtool has nothing to say", done.returncode == 0 and not done.stdout + done.stderr, done.stdout + done.stderr)
    rows = re.findall(r"^\| `(espgate_\w+)", (ROOT / "docs/metrics.md").read_text(), re.M)
    expect("docs/metrics.md names each of them", set(re.findall(r"^(espgate_\w+)", path.read_text(), re.M)) <= set(rows))
    run("ip", "link", "set", "lo", "up")
    conf = directory / "prometheus.yml"
    conf.write_text(CONF.format(rules=ROOT / "packaging/prometheus/espgate.rules.yml", node=NODE))
    with open(directory / "observers.log", "ab") as log:
        started = [subprocess.Popen([f"{programs}/{name}", *words], stdout=log, stderr=log) for name, words in (
            ("prometheus-node-exporter", ["--collector.disable-defaults", "--collector.textfile",
                                          f"--collector.textfile.directory={folder}", f"--web.listen-address={NODE}"]),
            ("prometheus", [f"--config.file={conf}", f"--storage.tsdb.path={directory}/tsdb", f"--web.listen-address={PROMETHEUS}"]))]
    try:
        wait_for("Prometheus", lambda: ready("espgate_build_info"), PATIENCE)
        for _ in range(10):
            export()
            time.sleep(1)
        for panel in json.loads((ROOT / "packaging/grafana/espgate.json").read_text())["panels"]:
            found = sum(len(ask(each["expr"].replace("$instance", ".*").replace("$__rate_interval", "20s"))) for each in panel["targets"])
            expect(f"data for '{panel['title']}'", found or panel["title"] in EMPTY)
        expect("no alert fires", not [row for row in ask('ALERTS{alertstate="firing"}')])
        # The daemon is gone: the file says so, and keeps the counters.
        left.process.kill()
        left.process.wait()
        export()
        text = path.read_text()
        expect("espgate_up is 0, and no IKE SAs are made up", "\nespgate_up 0\n" in text and "espgate_ike_sas" not in text, text)
        expect("the child's counters stay", "espgate_child_packets_total{" in text, text)
        wait_for("Prometheus to see it", lambda: [row for row in ask("espgate_up") if row["value"][1] == "0"], PATIENCE)
        wait_for("the alert to be pending", lambda: ask('ALERTS{alertname="EspgateDown"}'), PATIENCE)
    finally:
        for each in started:
            each.terminate()
            each.wait(PATIENCE)


def full_disk(directory):
    """The old file stands, nothing is left beside it, and the exit status says so."""
    left, _ = pair(directory)
    small = directory / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", small)
    path = small / "espgate.prom"
    left.cli("export", "prometheus", "textfile", path)
    old = path.read_text()
    try:
        (small / "filler").write_bytes(bytes(1 << 20))
    except OSError:
        pass
    failed = left.cli("export", "prometheus", "textfile", path, ok=False)
    expect("a full disk is an error", failed.returncode == 2 and "No space left" in failed.stderr, failed.stderr)
    expect("the old file stands", path.read_text() == old)
    names = sorted(each.name for each in small.iterdir())
    expect("nothing else is left behind", names == ["espgate.prom", "filler"], names)
    run("umount", small)


if __name__ == "__main__":
    if INSIDE not in os.environ and "ESPGATE_OBSERVERS" not in os.environ:
        os.environ["ESPGATE_OBSERVERS"] = observers()
    main(pipeline, full_disk)
