#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commonest support questions, each staged between two espgated: `conn show`, `doctor` and the support bundle name the cause.

What needs a kernel with ESP and an offload NIC is staged in the lab (tests/lab/support_questions.py), against strongSwan.
ESPGATE_SHOW=1 prints what they said: native_questions.py PROGRAMS > LOG; tools/readme_output.py LOG docs/troubleshooting.md
"""
import os
import re
import time

import native_certs
from common import ADDRESS, IDENTITY, LEFT, PATIENCE, RIGHT, WIRE, Node, expect, lan, main, ns, pair, run
from support_questions import Asked

QUICK = "gateway {\n  retransmit_timeout = 0.5\n  retransmit_tries = 3\n}\n"
DAY = 86400


def up(node, ok=False):
    done = node.cli("conn", "up", "demo", "--timeout", PATIENCE, ok=False, timeout=2 * PATIENCE)
    expect("conn up " + ("succeeds" if ok else "fails"), ok == (done.returncode == 0), done.stdout + done.stderr)


def ask(node, name, conn=(), doctor=(), checks=("connections",)):
    """`conn`: words of conn show; `doctor`: words of one finding. `checks`: the findings to be shown, of those there are."""
    asked = Asked(node)
    expect(f"{name}: conn show says {conn}", all(word in asked.conn for word in conn), asked.conn)
    expect(f"{name}: conn.json of the bundle, too", all(word in asked.files["conn.json"] for word in conn), asked.files["conn.json"])
    for where, text in (("doctor", asked.doctor), ("doctor.txt of the bundle", asked.bundle)):
        findings = re.split(r"\n(?=error|warning)", text)
        expect(f"{name}: {where} says {doctor}", any(all(word in finding for word in doctor) for finding in findings), text)
    if "ESPGATE_SHOW" in os.environ:
        shown = [each for each in re.split(r"\n(?=error|warning)", asked.doctor) if re.match(rf"\w+ ({'|'.join(checks)}):", each)]
        print(f"### {name}")
        if conn:
            print(f"$ espgate conn show\n{asked.conn}")
        print(f"$ espgate doctor | grep -A 1 -E '^(error|warning) ({'|'.join(checks)}):'")
        print(re.sub(r"/\S*/espgate.conf", "/etc/espgate/espgate.conf", "\n".join(shown)) + "\n### end", flush=True)


def wrong_secret(directory):
    left, _ = pair(directory, right={"secret": "another secret of the test"})
    up(left)
    ask(left, "wrong-secret", ["AUTHENTICATION_FAILED"], ["demo/net", "another shared secret", "compare the secret"])


def no_proposal(directory):
    left, right = pair(directory)
    right.write_config(right.config.read_text().replace("proposals = aes128gcm16-prfsha256-x25519", "proposals = aes256-sha256-modp2048"))
    right.cli("conn", "reload")
    up(left)
    ask(left, "no-proposal", ["NO_PROPOSAL_CHOSEN"], ["demo/net", "NO_PROPOSAL_CHOSEN", "compare proposals"])


def selectors(directory):
    left, _ = pair(directory, right={"child": {"local_ts": "10.2.99.0/24"}})
    up(left)
    ask(left, "selectors", ["TS_UNACCEPTABLE"], ["demo/net", "TS_UNACCEPTABLE", "local_ts must overlap our remote_ts"])


def nat_blocked(directory):
    """The way drops UDP port 4500, to which IKE goes when there is a NAT."""
    left, _ = pair(directory, before=QUICK, extra="encap = yes")
    ns("bridge", "nft", "-f", "-", stdin="table bridge wall {\n chain f {\n  type filter hook forward priority 0\n  udp dport 4500 drop\n }\n}\n")
    up(left)
    ask(left, "nat-blocked", ["IKE_AUTH"], ["demo/net", "IKE_AUTH", "UDP 4500"])


def mtu(directory):
    left, _ = pair(directory)
    run("ip", "-n", LEFT, "link", "set", "eth0", "mtu", "1200")
    ask(left, "mtu", (), ["eth0", "its MTU is 1200", "gateway.fragment_size = 1200"], ["mtu"])


def rp_filter(directory):
    """The peer is routed by another device than the one that has our address."""
    left, _ = pair(directory)
    run("ip", "-n", LEFT, "link", "add", "lan0", "up", "type", "veth", "peer", "name", "lan1")
    run("ip", "-n", LEFT, "link", "set", "lan1", "up")
    run("ip", "-n", LEFT, "route", "add", ADDRESS[RIGHT], "dev", "lan0")
    ns(LEFT, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=1")
    ask(left, "rp-filter", (), ["demo/net", "rp_filter = 1 on eth0", ADDRESS[LEFT], "by lan0"], ["rp-filter"])


def other_device(directory):
    left, _ = pair(directory, child={"hw_offload": "crypto"})
    ask(left, "other-device", (), ["demo/net", "packets to the peer leave by eth0, which cannot offload ESP", "strict"], ["offload"])


def expired(authority, home, name):
    """Its certificate again, for a time that is over (openssl ca can do that)."""
    (home / "ca.cnf").write_text(f"""[ca]
default_ca = d
[d]
new_certs_dir = {home}
database = {home}/db
serial = {home}/serial
default_md = sha256
policy = p
[p]
organizationName = optional
commonName = supplied
""")
    (home / "db").write_text("")
    (home / "serial").write_text("01\n")
    (home / "ext").write_text(f"subjectAltName=DNS:{IDENTITY[name]}\n")
    moment = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() - days * DAY)) for days in (10, 8)]
    native_certs.openssl("ca", "-batch", "-notext", "-config", home / "ca.cnf", "-cert", authority.cert, "-keyfile", authority.key,
                         "-in", home / "own.csr", "-out", home / "x509/own.pem", "-extfile", home / "ext", "-startdate", moment[0], "-enddate", moment[1])


def with_certificates(directory, old):
    """Two nodes of which that called `old` has a certificate that has expired."""
    lan(LEFT, RIGHT, WIRE)
    authority = native_certs.Authority(directory / "ca")
    nodes = []
    for name in (LEFT, RIGHT):
        node = Node(directory, name)
        authority.issue(node.directory, name, f"DNS:{IDENTITY[name]}", "ecdsa")
        if name == old:
            expired(authority, node.directory, name)
        nodes.append(node.start(native_certs.config(name, local="auth = pubkey\n certs = own.pem", remote="auth = pubkey"), wait=False))
    for node in nodes:
        node.wait_up()
    up(nodes[0])
    return nodes[0]


def certificate(directory):
    ask(with_certificates(directory, LEFT), "certificate", ["AUTHENTICATION_FAILED"],
        ["CN=left", "expired 8 days ago", "have it renewed"], ["certificates", "connections"])


def certificate_peer(directory):
    ask(with_certificates(directory, RIGHT), "certificate-peer", ["certificate has expired"], ["demo/net", "certificate has expired"])


def silent(directory):
    left, right = pair(directory, before=QUICK)
    right.stop_cleanly()
    up(left)
    ask(left, "silent", ["timeout"], ["demo/net", "the peer is silent", "UDP 500 and 4500"])


if __name__ == "__main__":
    main(wrong_secret, no_proposal, selectors, nat_blocked, mtu, rp_filter, other_device, certificate, certificate_peer, silent)
