#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots the lab's guest, runs one job in it, and passes its output and status through.

Started by tools/lab, which has made kernel, initramfs and layers ready. Exit status: that of the job (128 + signal
if it was killed), 124 on timeout, 125 if the guest went down before the job ended or never came up.

The job directory, made here and read by lab_init.sh over 9p, holds: `layers` (directories of the guest's root, the
uppermost first, one a line), `tree` and `cwd` (paths), `job.sh` (environment, directory and command), `out` if a
directory is shared for results, `foreign-root` if the root is not the host's own.

Two streams and a control line come back by virtio-serial ports. Each stream ends with a random marker, so nothing is lost
or cut short when the machine is ended, and nothing that is not the job's is ever printed.
"""

import argparse
import os
import secrets
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from lab_clock import tsc_khz

LOST = 125
TIMEOUT = 124
BOOT_SECONDS = 180  # from power on to the job's start, on a busy machine
# On an overloaded machine (QEMU 7.2) a guest was seen to oops while it started, in a function whose no-operations the kernel patches
# at that time; presumably the emulator's two CPUs race there. A start that fails is therefore tried again, and that is said.
BOOT_TRIES = 3
NOT_STARTED = ("systemd-udev-trigger", "systemd-hwdb-update", "systemd-journal-catalog-update", "systemd-update-done", "systemd-remount-fs")
PASSED_ON = ("TERM", "LANG", "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS")
PASSED_PREFIXES = ("ESPGATE_", "GTEST_", "LC_")
GUEST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--initramfs", required=True)
    parser.add_argument("--cache", required=True, help="directory that all layers are in")
    parser.add_argument("--layer", action="append", default=[])
    parser.add_argument("--tree", required=True)
    parser.add_argument("--root", default="/")
    parser.add_argument("--out")
    parser.add_argument("--console")
    parser.add_argument("--timeout", type=float, default=0.0)
    parser.add_argument("--memory", default="2048")
    parser.add_argument("--init", choices=("lab", "systemd"), default="lab")
    parser.add_argument("--shell", action="store_true")
    parser.add_argument("command", nargs="*")
    return parser.parse_args()


def job_script(args):
    """The shell script that the guest runs: only named variables go along, never the whole environment."""
    path = f"{args.tree}/build/release/bin:{GUEST_PATH}"
    lines = [b"export HOME=/root USER=root LOGNAME=root PATH=" + os.fsencode(shlex.quote(path))]
    for name, value in os.environb.items():
        text = os.fsdecode(name)
        if text in PASSED_ON or text.startswith(PASSED_PREFIXES):
            if text.isidentifier():
                lines.append(b"export " + name + b"=" + quoted(value))
    if args.shell:
        lines.append(b"export PS1='lab:\\w# '")
    lines.append(b"cd " + quoted(os.fsencode(os.getcwd())) + b" || exit 125")
    lines.append(b"exec " + b" ".join(quoted(os.fsencode(word)) for word in args.command))
    return b"\n".join(lines) + b"\n"


def quoted(value):
    return b"'" + value.replace(b"'", b"'\\''") + b"'"


def write_job(args, directory):
    def put(name, data):
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)

    # overlayfs refuses a layer within another, so those of the cache come by an export of their own.
    layers = ["/cache/" + os.path.relpath(layer, args.cache) for layer in args.layer] + ["/host" + args.root]
    put("layers", b"".join(os.fsencode(layer) + b"\n" for layer in layers))
    put("tree", os.fsencode(args.tree) + b"\n")
    put("cwd", os.fsencode(os.getcwd()) + b"\n")
    put("job.sh", job_script(args))
    if args.out:
        put("out", b"")
    if os.path.realpath(args.root) != "/":
        put("foreign-root", b"")


def machine(args, directory, marker):
    """QEMU's command line without the streams. Emulation only: an accelerator that opens is no proof that it works."""
    append = (
        f"console=ttyS0 loglevel=5 panic=-1 oops=panic mitigations=off no_timer_check {clock()} "
        f"lab.job={directory} lab.marker={marker}"
    )
    if args.init == "systemd":
        # What takes long in emulation and is of no use here: every device again, and databases made anew.
        append += " lab.init=systemd" + "".join(f" systemd.mask={unit}.service" for unit in NOT_STARTED)
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-machine", "q35", "-cpu", "max,la57=off", "-smp", "2"]
    command += ["-m", args.memory, "-nodefaults", "-no-user-config", "-display", "none", "-nic", "none", "-no-reboot"]
    command += ["-device", "virtio-rng-pci", "-kernel", args.kernel, "-initrd", args.initramfs]
    command += shared("host", "/", True) + shared("cache", args.cache, True)
    if args.out:
        command += shared("out", args.out, False)
    if args.shell:
        append += " lab.shell=1"
        command += ["-serial", "mon:stdio"]
    else:
        command += ["-serial", f"file:{directory}/console", "-device", "virtio-serial-pci"]
    return command + ["-append", append]


def clock():
    rate = tsc_khz()
    return f"tsc_early_khz={rate}" if rate else "tsc=unstable"


def shared(tag, path, readonly):
    path = path.replace(",", ",,")
    return ["-virtfs", f"local,path={path},mount_tag={tag},id={tag},security_model=none,multidevs=remap" + ",readonly=on" * readonly]


class Stream:
    """Bytes of the job on their way to one of our descriptors, until the marker."""

    def __init__(self, end, target, marker):
        self.end, self.target, self.marker = end, target, b"\x1e" + marker.encode() + b"\n"
        self.held, self.done = b"", False

    def feed(self, data):
        data = self.held + data
        at = data.find(self.marker)
        if at >= 0:
            self.done, self.held, data = True, b"", data[:at]
        else:
            keep = self.partial(data)
            self.held, data = data[len(data) - keep :], data[: len(data) - keep]
        while data:
            data = data[os.write(self.target, data) :]

    def partial(self, data):
        """How many octets at the end could be the marker's beginning: only these are held back."""
        for length in range(min(len(data), len(self.marker) - 1), 0, -1):
            if data.endswith(self.marker[:length]):
                return length
        return 0


class Run:
    def __init__(self, args, directory):
        self.args, self.directory = args, directory
        self.marker = secrets.token_hex(16)
        self.started = time.monotonic()
        self.status, self.control, self.up = None, b"", False
        ours, theirs = zip(*(socket.socketpair() for _ in range(3)))
        command = machine(args, directory, self.marker)
        for name, end in zip(("out", "err", "control"), theirs):
            command += ["-chardev", f"socket,id={name},fd={end.fileno()}"]
            command += ["-device", f"virtserialport,chardev={name},name={name}"]
        # A session of its own: Ctrl-C reaches us alone, and we end the machine.
        with open(os.path.join(directory, "qemu"), "wb") as log:
            self.process = subprocess.Popen(
                command, pass_fds=[end.fileno() for end in theirs], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        for end in theirs:
            end.close()
        self.streams = [Stream(ours[0], 1, self.marker), Stream(ours[1], 2, self.marker)]
        self.line = ours[2]

    def limit(self):
        """Seconds left, and what is to be said when they are over. The job's time counts from its start."""
        if not self.up:
            patience = BOOT_SECONDS * (2 if self.args.init == "systemd" else 1)
            return self.started + patience - time.monotonic(), f"the guest did not come up within {patience} s", LOST
        if self.args.timeout:
            return self.job_started + self.args.timeout - time.monotonic(), f"timed out after {self.args.timeout:g} s", TIMEOUT
        return None, "", 0

    def read_control(self, data):
        self.control += data
        while b"\n" in self.control:
            line, self.control = self.control.split(b"\n", 1)
            if line == b"ready":
                self.up, self.job_started = True, time.monotonic()
            elif line.startswith(b"status "):
                self.status = int(line.split()[1])

    def finished(self):
        return self.status is not None and all(stream.done for stream in self.streams)

    def relay(self):
        """Until the job's end: its status, or what went wrong."""
        with selectors.DefaultSelector() as selector:
            for stream in self.streams:
                selector.register(stream.end, selectors.EVENT_READ, stream.feed)
            selector.register(self.line, selectors.EVENT_READ, self.read_control)
            while not self.finished():
                left, words, status = self.limit()
                if left is not None and left <= 0:
                    return self.failed(words, status)
                for key, _ in selector.select(left):
                    data = key.fileobj.recv(65536)
                    if data:
                        key.data(data)
                    else:
                        selector.unregister(key.fileobj)
                if not selector.get_map() and not self.finished():
                    return self.failed("the guest went down before the command ended", LOST)
        return self.status

    def failed(self, words, status):
        print(f"tools/lab: {words}; the end of its console:", file=sys.stderr)
        for name in ("qemu", "console"):
            with open(os.path.join(self.directory, name), "rb") as file:
                lines = file.read()[-65536:].decode(errors="replace").splitlines()[-60:]
            print("".join(f"  | {line}\n" for line in lines), end="", file=sys.stderr)
        return status

    def end(self):
        self.process.kill()
        self.process.wait()


def run(args, directory):
    for left in range(BOOT_TRIES - 1, -1, -1):
        job = Run(args, directory)
        status = attempt(args, directory, job)
        if job.up or not left:
            return status
        # Nothing of the job has run yet, so trying again hides nothing of it.
        print("tools/lab: the guest did not come up; once more", file=sys.stderr)


def attempt(args, directory, job):
    try:
        status = job.relay()
        if os.environ.get("ESPGATE_LAB_TIMES"):
            boot = job.job_started - job.started if job.up else -1
            print(f"tools/lab: up after {boot:.1f} s, done after {time.monotonic() - job.started:.1f} s", file=sys.stderr)
        return status
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    finally:
        job.end()
        if args.console:
            shutil.copy(os.path.join(directory, "console"), args.console)


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupted(number, _frame):
    for other in SIGNALS:  # a second one must not cut the clean-up short
        signal.signal(other, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main():
    args = arguments()
    args.command = args.command or ["/bin/bash", "--norc", "-i"]
    for number in SIGNALS:
        signal.signal(number, interrupted)
    if args.out:
        os.makedirs(args.out, exist_ok=True)
        args.out = os.path.realpath(args.out)
    directory = tempfile.mkdtemp(prefix="espgate-lab.")
    try:
        write_job(args, directory)
        if args.shell:
            return subprocess.call(machine(args, directory, ""))
        return run(args, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
