#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What fails beneath espgated, one thing at a time: sends, buffers, memory, descriptors, disks, BPF maps and programs,
signals that come too often. docs/faults.md has the table of what is said and what is kept."""
import contextlib
import errno
import os
import pathlib
import re
import resource
import signal
import socket
import struct
import subprocess
import time

from common import (ADDRESS, LEFT, PATIENCE, QUICK, RIGHT, WIRE, Node, Skip, config, expect, inside, lan, main,
                    mount_bpffs, ns_start, pair, run, unsanitized, wait_for)
from inject import Fragile

GONE = 3  # exit status: it could not go on
FRAME = 300_000  # octets of a vici frame that never ends

def lines(node, word, since=0):
    return [line for line in node.log()[since:].splitlines() if re.search(word, line)]


def show(said):
    """The first of the lines that were said, for docs/faults.md."""
    print("  " + said[0][24:], flush=True)


def conn_up(node, name="demo"):
    done = node.cli("conn", "up", name, "--timeout", PATIENCE, ok=False, timeout=2 * PATIENCE)
    expect(f"{name} comes up", done.returncode == 0, done.stdout + done.stderr, node.log()[-3000:])


def fragile_pair(directory, *, bpffs=False, before=QUICK, **how):
    """Like pair(), with a Fragile on the left."""
    lan(LEFT, RIGHT, WIRE)
    left = Fragile(directory, LEFT, bpffs=mount_bpffs(directory / "bpf") if bpffs else None)
    right = Node(directory, RIGHT)
    left.start(config(LEFT, before=before, **how), wait=False)
    right.start(config(RIGHT, before=before, **how), wait=False)
    for node in (left, right):
        node.wait_up()
    return left, right


def sends_fail(directory):
    """A full send buffer costs a datagram, which goes out again; some lines say so."""
    left, right = fragile_pair(directory)
    for code, word in ((errno.ENOBUFS, "No buffer space"), (errno.EAGAIN, "the send buffer is full")):
        mark = len(left.log())
        left.fail("sendmsg", code, count=2)
        conn_up(left)
        expect("both sends failed", left.to_come("sendmsg") == 0)
        said = lines(left, word, mark)
        expect(f"{word}: said each time", len(said) == 2 and ADDRESS[RIGHT] in said[0], *said)
        show(said)
        left.cli("conn", "down", "demo")
    left.fail("sendmsg", errno.ENOBUFS)
    mark, began = len(left.log()), time.monotonic()
    left.cli("conn", "up", "demo", "--timeout", "4", ok=False)
    wall = time.monotonic() - began
    said = lines(left, "No buffer space", mark)
    expect("few lines", 1 <= len(said) <= 5 * (wall + 1), len(said), wall)
    left.mend("sendmsg")
    conn_up(left)
    for node in (left, right):
        node.stop_cleanly()


def receive_overflows(directory):
    """What does not fit into the receive buffer is lost, which is counted and said."""
    left, right = pair(directory, before=QUICK)
    os.kill(left.process.pid, signal.SIGSTOP)
    with inside(RIGHT), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(6000):  # none of it is IKE
            with contextlib.suppress(BlockingIOError):
                sock.sendto(bytes(1200), (ADDRESS[LEFT], 500))
        os.kill(left.process.pid, signal.SIGCONT)
        time.sleep(0.5)
        sock.sendto(bytes(1200), (ADDRESS[LEFT], 500))  # the kernel says it with the next one that it takes
    wait_for("a word of the loss", lambda: lines(left, "datagrams were lost, the receive buffer was full"), PATIENCE)
    said = lines(left, "datagrams were lost, the receive buffer was full")
    expect("one line, with a number", len(said) <= 5 and re.search(r"UDP port 500: [1-9]\d* datagrams", said[0]), *said)
    show(said)
    conn_up(left)
    for node in (left, right):
        node.stop_cleanly()


def memory_fails(directory):
    """The nth allocation fails, and all after it: one line, status 3, and the next start finds its place."""
    left, right = fragile_pair(directory)
    ends, goes_on = 0, 0
    for skip in (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597, 2584, 4181):
        mark = len(left.log())
        left.fail("memory", errno.ENOMEM, skip=skip)
        subject = left.process
        # The asking itself may find the daemon gone.
        left.cli("conn", "up", "demo", "--timeout", "5", ok=False, timeout=PATIENCE)
        with contextlib.suppress(subprocess.TimeoutExpired):
            subject.wait(timeout=5)
        left.mend("memory")
        if subject.poll() is None:  # so many were not asked for, or libraries took them as errors of their own
            goes_on += 1
            continue
        ends += 1
        expect(f"allocation {skip}: status", subject.returncode == GONE, subject.returncode, left.log()[mark:])
        said = lines(left, "critical", mark)
        expect("one line", len(said) == 1 and "out of memory" in said[0] and "start espgated again" in said[0], *said,
               left.log()[mark:])
        if skip == 0:
            show(said)
        left.start()
    print(f"  {ends} ends, {goes_on} times it was over before", flush=True)
    expect("most of them ended it", ends >= 12, ends)
    # One allocation fails: a library may take that as an error, which costs an exchange, never the process its sanity.
    for skip in range(40, 400, 40):
        left.fail("memory", errno.ENOMEM, skip=skip, count=1)
        left.cli("conn", "up", "demo", "--timeout", "5", ok=False, timeout=PATIENCE)
        left.mend("memory")  # before a start, which is not what this is about
        with contextlib.suppress(subprocess.TimeoutExpired):
            left.process.wait(timeout=1)  # it may be on its way out
        if left.process.poll() is not None:
            expect("status", left.process.returncode == GONE, left.process.returncode, left.log()[-3000:])
            left.start()
        left.cli("conn", "down", "demo", ok=False)
    conn_up(left)
    right.stop_cleanly()
    left.stop_cleanly()


def address_space_ends(directory):
    """No injection here: the limit is the kernel's, and clients of the control socket use it up."""
    unsanitized("a sanitizer wants all of the address space")
    lan(LEFT)
    node = Node(directory, LEFT).start(config(LEFT))
    now_kb = int(re.search(r"VmSize:\s+(\d+) kB", pathlib.Path(f"/proc/{node.process.pid}/status").read_text())[1])
    resource.prlimit(node.process.pid, resource.RLIMIT_AS, ((now_kb + 4096) * 1024,) * 2)
    with contextlib.ExitStack() as stack:
        for _ in range(400):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            sock.settimeout(0.2)
            with contextlib.suppress(OSError):
                sock.connect(str(node.socket))
                sock.sendall(struct.pack(">I", FRAME) + bytes(FRAME - 1))
            if node.process.poll() is not None:
                break
    wait_for("its end", lambda: node.process.poll() is not None, PATIENCE)
    expect("status", node.process.returncode == GONE, node.process.returncode, node.log()[-2000:])
    expect("one line", len(lines(node, "out of memory")) == 1, node.log()[-2000:])
    node.start()
    node.stop_cleanly()


def no_descriptor_left(directory):
    """With no descriptor at all IKE goes on; a reload is refused whole, and is taken when there is one again."""
    unsanitized("a sanitizer's check of a type takes a pipe of its own, and calls the object invalid without one")
    left, right = pair(directory)
    used = len(os.listdir(f"/proc/{left.process.pid}/fd"))
    before = resource.prlimit(left.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(left.process.pid, resource.RLIMIT_NOFILE, (used, before[1]))
    done = right.cli("conn", "up", "demo", "--timeout", PATIENCE, ok=False, timeout=2 * PATIENCE)
    expect("the peer brings it up", done.returncode == 0, done.stderr, left.log()[-2000:])
    left.write_config(config(LEFT, children=("net", "more")))
    mark = len(left.log())
    os.kill(left.process.pid, signal.SIGHUP)
    wait_for("the refusal", lambda: lines(left, "reload:", mark), PATIENCE)
    said = left.log()[mark:].splitlines()
    expect("one line that says why", len(said) == 1 and "Too many open files" in said[0], *said)
    show(said)
    resource.prlimit(left.process.pid, resource.RLIMIT_NOFILE, before)
    os.kill(left.process.pid, signal.SIGHUP)
    wait_for("the reload", lambda: lines(left, "configuration reloaded", mark), PATIENCE)
    states = left.states()
    expect("what is up stays, what is new is known", states["demo/net"]["state"] == "up" and "demo/more" in states, states)
    for node in (left, right):
        node.stop_cleanly()


def sighup_storm(directory):
    """Many SIGHUPs are few reloads, the last of which takes the file as it is then."""
    left, right = pair(directory)
    conn_up(left)
    spi = left.json("sa", "show")[0]["in"]["spi"]
    mark, began = len(left.log()), time.monotonic()
    for number in range(600):
        if number == 590:
            left.write_config(config(LEFT, children=("net", "more")))
        os.kill(left.process.pid, signal.SIGHUP)
        time.sleep(0.005)
    wait_for("the last configuration", lambda: "demo/more" in left.states(), PATIENCE)
    time.sleep(1.2)
    wall = time.monotonic() - began
    said = lines(left, "configuration reloaded", mark)
    expect("one reload a second at most", 2 <= len(said) <= wall + 2, len(said), wall)
    expect("the SA is the same", left.json("sa", "show")[0]["in"]["spi"] == spi)
    for node in (left, right):
        node.stop_cleanly()


def log_cannot_be_written(directory):
    """The disk with the log is full; the reader of the log is gone: espgated goes on, and writes again when it can."""
    lan(LEFT, RIGHT)
    disk = directory / "disk"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk)
    left, right = Node(directory, LEFT), Node(directory, RIGHT).start(config(RIGHT))
    left.log_file = disk / "log"
    left.start(config(LEFT))
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1024))
    # The last page of the log may have room.
    for _ in range(30):
        conn_up(left)
        left.cli("conn", "down", "demo")
    full = len(left.log())
    conn_up(left)
    expect("nothing was written", len(left.log()) == full)
    ballast.unlink()
    left.cli("conn", "down", "demo")
    wait_for("lines again", lambda: len(left.log()) > full, PATIENCE)
    left.stop_cleanly()
    read, write = os.pipe()
    left.socket.unlink(missing_ok=True)
    piped = subprocess.Popen(["nsenter", f"--net=/run/netns/{LEFT}", "--", "espgated", "--config", left.config, "--vici",
                              f"unix://{left.socket}", "--bpffs", left.bpffs, "--kernel", "null"], stderr=write)
    os.close(write)
    left.process = piped
    left.wait_up()
    os.close(read)
    conn_up(left)
    left.stop_cleanly()
    right.stop_cleanly()


def log_is_not_read(directory):
    """The reader of the log stands still: lines are lost and counted, nobody waits for them."""
    lan(LEFT, RIGHT)
    left, right = Node(directory, LEFT), Node(directory, RIGHT).start(config(RIGHT))
    left.write_config(config(LEFT))
    read, write = os.pipe()
    left.process = subprocess.Popen(["nsenter", f"--net=/run/netns/{LEFT}", "--", "espgated", "--config", left.config, "--vici",
                                     f"unix://{left.socket}", "--bpffs", left.bpffs, "--kernel", "null", "--log-level",
                                     "debug"], stderr=write)
    left.wait_up()
    os.set_blocking(write, False)  # of this end alone is not to be had: it is set back before the daemon fills the pipe
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, bytes(1024))
    os.set_blocking(write, True)
    os.close(write)
    for _ in range(3):
        conn_up(left)
        left.cli("conn", "down", "demo")
    os.set_blocking(read, False)
    text = b""
    with contextlib.suppress(BlockingIOError):
        while more := os.read(read, 65536):
            text += more
    expect("nothing was written meanwhile", b"child SA up" not in text)
    conn_up(left)
    time.sleep(0.5)
    said = [line for line in os.read(read, 65536).decode().splitlines() if "lines of the log were lost" in line]
    expect("the loss is said", len(said) == 1 and re.search(r" [1-9]\d* lines of the log were lost", said[0]), *said)
    show(said)
    left.stop_cleanly()
    os.close(read)
    right.stop_cleanly()


def no_place_for_the_socket(directory):
    lan(LEFT)
    place = directory / "place"
    place.mkdir()
    run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", place)
    node = Node(directory, LEFT)
    node.socket = place / "vici"
    node.start(config(LEFT), wait=False)
    wait_for("its end", lambda: node.process.poll() is not None, PATIENCE)
    said = [line for line in node.log().splitlines() if " error " in line]
    expect("one sentence, status 2", node.process.returncode == 2 and len(said) == 1 and "Read-only file system" in said[0]
           and str(node.socket) in said[0], node.process.returncode, *said)
    show(said)


def maps_fail(directory):
    """A map that takes nothing costs counts and the record, not the tunnel; at the start it is one sentence."""
    left, right = fragile_pair(directory, bpffs=True)
    if "BPF" in left.log() and "no BTF" in left.log():
        raise Skip("no BPF here")
    mark = len(left.log())
    left.fail("map_update", errno.ENOMEM)
    for _ in range(4):
        conn_up(left)
        left.cli("conn", "down", "demo")
    said = lines(left, "ledger:", mark)
    expect("it is said", said and "Cannot allocate memory" in said[0], left.log()[mark:])
    expect("few lines", len(said) <= 40, len(said))
    show(said)
    left.mend("map_update")
    conn_up(left)
    row = left.json("sa", "show")[0]
    expect("recorded again", row["child"] == "net" and row["in"]["spi"], row)
    left.stop_cleanly()
    right.stop_cleanly()
    left.fail("map_update", errno.E2BIG)
    left.start(wait=False)
    wait_for("its end", lambda: left.process.poll() is not None, PATIENCE)
    said = [line for line in left.log().splitlines() if " error " in line and "ledger" not in line]
    expect("one sentence, status 2", left.process.returncode == 2 and len(said) == 1 and "Argument list too long" in said[0],
           left.process.returncode, *said)
    show(said)


def programs_refused(directory):
    """A kernel that attaches nothing, and one that loads no program: said at the start; IKE and SAs as ever."""
    for point, word in (("link_create", "(cannot be attached|no tcx)"), ("prog_load", "does not take the BPF program")):
        place = directory / point
        place.mkdir()
        lan(LEFT, RIGHT)
        left = Fragile(place, LEFT, bpffs=mount_bpffs(place / "bpf"))
        left.fail(point, errno.EINVAL)
        left.start(config(LEFT))
        right = Node(place, RIGHT).start(config(RIGHT))
        expect(f"{point}: what is missing is said", lines(left, word), left.log())
        show(lines(left, word))
        expect(f"{point}: and what follows from it", lines(left, "inexactly"), left.log())
        conn_up(left)
        expect(f"{point}: the SA is shown", left.json("sa", "show")[0]["conn"] == "demo")
        for node in (left, right):
            node.stop_cleanly()
        for name in ("bridge", LEFT, RIGHT):
            run("ip", "netns", "del", name)
    lan(LEFT)
    left = Fragile(directory / "none", LEFT, bpffs=mount_bpffs(directory / "none-bpf"))
    left.fail("any_prog_load", errno.EPERM)
    left.start(config(LEFT), wait=False)
    wait_for("its end", lambda: left.process.poll() is not None, PATIENCE)
    said = lines(left, " error ")
    expect("not even the smallest program: one sentence, status 2", left.process.returncode == 2 and len(said) == 1
           and "EPERM" in said[0] and "--bpffs" in said[0], left.process.returncode, *said)
    show(said)


def bpffs_unmounted(directory):
    """What is loaded stays loaded: espgated holds the bpffs. Its stop is clean; a start on a plain folder says so."""
    left, right = pair(directory, bpffs=True)
    conn_up(left)
    run("umount", "--lazy", left.bpffs)
    left.cli("conn", "down", "demo")
    conn_up(left)
    expect("the SA is up", left.states()["demo/net"]["state"] == "up")
    expect("nothing is amiss in the log", not lines(left, " error "), *lines(left, " error "))
    left.stop_cleanly()
    mark = len(left.log())
    left.start()
    expect("the next start says what is missing", len(lines(left, "is no bpffs", mark)) == 1, left.log()[mark:])
    for node in (left, right):
        node.stop_cleanly()


def started_at_once(directory):
    """Of two that start at the same moment one stays, whole; the other ends with one sentence."""
    lan(LEFT, RIGHT)
    bpffs = mount_bpffs(directory / "bpf")
    shared = directory / "vici"
    for what, names in (("ports", (LEFT, LEFT)), ("socket", (LEFT, RIGHT)), ("bpffs", (LEFT, RIGHT))):
        for number in range(6):
            both = []
            for index, name in enumerate(names):
                node = Node(directory / f"{what}{number}{index}", name, bpffs=bpffs if what == "bpffs" else None)
                if what == "socket":
                    node.socket = shared
                node.write_config(config(name))
                both.append(node)
            for node in both:
                node.start(wait=False)
            wait_for(f"{what}: the end of one", lambda both=both: any(n.process.poll() is not None for n in both), PATIENCE)
            stays = [node for node in both if node.process.poll() is None]
            expect(f"{what}: one stays", len(stays) == 1, *(node.log() for node in both))
            stays[0].wait_up()
            loser = both[1 - both.index(stays[0])]
            said = [line for line in loser.log().splitlines() if " error " in line]
            expect(f"{what}: the other says why", loser.process.returncode == 2 and len(said) == 1
                   and re.search("another (espgated|IKE daemon)", said[0]), loser.process.returncode, *said)
            if number == 0:
                show(said)
            expect(f"{what}: the first is whole", stays[0].states()["demo/net"]["state"] == "down")
            stays[0].stop_cleanly()


if __name__ == "__main__":
    main(sends_fail, receive_overflows, memory_fails, address_space_ends, no_descriptor_left, sighup_storm, log_cannot_be_written,
         log_is_not_read, no_place_for_the_socket, maps_fail, programs_refused, bpffs_unmounted, started_at_once)
