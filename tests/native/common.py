# SPDX-License-Identifier: Apache-2.0
"""Tests of the real programs on this very machine, in namespaces: IKE and the control plane with `--kernel null`.

A test file calls main() with its test functions. Everything runs in mount, network and process namespaces of its own,
with a /run of its own, so nothing of it is left behind, however it ends. Usage of each file: FILE PROGRAM_DIRECTORY.
"""
import contextlib
import ctypes
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from scenario import daemon  # noqa: E402
from scenario.shell import ROOT, Failed, ip_json, ns, ns_start, run, wait_for  # noqa: E402,F401

SKIPPED = 77
INSIDE = "ESPGATE_NATIVE_INSIDE"
# One number to wait by: generous, since it is only ever spent when something is wrong or the machine is overloaded.
PATIENCE = 90
QUICK = "gateway {\n  retransmit_timeout = 0.5\n}\n"
PROPOSAL = "aes128gcm16-prfsha256-x25519"
LEFT, RIGHT, WIRE = "left", "right", "wire"
ADDRESS = {LEFT: "192.0.2.1", RIGHT: "192.0.2.2", WIRE: "192.0.2.3"}
IDENTITY = {LEFT: "left.example.org", RIGHT: "right.example.org"}
NETWORK = {LEFT: "10.1.{}.0/24", RIGHT: "10.2.{}.0/24"}


class Skip(Exception):
    """What is missing here."""


def expect(what, condition, *details):
    if not condition:
        raise Failed(f"expected: {what}" + "".join(f"\n  {detail}" for detail in details))


def programs():
    return pathlib.Path(sys.argv[1]).resolve()


def sanitized():
    """Whether the programs are built with AddressSanitizer or ThreadSanitizer."""
    program = (programs() / "espgated").read_bytes()
    return b"__asan_init" in program or b"__tsan_init" in program


def unsanitized(reason):
    if sanitized():
        raise Skip(reason)


def memory_is_measured():
    """For tests that look at RSS: AddressSanitizer's shelf for freed memory (256 MiB) is made small. Before any Node starts."""
    os.environ["ASAN_OPTIONS"] = "detect_leaks=1:quarantine_size_mb=8:malloc_context_size=12"


def _enter():
    """Starts this program once more, in namespaces of its own."""
    unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    probe = subprocess.run([*unshare, "mount", "-t", "tmpfs", "tmpfs", "/run"], capture_output=True, text=True)
    if probe.returncode != 0:
        print(f"skipped: namespaces are not permitted here: {probe.stderr.strip()}")
        sys.exit(SKIPPED)
    os.environ[INSIDE] = "1"
    os.execvp("unshare", [*unshare, sys.executable, *sys.argv])


def main(*tests):
    if len(sys.argv) != 2 or not (programs() / "espgated").exists():
        sys.exit(f"usage: {sys.argv[0]} PROGRAM_DIRECTORY")
    if INSIDE not in os.environ:
        _enter()
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    os.environ["PATH"] = f"{programs()}:{os.environ['PATH']}"
    failed, skipped = [], []
    for test in tests:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="espgate-native.") as directory:
            try:
                test(pathlib.Path(directory))
                outcome = "ok"
            except Skip as reason:
                skipped.append(test.__name__)
                outcome = f"skipped: {reason}"
            except Exception:  # the other tests run all the same
                failed.append(test.__name__)
                outcome = f"FAILED\n{traceback.format_exc()}"
            clean_up()
        print(f"{test.__name__}: {outcome} ({time.monotonic() - began:.1f} s)", flush=True)
    sys.exit(1 if failed else SKIPPED if len(skipped) == len(tests) else 0)


_started = []


def clean_up():
    for node in _started:
        if node.process is not None and node.process.poll() is None:
            node.process.kill()
            node.process.wait()
    _started.clear()
    for name in run("ip", "netns", "list").stdout.split("\n"):
        if name:
            run("ip", "netns", "del", name.split()[0])
    for line in reversed(pathlib.Path("/proc/mounts").read_text().splitlines()):
        if "/espgate-native." in line:
            run("umount", line.split()[1])


def lan(*names):
    """Namespaces side by side on one bridge, at ADDRESS."""
    run("ip", "netns", "add", "bridge")
    run("ip", "-n", "bridge", "link", "add", "br0", "up", "type", "bridge")
    for name in names:
        run("ip", "netns", "add", name)
        run("ip", "link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", name, "netns", "bridge")
        run("ip", "-n", "bridge", "link", "set", name, "master", "br0", "up")
        run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", name, "address", "add", f"{ADDRESS[name]}/24", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "eth0", "up")


@contextlib.contextmanager
def inside(name):
    """Sockets that this process makes within are in that namespace, and stay there."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        if libc.setns(there, 0) != 0:
            raise OSError(ctypes.get_errno(), f"setns {name}")
        yield
    finally:
        libc.setns(home, 0)
        os.close(there)
        os.close(home)


def mount_bpffs(directory):
    directory.mkdir(parents=True)
    run("mount", "-t", "bpf", "bpf", directory)
    return directory


class Node(daemon.Gateway):
    """An espgated with --kernel null in namespace `name`."""

    def __init__(self, directory, name, kernel=("--kernel", "null"), bpffs=None):
        super().__init__(directory / name, name, kernel)
        self.patience = PATIENCE
        self.bpffs = bpffs or self.directory  # a plain folder: no accounting, and a start within milliseconds
        _started.append(self)

    def rss_kb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])

    def states(self):
        return {f"{row['conn']}/{row['child']}": row for row in self.json("conn", "show")}

    def stop_cleanly(self):
        """SIGTERM must end it with status 0 and without a word from a sanitizer."""
        status = self.stop(seconds=PATIENCE)
        expect(f"{self.name}: exit status 0 on SIGTERM", status == 0, status, self.log()[-4000:])
        self.expect_sane()

    def expect_sane(self):
        log = self.log()
        found = [word for word in ("Sanitizer", "runtime error:", "terminate called") if word in log]
        expect(f"{self.name}: no report of a sanitizer", not found, log[-6000:])


def config(name, *, secret="a secret of the test", children=("net",), peer=None, extra="", child=None, before=""):
    """The swanctl.conf of one side of the pair; connection `demo`. `child`: more keys of every child; `before`: sections before it."""
    other = peer or (RIGHT if name == LEFT else LEFT)
    values = {each: {"local_ts": NETWORK[name].format(number), "remote_ts": NETWORK[other].format(number),
                     "esp_proposals": "aes128gcm16", **(child or {})}
              for number, each in enumerate(children, 1)}
    return before + daemon.swanctl_conf(local=ADDRESS[name], remote=ADDRESS[other], local_id=IDENTITY[name],
                               remote_id=IDENTITY[other], secret=secret, proposals=PROPOSAL, children=values,
                               extra=extra)


def pair(directory, *, bpffs=False, right=None, **how):
    """Two espgated on one wire, up and configured alike but for what `right` (a dict) says otherwise."""
    lan(LEFT, RIGHT, WIRE)
    nodes = []
    for name in (LEFT, RIGHT):
        node = Node(directory, name, bpffs=mount_bpffs(directory / f"bpf-{name}") if bpffs else None)
        differs = (right or {}) if name == RIGHT else {}
        nodes.append(node.start(config(name, **{**how, **differs}), wait=False))
    for node in nodes:
        node.wait_up()
    return nodes
