# SPDX-License-Identifier: Apache-2.0
"""What of espgated stands in the kernel, in a form that compares equal when nothing is missing or left over."""
import collections
import json
import os
import re

from . import counters, daemon, hosts
from .shell import ns

# Made by hand beside espgated; nobody but us may touch them. RFC 5737, RFC 6890: addresses of documentation.
FOREIGN_SPI = "0badcafe"
# What the kernel holds while it waits for an SA that a packet asked for: its own, gone after net.core.xfrm_acq_expires.
LARVAL_SPI = "00000000"
FOREIGN_SA = ("xfrm", "state", "add", "src", "203.0.113.1", "dst", "203.0.113.2", "proto", "esp", "spi", f"0x{FOREIGN_SPI}",
              "reqid", "77", "mode", "tunnel", "aead", "rfc4106(gcm(aes))", "0x" + "5a" * 20, "128")
FOREIGN_POLICY = ("xfrm", "policy", "add", "src", "172.16.1.0/24", "dst", "172.16.2.0/24", "dir", "out", "tmpl", "src",
                  "203.0.113.1", "dst", "203.0.113.2", "proto", "esp", "reqid", "77", "mode", "tunnel")


def add_foreign(name=hosts.GW):
    ns(name, "ip", *FOREIGN_SA)
    ns(name, "ip", *FOREIGN_POLICY)


def foreign(name=hosts.GW):
    """(SA stands, policy stands)."""
    return (FOREIGN_SPI in counters.kernel_sas(name),
            any(block.startswith("src 172.16.1.0/24 dst 172.16.2.0/24") for block in counters.policies(name)))


def _bpftool(*words):
    return json.loads(ns(hosts.GW, "bpftool", "-j", *words).stdout or "[]")


def _link(link):
    place = link.get("devname") or link.get("ifindex") or link.get("target_obj_id") or link.get("tp_name") or ""
    return f"{link['type']} {link.get('attach_type', '')} {place}"


def policies(name=hosts.GW):
    """One line each, without what differs from run to run; foreign ones left out."""
    lines = [re.sub(r"\s+", " ", block).strip() for block in counters.policies(name)]
    return sorted(line for line in lines if not line.startswith("src 172.16.1.0/24"))


def pins(directory=daemon.BPFFS):
    """Files below a bpffs, relative."""
    return sorted(os.path.relpath(os.path.join(at, name), directory)
                  for at, _, names in os.walk(directory) for name in names)


def footprint(name=hosts.GW):
    """{"SAs", "policies", "pins", "links", "programs"}; foreign SA and policy left out."""
    programs = collections.Counter(program.get("name", "") for program in _bpftool("prog", "list"))
    return {
        "SAs": sorted(spi for spi in counters.kernel_sas(name) if spi not in (FOREIGN_SPI, LARVAL_SPI)),
        "policies": policies(name),
        "pins": pins(),
        "links": sorted(_link(link) for link in _bpftool("link", "list")),
        "programs": dict(sorted(programs.items())),
    }


def floor_of(number, name=hosts.GW):
    """Directions of the block policies of child `number`, sorted."""
    near, far = hosts.network(1, number), hosts.network(2, number)
    out = set()
    for line in policies(name):
        ends = re.match(r"src (\S+) dst (\S+) .*?dir (\w+) action block", line)
        if ends and {ends.group(1), ends.group(2)} == {near, far}:
            out.add(ends.group(3))
    return sorted(out)
