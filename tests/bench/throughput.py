# SPDX-License-Identifier: Apache-2.0
"""TCP between two namespaces over veth, with espgate's programs attached to both ends, with an XDP program that passes
everything there, and with none, in turns. It is plain traffic: what everything pays that is no IPsec. Native XDP alone
costs veth dearly, for each packet is made anew for it."""
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import time

SECONDS = 4
ROUNDS = 3
SETUP = """set -e
mkdir -p /run/netns && mount -t tmpfs none /run/netns
ip netns add left && ip netns add right
ip link add bench0 type veth peer name bench1
ip link set bench0 netns left && ip link set bench1 netns right
ip -n left addr add 10.99.0.1/24 dev bench0 && ip -n right addr add 10.99.0.2/24 dev bench1
ip -n left link set bench0 up && ip -n right link set bench1 up
"""
ENDS = (("left", "bench0"), ("right", "bench1"))
TEARDOWN = "ip -n left link del bench0; ip netns del left; ip netns del right; umount /run/netns"


def inside(name, *command):
    return ["nsenter", f"--net=/run/netns/{name}", *map(str, command)]


class Programs:
    """Attached while this stands; `tracing`: with the exact hooks, which see every packet of the machine."""

    def __init__(self, binaries, bpffs):
        self.process = subprocess.Popen([binaries / "espgate-ledger-test", bpffs, "serve"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        while not self.process.stdout.readline().startswith("ready"):
            pass

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "ok":
            raise RuntimeError(f"{line}: {answer}")

    def __enter__(self):
        self.ask("left device bench0")
        self.ask("right device bench1")
        return self

    def __exit__(self, *_):
        self.ask("left remove")
        self.process.stdin.close()
        self.process.wait()


@contextlib.contextmanager
def empty_xdp(pinned):
    for name, device in ENDS:
        subprocess.run(inside(name, "bpftool", "net", "attach", "xdpdrv", "pinned", pinned, "dev", device), check=True)
    try:
        yield
    finally:
        for name, device in ENDS:
            subprocess.run(inside(name, "bpftool", "net", "detach", "xdpdrv", "dev", device), check=True)


def busy():
    """Seconds that all CPUs together have worked since the start of the machine."""
    fields = open("/proc/stat", encoding="ascii").readline().split()[1:]
    return (sum(map(int, fields)) - int(fields[3]) - int(fields[4])) / os.sysconf("SC_CLK_TCK")


def transfer():
    """Gbit/s, and CPU seconds a gigabyte, both ends together."""
    server = subprocess.Popen(inside("right", "iperf3", "-s", "-1", "-J"), stdout=subprocess.DEVNULL)
    time.sleep(0.3)
    before = busy()
    out = subprocess.run(inside("left", "iperf3", "-c", "10.99.0.2", "-t", SECONDS, "-J"), check=True, text=True,
                         capture_output=True).stdout
    worked = busy() - before
    server.wait(timeout=10)
    received = json.loads(out)["end"]["sum_received"]
    return received["bits_per_second"] / 1e9, worked / (received["bytes"] / 1e9)


def rows(binaries, bpffs):
    subprocess.run(SETUP, shell=True, check=True)
    subprocess.run(["bpftool", "prog", "loadall", binaries.parent / "generated/bench/core.bpf.o", f"{bpffs}/beside"],
                   check=True)
    ways = {"without": contextlib.nullcontext, "pass": lambda: empty_xdp(f"{bpffs}/beside/pass"),
            "espgate": lambda: Programs(binaries, bpffs)}
    found = {way: [] for way in ways}
    try:
        for _ in range(ROUNDS):
            for way, attached in ways.items():
                with attached():
                    found[way].append(transfer())
    finally:
        subprocess.run(TEARDOWN, shell=True, check=True)
        shutil.rmtree(f"{bpffs}/beside")
    rate, cpu = zip(*([round(statistics.median(values), 3) for values in zip(*all_of)] for all_of in found.values()))
    for peer, i in (("XDP that passes everything, on both ends", 1), ("no programs", 0)):
        yield "plain TCP over veth, programs on both ends", "Gbit/s", rate[2], rate[i], peer, None, None, "higher"
        yield "CPU of the whole machine for plain TCP over veth", "s/GB", cpu[2], cpu[i], peer
