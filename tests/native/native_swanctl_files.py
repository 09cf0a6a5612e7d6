#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The swanctl.conf files of tests/native/swanctl/, loaded by stock swanctl into charon and into espgated: `--list-conns` of both
is the same, but for what a file's first lines say, each with its reason:

    # espgate refuses CONN: a part of what it says
    # strongSwan refuses CONN: why
    # differs KEY: why
"""
import pathlib
import re

from common import expect, main
from scenario.shell import ROOT
from stock import Daemons, fetch_outside, pretty, text_of

FILES = pathlib.Path(__file__).resolve().parent / "swanctl"
# Ours beside strongSwan's (docs/vici.md).
ADDED = {"local_port", "remote_port", "proposals", "esp_proposals", "start_action", "hw_offload"}
NOTE = re.compile(r"# (espgate refuses|strongSwan refuses|differs) ([^:]+): (.+)")


def notes(text):
    """{"espgate refuses": {conn: words}, ...}"""
    out = {"espgate refuses": {}, "strongSwan refuses": {}, "differs": {}}
    for line in text.splitlines():
        found = NOTE.fullmatch(line)
        if found:
            out[found[1]][found[2]] = found[3]
    return out


def strip(conn, differs):
    """A connection without what is ours, and what is known to differ. Where strongSwan takes both versions we speak one of them."""
    if not isinstance(conn, dict):
        return "IKEv2" if conn == "IKEv1/2" else conn
    return {key: strip(value, differs) for key, value in conn.items() if key not in ADDED and key not in differs}


def differences(theirs, ours, at):
    """One line for each value that is not the same."""
    if not isinstance(theirs, dict) or not isinstance(ours, dict):
        return [] if theirs == ours else [f"{at}: strongSwan {theirs!r}, espgate {ours!r}"]
    out = [line for key in theirs | ours for line in differences(theirs.get(key), ours.get(key), f"{at}.{key}")]
    # strongSwan lists what is said of a side in the order it was said in.
    if not out and list(theirs) != list(ours) and not re.search(r"\.(local|remote)-\d+$", at):
        out.append(f"{at}: keys in another order: strongSwan {list(theirs)}, espgate {list(ours)}")
    return out


def listed(daemons, name):
    said = daemons.ctl(name, "--list-conns", "--pretty")
    expect(f"{name} lists", said.returncode == 0, said)
    return pretty(said.stdout).get("list-conn event", {})


def load(daemons, name, path):
    return daemons.ctl(name, "--load-all", "--clear", "--noprompt", "--file", path)


def refused(said):
    """{conn: why} of a swanctl that loaded."""
    return dict(re.findall(r"^loading connection '(.+)' failed: (.*)$", said, re.MULTILINE))


def one_file(daemons, path):
    text = text_of(path).replace("@DIR@", str(daemons.home))
    here = daemons.home / path.name
    here.write_text(text)
    known = notes(text)
    lists, results = {}, {}
    for name in ("charon", "espgated"):
        results[name] = load(daemons, name, here)
        lists[name] = listed(daemons, name)
    here.unlink()
    ours = refused(results["espgated"].stderr)
    theirs = refused(results["charon"].stderr)
    problems = []
    for conn, words in known["espgate refuses"].items():
        if words not in ours.get(conn, ""):
            problems.append(f"espgate should refuse {conn} with {words!r}, it said {ours.get(conn)!r}")
    problems += [f"espgate refuses {conn}: {why}" for conn, why in ours.items() if conn not in known["espgate refuses"]]
    problems += [f"strongSwan refuses {conn}: {why}" for conn, why in theirs.items()
                 if conn not in known["strongSwan refuses"]]
    alone = set(known["espgate refuses"]) | set(known["strongSwan refuses"])
    for conn in sorted((set(lists["charon"]) | set(lists["espgated"])) - alone):
        theirs_of, ours_of = (strip(lists[name].get(conn), known["differs"]) for name in ("charon", "espgated"))
        problems += differences(theirs_of, ours_of, conn)
    if not problems and not lists["espgated"]:
        problems.append("nothing was loaded at all")
    if not alone and results["charon"].returncode != results["espgated"].returncode:
        problems.append(f"exit status {results['charon'].returncode} and {results['espgated'].returncode}: "
                        f"{results['espgated'].stderr}")
    return problems


def the_files(directory):
    daemons = Daemons(directory)
    for folder in ("conf.d", "parts"):
        (daemons.home / folder).mkdir()
        for path in (FILES / folder).iterdir():
            (daemons.home / folder / path.name).write_text(text_of(path))
    wrong = []
    files = sorted(FILES.glob("*.conf"))
    for path in files:
        problems = one_file(daemons, path)
        wrong += [f"{path.name}: {problem}" for problem in problems]
    print(f"  {len(files)} files, {len(wrong)} differences that are not listed", flush=True)
    expect("both list the same", not wrong, *wrong)
    expect("at least 60 files", len(files) >= 60, len(files))
    daemons.node.stop_cleanly()


def every_key(_):
    """Each key of the table stands in one of the files."""
    table = "".join(text_of(path) for path in (ROOT / "control/config").glob("keys_*.cc"))
    paths = re.findall(r'^\s*\{"((?:connections|secrets|pools|authorities)\.[^"]+)"', table, re.MULTILINE)
    expect("the table is read", len(paths) > 100, len(paths))
    text = "".join(text_of(path) for path in FILES.rglob("*") if path.is_file())
    missing = []
    for path in paths:
        name = path.rpartition(".")[2]
        if name.startswith("<"):
            continue
        plain = re.escape(name.rstrip("*"))
        more = r"[\w-]*" if name.endswith("*") else ""
        if not re.search(rf"(^|\s){plain}{more}\s*(=|\{{|:)", text):
            missing.append(path)
    expect("every key is in a file", not missing, *missing)


if __name__ == "__main__":
    fetch_outside("peers", "peers_layer")
    main(every_key, the_files)
