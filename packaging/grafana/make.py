#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes espgate.json, the dashboard: packaging/grafana/make.py > packaging/grafana/espgate.json"""
import json

SOURCE = {"type": "prometheus", "uid": "${source}"}
GATEWAY = 'instance=~"$instance"'
# title, kind, unit, width, [(query, legend)]
PANELS = [
    ("Daemon", "stat", "bool_on_off", 4, [(f"espgate_up{{{GATEWAY}}}", "{{instance}}")]),
    ("Children up", "stat", "short", 4, [(f"sum(espgate_child_up{{{GATEWAY}}})", "up")]),
    ("Children down", "stat", "short", 4, [(f"count(espgate_child_up{{{GATEWAY}}} == 0) or vector(0)", "down")]),
    ("Packets in hardware", "stat", "percentunit", 4,
     [(f'sum(rate(espgate_child_packets_total{{{GATEWAY},path="hardware"}}[$__rate_interval])) '
       f"/ sum(rate(espgate_child_packets_total{{{GATEWAY}}}[$__rate_interval]))", "share")]),
    ("IKE SAs", "stat", "short", 4, [(f'espgate_ike_sas{{{GATEWAY},state="established"}}', "{{instance}}")]),
    ("Configuration taken", "stat", "bool_yes_no", 4, [(f"espgate_config_last_reload_success{{{GATEWAY}}}", "{{instance}}")]),
    ("Bits by path", "timeseries", "bps", 12,
     [(f"sum by (direction, path) (8 * rate(espgate_child_bytes_total{{{GATEWAY}}}[$__rate_interval]))", "{{direction}} {{path}}")]),
    ("Bits by child", "timeseries", "bps", 12,
     [(f"topk(20, sum by (conn, child, direction) (8 * rate(espgate_child_bytes_total{{{GATEWAY}}}[$__rate_interval])))",
       "{{conn}}/{{child}} {{direction}}")]),
    ("Software share of each child", "timeseries", "percentunit", 12,
     [(f'sum by (conn, child, direction) (rate(espgate_child_packets_total{{{GATEWAY},path="software"}}[$__rate_interval])) '
       f"/ sum by (conn, child, direction) (rate(espgate_child_packets_total{{{GATEWAY}}}[$__rate_interval]) > 0)",
       "{{conn}}/{{child}} {{direction}}")]),
    ("Fallbacks of offloaded SAs, by reason", "timeseries", "pps", 12,
     [(f"sum by (dev, reason) (rate(espgate_offload_fallbacks_total{{{GATEWAY}}}[$__rate_interval]))", "{{dev}} {{reason}}")]),
    ("Offload: wanted, actual, and why not", "table", "short", 24, [(f"espgate_child_offload_info{{{GATEWAY}}}", "")]),
    ("Slots of devices", "timeseries", "short", 8, [(f"espgate_device_offload_slots{{{GATEWAY}}}", "{{dev}} {{state}}")]),
    ("Moves between hardware and software", "timeseries", "short", 8,
     [(f"sum by (dev, move) (increase(espgate_steer_moves_total{{{GATEWAY}}}[$__rate_interval]))", "{{dev}} {{move}}")]),
    ("Time to the hard expiry of SAs", "timeseries", "s", 8,
     [(f"espgate_child_hard_expiry_timestamp_seconds{{{GATEWAY}}} - time()", "{{conn}}/{{child}}")]),
    ("IKE exchanges", "timeseries", "cps", 12,
     [(f"sum by (exchange, role, result) (rate(espgate_ike_exchanges_total{{{GATEWAY}}}[$__rate_interval])) > 0",
       "{{exchange}} {{role}} {{result}}"),
      (f"rate(espgate_ike_retransmits_total{{{GATEWAY}}}[$__rate_interval])", "retransmits")]),
    ("IKE that came to nothing", "timeseries", "cps", 12,
     [(f"sum by (reason) (rate(espgate_ike_rejected_total{{{GATEWAY}}}[$__rate_interval]))", "{{reason}}")]),
    ("Packets by class", "timeseries", "pps", 12,
     [(f"sum by (dev, class, verdict) (rate(espgate_class_packets_total{{{GATEWAY}}}[$__rate_interval]))", "{{dev}} {{class}} {{verdict}}")]),
    ("Shield", "timeseries", "pps", 12,
     [(f"sum by (dev, event) (rate(espgate_shield_packets_total{{{GATEWAY}}}[$__rate_interval]))", "{{dev}} {{event}}")]),
    ("Certificates expire in", "timeseries", "s", 12,
     [(f"espgate_certificate_expiry_timestamp_seconds{{{GATEWAY}}} - time()", "{{conn}}")]),
    ("Age of the metrics", "timeseries", "s", 12,
     [(f'time() - node_textfile_mtime_seconds{{{GATEWAY},file=~".*espgate\\\\.prom"}}', "{{instance}}")]),
]


def variable(name, label, **more):
    return {"name": name, "label": label, **more}


def panels():
    x = y = height = 0
    for number, (title, kind, unit, width, queries) in enumerate(PANELS, 1):
        if x + width > 24:
            x, y = 0, y + height
        height = 4 if kind == "stat" else 8
        yield {
            "id": number, "title": title, "type": kind, "datasource": SOURCE, "gridPos": {"x": x, "y": y, "w": width, "h": height},
            "fieldConfig": {"defaults": {"unit": unit, "min": 0} if kind != "table" else {}, "overrides": []},
            "targets": [{"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": expression, "legendFormat": legend,
                         **({"format": "table", "instant": True} if kind == "table" else {})}
                        for i, (expression, legend) in enumerate(queries)],
        }
        x += width


print(json.dumps({
    "title": "espgate", "uid": "espgate", "schemaVersion": 36, "version": 1, "editable": True, "tags": ["ipsec", "offload"],
    "time": {"from": "now-1h", "to": "now"}, "refresh": "30s",
    "templating": {"list": [
        variable("source", "Prometheus", type="datasource", query="prometheus"),
        variable("instance", "Gateway", type="query", datasource=SOURCE, query="label_values(espgate_up, instance)", refresh=2,
                 includeAll=True, multi=True, current={"text": "All", "value": "$__all"}),
    ]},
    "panels": list(panels()),
}, indent=1))
