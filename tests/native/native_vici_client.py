#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""strongSwan's own vici client for Python (tools/lib/vici_client.sh) against espgated: its tests, each of its commands, the events it
listens for, and what an exporter built on it reads."""
import contextlib
import importlib
import inspect
import socket
import sys
import threading
import types

from common import ADDRESS, IDENTITY, LEFT, PATIENCE, PROPOSAL, RIGHT, expect, main, pair, wait_for
from stock import fetch_outside, fetched, pki

LIBRARY = ("vici_client", "vici_client")
SECRET = "a secret of the test"


def library():
    """The package `vici`; Skip if it cannot be had."""
    folder = fetched(*LIBRARY)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module("vici")


class _Raises:
    """pytest.raises, which is all that its tests want of pytest."""

    def __init__(self, what):
        self.what = what

    def __enter__(self):
        return self

    def __exit__(self, kind, _value, _trace):
        expect(f"{self.what} is raised", kind is not None and issubclass(kind, self.what), kind)
        return True


def its_own_tests(_):
    library()
    sys.modules.setdefault("pytest", types.SimpleNamespace(raises=_Raises))
    sys.modules.pop("test", None)  # Python has one of its own
    module = importlib.import_module("test.test_protocol")
    expect("its tests, not Python's", "vici" in str(module.__file__), module.__file__)
    count = 0
    for _name, kind in inspect.getmembers(module, inspect.isclass):
        if not kind.__name__.startswith("Test"):
            continue
        for name, test in inspect.getmembers(kind(), inspect.ismethod):
            if name.startswith("test"):
                test()
                count += 1
    print(f"  {count} tests of its own", flush=True)
    expect("there are tests", count > 10, count)


def session(vici, node):
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(PATIENCE)
    line.connect(str(node.socket))
    return vici.Session(line)


def fails(what, *arguments):
    """Whether the command is answered with success = no, and what it says."""
    try:
        answer = what(*arguments)
        if inspect.isgenerator(answer):
            list(answer)
    except Exception as error:  # CommandException of a module that is not known here
        expect("a CommandException", type(error).__name__ == "CommandException", repr(error))
        return str(error)
    return ""


def connection():
    return {"lib": {"version": "2", "local_addrs": [ADDRESS[LEFT]], "remote_addrs": [ADDRESS[RIGHT]], "proposals": [PROPOSAL],
                    "local": {"auth": "psk", "id": IDENTITY[LEFT]}, "remote": {"auth": "psk", "id": IDENTITY[RIGHT]},
                    "children": {"net": {"local_ts": ["10.1.1.0/24"], "remote_ts": ["10.2.1.0/24"],
                                         "esp_proposals": ["aes128gcm16"]}}}}


class Listener(threading.Thread):
    """Events of another session, until a child is down."""

    def __init__(self, vici, node):
        super().__init__(daemon=True)
        self.session = session(vici, node)
        self.seen = []
        self.start()

    def run(self):
        with contextlib.suppress(OSError):  # the daemon ends
            for kind, message in self.session.listen(["ike-updown", "child-updown", "ike-rekey", "child-rekey", "log"]):
                self.seen.append((kind.decode() if isinstance(kind, bytes) else kind, message))

    def has(self, kind, up=None):
        return any(kind == name and (up is None or ("up" in message) == up) for name, message in list(self.seen))


def metrics(line):
    """What exporters make of list-sas: the numbers of each child."""
    out = {}
    for entry in line.list_sas():
        for conn, sa in entry.items():
            out[f"{conn} up"] = sa["state"] == b"ESTABLISHED"
            out[f"{conn} established"] = int(sa["established"])
            for child in sa["child-sas"].values():
                name = child["name"].decode()
                for key in ("bytes-in", "bytes-out", "packets-in", "packets-out", "rekey-time", "life-time", "install-time"):
                    out[f"{conn}/{name} {key}"] = int(child[key])
    return out


def credentials(line, home):
    for folder, flag in (("x509/gw.pem", "NONE"), ("x509ca/ca.pem", "CA")):
        line.load_cert({"type": "X509", "flag": flag, "data": (home / folder).read_text()})
    line.load_key({"type": "any", "data": (home / "private/gw.pem").read_text()})
    expect("three of them are listed", len(list(line.list_certs())) == 2)
    expect("with its key", [bool(cert.get("has_privkey")) for cert in line.list_certs()] == [True, False])
    keys = line.get_keys()["keys"]
    expect("one key", len(keys) == 1, keys)
    expect("a token is refused", "not supported" in fails(line.load_token, {"handle": "00"}))
    line.load_authority({"ours": {"cacert": (home / "x509ca/ca.pem").read_text()}})
    expect("an authority", line.get_authorities()["authorities"] == [b"ours"])
    expect("it is listed", list(line.list_authorities())[0]["ours"]["cacert"] == b"O=espgate, CN=CA")
    line.unload_authority({"name": "ours"})
    line.unload_key({"id": keys[0]})
    line.flush_certs()
    line.clear_creds()
    expect("nothing is left", list(line.list_certs()) == [])


def every_command(directory):
    vici = library()
    left, right = pair(directory, right={"children": ("net",)})
    pki(directory / "home")
    line = session(vici, left)
    expect("version", line.version()["daemon"] == b"espgated")
    expect("stats", int(line.stats()["ikesas"]["total"]) == 0)
    credentials(line, directory / "home")
    line.load_pool({"p": {"addrs": "10.9.0.0/24", "dns": ["10.9.0.1"]}})
    expect("a pool", line.get_pools({"leases": "yes"})["p"]["size"] == b"254")
    line.unload_pool({"name": "p"})
    expect("it is gone", fails(line.unload_pool, {"name": "p"}) != "")
    line.load_shared({"id": "lib", "type": "IKE", "data": SECRET, "owners": [IDENTITY[RIGHT]]})
    expect("a secret", line.get_shared()["keys"] == [b"lib"])
    line.load_conn(connection())
    expect("a connection", line.get_conns()["conns"] == [b"lib"])
    expect("both are listed", [list(conn)[0] for conn in line.list_conns()] == ["demo", "lib"])
    expect("one of the file stays", str(left.config) in fails(line.unload_conn, {"name": "demo"}))
    line.install({"child": "net", "ike": "lib"})
    expect("a trap", [list(policy)[0] for policy in line.list_policies({"trap": "yes"})] == ["lib/net"])
    line.uninstall({"child": "net", "ike": "lib"})

    events = Listener(vici, left)
    said = [message["msg"].decode() for message in line.initiate({"ike": "lib", "child": "net", "timeout": "30000"})]
    expect("progress", any("established" in text for text in said), *said)
    expect("up", metrics(line)["lib up"], metrics(line))
    expect("numbers", metrics(line)["lib/net life-time"] > 0, metrics(line))
    expect("rekeyed", int(line.rekey({"child": "net"})["matches"]) == 1)
    wait_for("child-rekey", lambda: events.has("child-rekey"), PATIENCE)
    expect("rekeyed", int(line.rekey({"ike": "lib"})["matches"]) == 1)
    wait_for("ike-rekey", lambda: events.has("ike-rekey"), PATIENCE)
    expect("no redirect", "not supported" in fails(line.redirect, {"ike": "lib", "gateway": "192.0.2.9"}))
    counters = line.get_counters()["counters"][""]
    expect("counted", [int(counters[key]) for key in ("child-rekey", "ike-rekey-init", "ike-auth-out-req")] == [1, 1, 1], counters)
    line.reset_counters()
    expect("counted anew", int(line.get_counters()["counters"][""]["child-rekey"]) == 0)
    expect("not for each", "no counters" in fails(line.get_counters, {"name": "lib"}))
    list(line.terminate({"ike": "lib"}))
    for kind in ("ike-updown", "child-updown"):
        for up in (True, False):
            wait_for(f"{kind}, up {up}", lambda kind=kind, up=up: events.has(kind, up), PATIENCE)
    expect("lines of the log", events.has("log"))
    expect("algorithms", "AES_GCM_16" in line.get_algorithms()["aead"])

    line.reload_settings()
    expect("vici's survives a reload", line.get_conns()["conns"] == [b"lib"])
    line.load_conn({"demo": connection()["lib"]})
    line.reload_settings()
    expect("what it overrode is back", line.get_conns()["conns"] == [b"lib"])
    line.unload_conn({"name": "lib"})
    line.unload_shared({"id": "lib"})
    expect("nothing is left", line.get_conns()["conns"] == [] and line.get_shared()["keys"] == [])
    expect("no secret in the log", SECRET not in left.log())
    for node in (left, right):
        node.stop_cleanly()


if __name__ == "__main__":
    fetch_outside(*LIBRARY)
    main(its_own_tests, every_command)
