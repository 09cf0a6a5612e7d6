#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keys are where they belong and nowhere else: not in a log at any level, not in what espgate or the control socket
says, not in arguments or environment, not in what a core dump would have.

The keys that are looked for: the shared secrets, wrong ones, passphrases and private keys that the test wrote itself;
and all that lies in the pages in which espgated has its keys (SK_*, KEYMAT, the states of OpenSSL), read from outside.
"""
import base64
import contextlib
import hashlib
import pathlib
import re
import subprocess

import memory
import native_certs
from common import LEFT, PATIENCE, RIGHT, Node, config, expect, lan, main, run, sanitized
from native_vici import REQUEST, answer, client, packet

PSK = "Ein-Geheimnis-das-niemand-erraten-darf-4711"
WRONG = "Ein-falsches-das-auch-niemand-sehen-darf-0815"
PPK = hashlib.sha256(b"a post-quantum preshared key (RFC 8784)").digest()
SHOWS = [("sa", "show"), ("sa", "show", "kernel"), ("ike", "show"), ("conn", "show"), ("policy", "show"),
         ("offload", "show"), ("stats", "show"), ("flow", "show"), ("shield", "show"), ("prog", "show"), ("map", "show"),
         ("export", "prometheus"), ("doctor",)]
REQUESTS = ["version", "stats", "list-sas", "list-conns", "get-conns", "list-policies", "list-certs", "list-authorities",
            "get-authorities", "get-keys", "get-shared", "get-pools", "get-algorithms", "get-counters", "reload-settings",
            "espgate-children", "espgate-offload", "espgate-events", "espgate-reload"]


def loud(directory, name, text):
    return Node(directory, name, kernel=("--kernel", "null", "--log-level", "trace")).start(text)


def everything_said(nodes):
    """What comes out of the programs: logs, tables, JSON, answers of the control socket, errors, /proc."""
    out = {}
    for node in nodes:
        for words in SHOWS:
            for form in ((), ("-j",)):
                done = node.cli(*form, *words, ok=False, timeout=PATIENCE)
                out[f"{node.name}: espgate {' '.join(form + words)}"] = done.stdout + done.stderr
        for words in (("conn", "up", "demo/nothing"), ("conn", "rekey", "demo"), ("conn", "reload")):
            done = node.cli("-j", *words, ok=False, timeout=PATIENCE)
            out[f"{node.name}: espgate {' '.join(words)}"] = done.stdout + done.stderr
        with client(node) as sock:
            for name in REQUESTS:
                sock.sendall(packet(REQUEST, name.encode()))
                out[f"{node.name}: vici {name}"] = answer(sock)
        for file in ("cmdline", "environ", "comm", "status", "maps"):
            out[f"{node.name}: /proc/PID/{file}"] = pathlib.Path(f"/proc/{node.process.pid}/{file}").read_bytes()
        out[f"{node.name}: log"] = node.log()
    return {where: text.encode(errors="surrogateescape") if isinstance(text, str) else text
            for where, text in out.items()}


def expect_silent(said, secrets):
    """That nothing of `secrets` (name: octets) is in anything that was said."""
    for where, text in said.items():
        for name, octets in secrets.items():
            found = memory.found_in(text, octets)
            expect(f"nothing of {name} in {where}", not found, *found)


def keys_of(node):
    blocks = memory.secret(node.process.pid)
    keys = memory.keys_in(blocks)
    expect(f"{node.name}: pages for keys", sum(map(len, blocks)) > 100_000, sum(map(len, blocks)))
    return keys


def expect_keys_silent(said, nodes):
    """The same of whatever is in the pages for keys. Public parts of certificates lie there, too: what the programs' own
    files or the test's public files have is no secret."""
    if sanitized():
        return  # AddressSanitizer's shadow is left out of dumps as well, and is too much to read
    whole = b"\n".join(said.values())
    tokens = set(re.findall(rb"[0-9a-fA-F]{32,}|[A-Za-z0-9+/]{21,}={0,2}", whole))
    pieces = set()
    for token in tokens:
        with contextlib.suppress(ValueError):
            pieces.add(bytes.fromhex(token[:len(token) // 2 * 2].decode()))
        for skip in range(4):
            with contextlib.suppress(ValueError):
                pieces.add(base64.b64decode(token[skip:skip + (len(token) - skip) // 4 * 4]))
    heap = whole + b"".join(pieces)
    count = 0
    for node in nodes:
        for key in keys_of(node):
            count += 1
            expect(f"{node.name}: octets of its pages for keys are not said", key not in heap, key.hex())
    expect("there were keys to look for", count > 100, count)


def expect_core_clean(node, secrets):
    blocks = memory.dumped(node.process.pid)
    expect("a core of some size", sum(map(len, blocks)) > 1 << 20, sum(map(len, blocks)))
    for name, octets in secrets.items():
        places = sum(block.count(octets) for block in blocks)
        expect(f"{node.name}: nothing of {name} in what a core dump has", places == 0, places)


def with_ppk(name, secret):
    """Without one under a sanitizer: its `delete` wipes nothing (gateway/wiping_delete.cc), and a second section of secrets leaves a
    text of the first behind."""
    if sanitized():
        return config(name, secret=secret)
    return (config(name, secret=secret, extra="ppk_id = later\n    ppk_required = yes") +
            f"secrets {{\n  ppk-later {{\n    id = later\n    secret = 0x{PPK.hex()}\n  }}\n}}\n")


def shared_secrets(directory):
    """A pair that comes up, rekeys, reloads, fails, at the highest level of the log."""
    lan(LEFT, RIGHT)
    text = {name: with_ppk(name, PSK) for name in (LEFT, RIGHT)}
    nodes = [loud(directory, name, text[name]) for name in (LEFT, RIGHT)]
    left, right = nodes
    left.cli("conn", "up", "demo/net", timeout=PATIENCE)
    left.cli("conn", "rekey", "demo", timeout=PATIENCE)
    left.cli("conn", "rekey", "demo/net", timeout=PATIENCE)
    secrets = {"the shared secret": PSK.encode(), "the wrong one": WRONG.encode(), "the post-quantum one": PPK}
    for node in nodes:
        expect_core_clean(node, secrets)
        if not sanitized():
            kept = b"".join(memory.secret(node.process.pid))
            expect(f"{node.name}: the secrets are where they belong", PSK.encode() in kept and PPK in kept)
    said = everything_said(nodes)
    expect_silent(said, secrets)
    expect_keys_silent(said, nodes)
    # A reload with another secret, and broken ones; then an attempt that fails by it.
    for broken in (with_ppk(LEFT, WRONG).replace("secret =", "secretly ="), with_ppk(LEFT, "0x" + "zz" + WRONG),
                   with_ppk(LEFT, "0s%" + WRONG), with_ppk(LEFT, WRONG).replace("id-1", "id_1")):
        left.write_config(broken)
        left.cli("conn", "reload", ok=False)
        done = run("espgated", "--check-config", "--config", left.config, ok=False)
        expect_silent({"--check-config": (done.stdout + done.stderr).encode()}, secrets)
    left.write_config(with_ppk(LEFT, WRONG))
    left.cli("conn", "reload")
    left.cli("conn", "down", "demo", ok=False, timeout=PATIENCE)
    failed = left.cli("conn", "up", "demo/net", "--timeout", "10", ok=False, timeout=PATIENCE)
    expect("the wrong secret does not do", failed.returncode == 2, failed)
    said = everything_said(nodes)
    said["conn up"] = (failed.stdout + failed.stderr).encode()
    expect_silent(said, secrets)
    expect_keys_silent(said, nodes)
    for node in nodes:
        expect_core_clean(node, secrets)
        node.stop_cleanly()
    expect_silent({node.name: node.log().encode() for node in nodes}, secrets)


def der_of(pem, passphrase=None):
    """The integers of a private key that are secret, as OpenSSL's own program shows them."""
    words = ["openssl", "pkey", "-in", pem, "-text", "-noout", *(["-passin", f"pass:{passphrase}"] if passphrase else [])]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    out = {}
    for name in ("priv", "privateExponent", "prime1", "prime2"):
        found = re.search(rf"^{name}:\n((?:\s+[0-9a-f:]+\n)+)", text, re.M)
        if found:
            out[name] = bytes.fromhex(re.sub(r"[\s:]", "", found[1])).lstrip(b"\0")
    expect(f"{pem} has secret numbers", out, text)
    return out


def private_keys(directory):
    """Certificates: the private keys, one behind a passphrase."""
    lan(LEFT, RIGHT)
    for kind, passphrase in (("rsa", None), ("ecdsa", native_certs.PASSPHRASE), ("ed25519", None)):
        place = directory / kind
        authority = native_certs.Authority(place / "authority")
        nodes, secrets = [], {}
        for name in (LEFT, RIGHT):
            node = Node(place, name, kernel=("--kernel", "null", "--log-level", "trace"))
            authority.issue(node.directory, name, f"DNS:{name}.example.org", kind, passphrase)
            own = node.directory / "private" / "own.pem"
            section = f"secrets {{\n private-own {{\n file = own.pem\n secret = \"{passphrase}\"\n }}\n}}\n" if passphrase else ""
            for which, number in der_of(own, passphrase).items():
                # As octets from either end, as OpenSSL's numbers lie in memory, and the first half of each.
                secrets[f"{name}'s {which}"] = number
                secrets[f"{name}'s {which}, words"] = number[::-1]
                secrets[f"{name}'s {which}, in part"] = number[:16]
            secrets[f"{name}'s PEM"] = own.read_bytes().splitlines()[2][:48]
            nodes.append(node.start(native_certs.config(name, secrets=section)))
        if passphrase:
            secrets["the passphrase"] = passphrase.encode()
        nodes[0].cli("conn", "up", "demo/net", timeout=PATIENCE)
        expect_silent(everything_said(nodes), secrets)
        for node in nodes:
            if not sanitized():
                expect_core_clean(node, secrets)
            node.stop_cleanly()


def files_that_others_may_read(directory):
    """Refused at the start and at a reload, and the mode is named, not what is in the file."""
    lan(LEFT)
    node = Node(directory, LEFT).start(config(LEFT, secret=PSK))
    for mode in (0o604, 0o644, 0o646, 0o666):
        node.config.chmod(mode)
        done = run("espgated", "--check-config", "--config", node.config, ok=False)
        said = done.stdout + done.stderr
        expect(f"mode {mode:o} refused", done.returncode == 1 and f"{mode:04o}" in said, said)
        expect("and at a reload", node.cli("conn", "reload", ok=False).returncode == 2)
        expect_silent({"--check-config": said.encode()}, {"the secret": PSK.encode()})
    for mode in (0o400, 0o600, 0o640):
        node.config.chmod(mode)
        expect(f"mode {mode:o} taken", run("espgated", "--check-config", "--config", node.config, ok=False).returncode == 0)
    node.stop_cleanly()


if __name__ == "__main__":
    main(shared_secrets, private_keys, files_that_others_may_read)
