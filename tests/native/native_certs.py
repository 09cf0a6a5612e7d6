#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two espgated with `--kernel null` authenticate each other with certificates that OpenSSL's own program made."""
import json

import common
from common import ADDRESS, IDENTITY, LEFT, NETWORK, PATIENCE, PROPOSAL, RIGHT, WIRE, Node, expect, main, run, wait_for

KINDS = {"rsa": ("RSA", "rsa_keygen_bits:2048"), "ecdsa": ("EC", "ec_paramgen_curve:P-256"), "ed25519": ("ED25519", None)}
PASSPHRASE = "a passphrase of the test"


def openssl(*words):
    return run("openssl", *words)


class Authority:
    """A root CA, and what it issues, in a folder."""

    def __init__(self, directory, name="root"):
        self.directory, self.name = directory, name
        directory.mkdir(parents=True, exist_ok=True)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/O=espgate/CN={name}", "-keyout", self.key, "-out", self.cert)

    @property
    def key(self):
        return self.directory / f"{self.name}.key"

    @property
    def cert(self):
        return self.directory / f"{self.name}.pem"

    def issue(self, home, subject, san, kind, passphrase=None):
        """Certificate and key in swanctl's folders below `home`, with our own certificate as CA."""
        for folder in ("x509", "x509ca", "private"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        key, request = home / "private" / "own.pem", home / "own.csr"
        algorithm, option = KINDS[kind]
        lock = ["-aes-256-cbc", "-pass", f"pass:{passphrase}"] if passphrase else []
        openssl("genpkey", "-algorithm", algorithm, *(["-pkeyopt", option] if option else []), *lock, "-out", key)
        key.chmod(0o600)
        (home / "san").write_text(f"subjectAltName={san}\n")
        openssl("req", "-new", "-key", key, "-passin", f"pass:{passphrase or ''}", "-subj", f"/O=espgate/CN={subject}",
                "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", "1",
                "-extfile", home / "san", "-out", home / "x509" / "own.pem")
        (home / "x509ca" / "ca.pem").write_text(self.cert.read_text())


def config(name, *, local="", remote="", local_id=None, remote_id=None, secrets=""):
    other = RIGHT if name == LEFT else LEFT
    return f"""
connections {{
  demo {{
    local_addrs = {ADDRESS[name]}
    remote_addrs = {ADDRESS[other]}
    proposals = {PROPOSAL}
    local {{
      id = {local_id or IDENTITY[name]}
      {local}
    }}
    remote {{
      id = {remote_id or IDENTITY[other]}
      {remote}
    }}
    children {{
      net {{
        local_ts = {NETWORK[name].format(1)}
        remote_ts = {NETWORK[other].format(1)}
        esp_proposals = aes128gcm16
      }}
    }}
  }}
}}
{secrets}
"""


def nodes(directory, **how):
    common.lan(LEFT, RIGHT, WIRE)
    made = {name: Node(directory, name) for name in (LEFT, RIGHT)}
    return made[LEFT], made[RIGHT]


def up(node, status=0):
    done = node.cli("-j", "conn", "up", "demo", "--timeout", PATIENCE, ok=False, timeout=2 * PATIENCE)
    expect(f"conn up: exit status {status}", done.returncode == status, done.stdout, done.stderr, node.log())
    return json.loads(done.stdout)


def every_kind(directory):
    """RSA against ECDSA, Ed25519 against RSA, ...: names as identities, a key with a passphrase among them."""
    ca = Authority(directory / "ca")
    left, right = nodes(directory)
    for turn, (ours, theirs) in enumerate((("rsa", "ecdsa"), ("ed25519", "rsa"), ("ecdsa", "ed25519"))):
        locked = PASSPHRASE if turn == 0 else None
        ca.issue(left.directory, "left", f"DNS:{IDENTITY[LEFT]}", ours, locked)
        ca.issue(right.directory, "right", f"DNS:{IDENTITY[RIGHT]},IP:{ADDRESS[RIGHT]}", theirs)
        secrets = f"secrets {{ private-own {{\n file = own.pem\n secret = \"{PASSPHRASE}\"\n }} }}" if locked else ""
        for node in (left, right):
            node.start(config(node.name, local="certs = own.pem", secrets=secrets if node is left else ""), wait=False)
        for node in (left, right):
            node.wait_up()
        for initiator, responder in ((left, right), (right, left)):
            up(initiator)
            for node in (left, right):
                expect("one IKE SA and one child", len(node.json("ike", "show")) == 1 and len(node.json("sa", "show")) == 1)
            initiator.cli("conn", "down", "demo")
            common.wait_for("it to be down", lambda node=responder: not node.json("ike", "show"))
        for node in (left, right):
            node.stop_cleanly()
            expect("no passphrase in a log", PASSPHRASE not in node.log())


def distinguished_names(directory):
    """Subjects as identities, ours by default, the peer's by pattern."""
    ca = Authority(directory / "ca")
    left, right = nodes(directory)
    for node in (left, right):
        ca.issue(node.directory, node.name, f"DNS:{IDENTITY[node.name]}", "ecdsa")
        node.start(config(node.name, local_id="%any", remote_id="\"O=espgate, CN=*\""), wait=False)
    for node in (left, right):
        node.wait_up()
    up(left)
    shown = right.json("ike", "show")[0]
    expect("the subject is shown", "O=espgate, CN=left" in json.dumps(shown), shown)
    for node in (left, right):
        node.stop_cleanly()


def strangers(directory):
    """Another CA of the same name; and a certificate that lacks the identity: refused, and both sides say why."""
    ca, other = Authority(directory / "ca"), Authority(directory / "other")
    left, right = nodes(directory)
    other.issue(left.directory, "left", f"DNS:{IDENTITY[LEFT]}", "ecdsa")
    ca.issue(right.directory, "right", f"DNS:{IDENTITY[RIGHT]}", "ecdsa")
    (left.directory / "x509ca" / "ca.pem").write_text(ca.cert.read_text())
    for node in (left, right):
        node.start(config(node.name), wait=False)
    for node in (left, right):
        node.wait_up()
    answer = up(left, status=2)
    expect("it names step and notify", "AUTHENTICATION_FAILED" in answer["error"]["text"], answer)
    wait_for("the responder to say why", lambda: "bad-certificate" in right.log() and "O=espgate, CN=left" in right.log())
    for node in (left, right):
        expect("nothing is left", not node.json("ike", "show") and not node.json("sa", "show"))
    for node in (left, right):
        node.stop_cleanly()


def broken_configuration(directory):
    """What is missing is an error with its place, and nothing starts."""
    common.lan(LEFT, WIRE)
    left = Node(directory, LEFT)
    left.write_config(config(LEFT, local="certs = own.pem"))
    done = run("espgated", "--check-config", "--config", left.config, ok=False)
    expect("exit status 1", done.returncode == 1, done)
    expect("it names the file that is missing", "x509/own.pem: No such file or directory" in done.stderr, done.stderr)


if __name__ == "__main__":
    main(every_kind, distinguished_names, strangers, broken_configuration)
