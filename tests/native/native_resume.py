#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""espgated killed and started again: it goes on with its IKE SAs, from files on a tmpfs or from systemd's fd store.

Usage: native_resume.py PROGRAM_DIRECTORY
"""
import array
import fcntl
import os
import pathlib
import select
import shutil
import signal
import socket
import stat
import subprocess

from common import ADDRESS, IDENTITY, LEFT, PATIENCE, PROPOSAL, QUICK, RIGHT, Node, config, expect, lan, main, run, wait_for
from scenario import vici

KEEP = "gateway {\n  retransmit_timeout = 0.5\n  on_stop = keep\n}\n"


def state_of(name):
    return pathlib.Path(f"/run/state-{name}")


def resumable(directory, name):
    return Node(directory, name, kernel=("--kernel", "null", "--state", state_of(name)))


def both(directory, before=KEEP, **how):
    lan(LEFT, RIGHT)
    for name in (LEFT, RIGHT):
        shutil.rmtree(state_of(name), ignore_errors=True)
    return [resumable(directory, name).start(config(name, before=before, **how)) for name in (LEFT, RIGHT)]


def spis(node):
    return {(row["in"]["spi"], row["out"]["spi"]) for row in node.json("sa", "show")}


def goes_on(node):
    wait_for("the children", lambda: node.states()["demo/net"]["state"] == "up", PATIENCE)


def again(node, how=signal.SIGKILL):
    node.stop(how, seconds=PATIENCE)
    node.start()
    goes_on(node)


def kills_leave_no_trace(directory):
    """Ten kills, then exchanges from both sides: numbers, SPIs and message ids are those of before."""
    nodes = both(directory)
    left, right = nodes
    left.cli("conn", "up", "demo/net")
    before = {node.name: node.json("ike", "show") for node in nodes}
    for turn in range(10):
        again(nodes[turn % 2])
    for node in nodes:
        now = node.json("ike", "show")
        for key in before[node.name][0]:
            if key not in ("children", "established_at", "rekey_at"):
                expect(f"{node.name}: {key} as before", now[0][key] == before[node.name][0][key], now, before[node.name])
        log = node.log()
        expect(f"{node.name}: one IKE SA was ever negotiated", log.count("IKE SA established with") == 1, log[-3000:])
        expect(f"{node.name}: no exchange was refused", "refused" not in log and "failed" not in log, log[-3000:])
        expect(f"{node.name}: said that it goes on", log.count("goes on where a former espgated left it") == 5, log[-3000:])
    for node in nodes:
        old = spis(node)
        node.cli("conn", "rekey", "demo/net")
        wait_for("a new generation", lambda: spis(node) != old, PATIENCE)
        again(node)
        node.cli("conn", "rekey", "demo")
        again(node)
    for node in nodes:
        log = node.log()
        expect(f"{node.name}: still none anew", log.count("IKE SA established with") == 1, log[-3000:])
    left.cli("conn", "down", "demo")
    wait_for("the peer to hear of it", lambda: right.json("ike", "show") == [], PATIENCE)


def files_are_for_nobody_else(directory):
    nodes = both(directory)
    left, right = nodes
    left.cli("conn", "up", "demo/net")
    folder = state_of(LEFT)
    mode = stat.S_IMODE(folder.stat().st_mode)
    expect("the directory is 0700", mode == 0o700, oct(mode))
    files = list(folder.iterdir())
    expect("there are records", files)
    for file in files:
        mode = stat.S_IMODE(file.stat().st_mode)
        expect(f"{file.name} is 0600", mode == 0o600, oct(mode))
    # on_stop = keep is a kill with manners
    old = spis(left)
    again(left, signal.SIGTERM)
    expect("keep: the SAs are the same", spis(left) == old)
    # Others may have written to it: not believed.
    left.stop(signal.SIGKILL)
    files[0].chmod(0o666)
    left.start()
    expect("a file that others may write to is refused", "is not used" in left.log(), left.log()[-2000:])
    left.cli("conn", "up", "demo/net")
    # A closing stop leaves nothing.
    left.write_config(config(LEFT, before=QUICK))
    left.cli("conn", "reload")
    left.stop_cleanly()
    expect("close: no record is left", list(folder.iterdir()) == [], list(folder.iterdir()))


def what_does_not_fit_is_refused_whole(directory):
    nodes = both(directory)
    left, right = nodes
    left.cli("conn", "up", "demo/net")
    left.stop(signal.SIGKILL)
    for file in state_of(LEFT).iterdir():
        octets = bytearray(file.read_bytes())
        for at in range(200, 128 + 8192, 64):
            octets[at] ^= 1
        file.write_bytes(octets)
    left.start()
    expect("spoilt state is refused", "is not used" in left.log(), left.log()[-2000:])
    left.cli("conn", "up", "demo/net")
    left.stop(signal.SIGKILL)
    folder = directory / "no-tmpfs"
    folder.mkdir(mode=0o700)
    if os.path.ismount("/tmp") and "tmpfs" in run("stat", "-f", "-c", "%T", "/tmp").stdout:
        return
    left.arguments[left.arguments.index("--state") + 1] = folder
    left.start()
    expect("keys go to no disk", "keys go to no disk" in left.log(), left.log()[-2000:])
    expect("nothing is written there", list(folder.iterdir()) == [])


def versions_read_each_other(directory):
    """Up to the next version of the record and back: nobody negotiates anything."""
    nodes = both(directory)
    left, right = nodes
    left.cli("conn", "up", "demo/net")
    old = spis(left)
    for program in ("espgated-next", "espgated", "espgated-next"):
        left.stop(signal.SIGKILL)
        left.program = program
        left.start()
        goes_on(left)
        expect(f"{program}: the same SAs", spis(left) == old, spis(left), old)
    log = left.log()
    expect("one IKE SA was ever negotiated", log.count("IKE SA established with") == 1, log[-3000:])
    left.cli("conn", "rekey", "demo/net")


def load(node, names, secret=True):
    """As swanctl --load-all does; what the daemon answers must be yes."""
    line = vici.Client(node.socket, PATIENCE)

    def ask(command, message):
        done, why = line.ask(command, message)
        expect(f"{command} is taken", done, why)

    if secret:
        ask("load-shared", {"id": "ours", "type": "IKE", "data": "loaded over vici", "owners": list(IDENTITY.values())})
    for number, name in enumerate(names, 1):
        ask("load-conn", {name: {
            "version": "2", "local_addrs": [ADDRESS[LEFT]], "remote_addrs": [ADDRESS[RIGHT]], "proposals": [PROPOSAL],
            "local": {"auth": "psk", "id": IDENTITY[LEFT]}, "remote": {"auth": "psk", "id": IDENTITY[RIGHT]},
            "children": {"net": {"local_ts": [f"10.1.{number}.0/24"], "remote_ts": [f"10.2.{number}.0/24"],
                                 "esp_proposals": ["aes128gcm16"], "start_action": "trap"}}}})
    line.close()


def loaded(node):
    line = vici.Client(node.socket, PATIENCE)
    names = line.command("get-conns")[0]["conns"]
    line.close()
    return names


def what_vici_loaded_goes_on(directory):
    """Connections and secrets of swanctl --load-all, without a file that has any, outlive a kill; what was unloaded does not."""
    lan(LEFT, RIGHT)
    shutil.rmtree(state_of(LEFT), ignore_errors=True)
    right = Node(directory, RIGHT).start(config(RIGHT, secret="loaded over vici"))
    left = resumable(directory, LEFT).start(KEEP)
    load(left, ("demo", "other", "gone"))
    line = vici.Client(left.socket, PATIENCE)
    expect("unloaded", line.ask("unload-conn", {"name": "gone"})[0])
    line.close()
    left.cli("conn", "up", "demo/net")
    old = spis(left)
    for turn in range(3):
        again(left, signal.SIGTERM if turn == 1 else signal.SIGKILL)
        expect("the same SAs", spis(left) == old, spis(left), old)
        expect("the same connections, in their order", loaded(left) == ["demo", "other"], loaded(left))
        expect("traps stand", left.states()["other/net"]["state"] == "trapped", left.states())
    # An operator's script loads it all once more: nothing happens to what is up.
    load(left, ("demo", "other"))
    expect("the same SAs", spis(left) == old, spis(left), old)
    expect("one IKE SA was ever negotiated", left.log().count("IKE SA established with") == 1, left.log()[-3000:])
    # The secret is there, too.
    left.cli("conn", "down", "demo")
    wait_for("the peer to hear of it", lambda: right.json("ike", "show") == [], PATIENCE)
    left.cli("conn", "up", "demo/net")
    # A file that has the name comes before what was loaded, now and for the next one.
    left.write_config(config(LEFT, before=KEEP, secret="loaded over vici"))
    left.cli("conn", "reload")
    expect("the file's stands in its place", loaded(left) == ["other"], loaded(left))
    again(left)
    expect("and goes on to", loaded(left) == ["other"], loaded(left))
    # A stop that closes leaves nothing of it.
    left.write_config(QUICK)
    left.cli("conn", "reload")
    left.stop_cleanly()
    left.start()
    expect("nothing is left after a clean stop", loaded(left) == [], loaded(left))


class Systemd:
    """As much of it as an fd store takes."""

    def __init__(self):
        self.path = "/run/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(PATIENCE)
        self.kept = []

    def hear(self):
        """One message; its lines."""
        message, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(64))
        lines = message.decode().splitlines()
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds = array.array("i")
                fds.frombytes(data)
                if "FDSTORE=1" in lines:
                    self.kept += list(fds)
        if "FDSTOREREMOVE=1" in lines:
            self.drop()
        return lines

    def hear_all(self):
        """What waits."""
        while select.select([self.socket], [], [], 0)[0]:
            self.hear()

    def drop(self):
        for fd in self.kept:
            os.close(fd)
        self.kept = []

    def start(self, node):
        self.hear_all()
        names = ":".join("espgate-state" for _ in self.kept)
        high = [os.dup2(fd, 60 + i) for i, fd in enumerate(self.kept)]  # so that none is in the way of another
        there = " ".join(f"{3 + i}<&{fd}" for i, fd in enumerate(high))
        listen = f"LISTEN_PID=$$ LISTEN_FDS={len(self.kept)} LISTEN_FDNAMES={names} " if self.kept else ""
        command = (f"{listen}NOTIFY_SOCKET={self.path} FDSTORE=64 exec ip netns exec {node.name} espgated --config {node.config} "
                   f"--vici unix://{node.socket} --bpffs {node.bpffs} --kernel null --state /run/unused {there}")
        with open(node.log_file, "ab") as log:
            node.process = subprocess.Popen(["bash", "-c", command], pass_fds=high, stdout=log, stderr=log)
        while "READY=1" not in self.hear():
            pass
        node.wait_up()


def systemd_keeps_it(directory):
    nodes = both(directory)
    left, right = nodes
    left.stop(signal.SIGKILL)
    manager = Systemd()
    manager.start(left)
    left.cli("conn", "up", "demo/net")
    old = spis(left)
    manager.hear_all()
    expect("it handed its memory over", manager.kept)
    expect("no file was made", not os.path.exists("/run/unused"))
    for fd in manager.kept:
        seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
        expect("sealed against resizing", seals & (fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW) == (fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW), seals)
    for _ in range(3):
        left.stop(signal.SIGKILL)
        manager.start(left)
        goes_on(left)
        expect("the same SAs", spis(left) == old)
    log = left.log()
    expect("one IKE SA was ever negotiated", log.count("IKE SA established with") == 1, log[-3000:])
    left.cli("conn", "rekey", "demo/net")


if __name__ == "__main__":
    main(kills_leave_no_trace, files_are_for_nobody_else, what_does_not_fit_is_refused_whole, versions_read_each_other,
         what_vici_loaded_goes_on, systemd_keeps_it)
