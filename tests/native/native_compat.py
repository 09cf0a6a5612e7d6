#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an earlier version promised is still there (docs/compatibility.md): tests/compat/VERSION has it as it was, a word a line.

vici commands and events, commands of espgate with their keywords, metrics, keys of the configuration, members of JSON that scripts
may rely on. A new version gets a folder of its own by `ESPGATE_FREEZE=VERSION native_compat.py PROGRAMS` (its vici-* by hand, out of
docs/vici.md); a file of a published version is never changed. Records of IKE SAs and maps: tests/unit/ike_engine/record_test.cc, tests/bpf/upgrade_test.cc.
"""
import json
import os
import re

from common import LEFT, ROOT, Node, config, expect, lan, main, run
from scenario import vici

FOLDER = ROOT / "tests/compat"


def cli():
    """`espgate OBJECT COMMAND KEYWORD` for each, and without the keyword."""
    out = []
    for name in re.findall(r"^  ([a-z-]+) {2,}", run("espgate", "help").stdout, re.M):
        for line in re.findall(rf"^  (espgate {name} .*)", run("espgate", name, "help").stdout, re.M):
            words = line.split()
            out.append(" ".join(words[:3]))
            out += [f"{' '.join(words[:3])} {word}" for word in re.findall(r"\[(-*[a-z][a-z-]*)", line)]
    return sorted(out)


def required(schema, at=""):
    """Each member that is always there, as a path."""
    for name, member in schema.get("properties", {}).items():
        path = f"{at}.{name}"
        if name in schema.get("required", []):
            yield path
        yield from required(member, path)
    if "items" in schema:
        yield from required(schema["items"], at + "[]")


def members():
    out = []
    for path in sorted((ROOT / "docs/schema").glob("*.json")):
        schema = json.loads(path.read_text())
        out += [path.stem + each for each in required(schema)]
        for name, part in schema.get("$defs", {}).items():
            out += [f"{path.stem}#{name}{each}" for each in required(part)]
    return sorted(out)


def now():
    return {
        "espgate": cli(),
        "metrics": sorted(set(re.findall(r"^\| `(espgate_\w+)", (ROOT / "docs/metrics.md").read_text(), re.M))),
        "keys": sorted(set(re.findall(r"^\| `([a-z_<>.*-]+)", (ROOT / "docs/configuration.md").read_text(), re.M))),
        "json": members(),
    }


def freeze(version):
    there = now()
    (FOLDER / version).mkdir(parents=True, exist_ok=True)
    for name, words in there.items():
        (FOLDER / version / name).write_text("".join(f"{word}\n" for word in sorted(set(words))))


def promises(directory):
    if "ESPGATE_FREEZE" in os.environ:
        freeze(os.environ["ESPGATE_FREEZE"])
    versions = sorted(path for path in FOLDER.iterdir() if path.is_dir())
    expect("there is a version to hold against", versions)
    there = now()
    for version in versions:
        for name in ("espgate", "metrics", "keys", "json"):
            was = set((version / name).read_text().split("\n")) - {""}
            expect(f"{version.name}: {name} is not empty", len(was) > 10, was)
            expect(f"{version.name}: all of {name} is there", was <= set(there[name]), sorted(was - set(there[name])))
    lan(LEFT)
    node = Node(directory, LEFT).start(config(LEFT))
    client = vici.Client(node.socket)
    for version in versions:
        for command in (version / "vici-commands").read_text().split():
            # Refused for want of arguments, perhaps, but known.
            client._send(vici.REQUEST, command, vici.encode({}))  # noqa: SLF001
            kind, _ = client._receive()  # noqa: SLF001
            expect(f"{version.name}: vici command {command}", kind == vici.RESPONSE, kind)
        for event in (version / "vici-events").read_text().split():
            client._send(vici.REGISTER, event)  # noqa: SLF001
            kind, _ = client._receive()  # noqa: SLF001
            expect(f"{version.name}: vici event {event}", kind == vici.CONFIRM, kind)
    client._send(vici.REQUEST, "no-such-command", vici.encode({}))  # noqa: SLF001
    expect("a command that there is not", client._receive()[0] == vici.UNKNOWN)  # noqa: SLF001


if __name__ == "__main__":
    main(promises)
