# SPDX-License-Identifier: Apache-2.0
"""The ledger written by hand, where no daemon is: espgate-ledger-test (tests/lab/tool), which holds the loader and its programs."""
import os
import subprocess

from .shell import Failed

BPFFS = "/run/bpf"
SIDES = ("hw", "sw")


class Ledger:
    def __init__(self, exact=True):
        self.process = subprocess.Popen(["espgate-ledger-test", BPFFS, "serve" if exact else "serve-inexact"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.used = {}  # {slot: namespace}
        self.ready = self._line()
        while not self.ready.startswith("ready"):
            print(f"  {self.ready}", flush=True)
            self.ready = self._line()

    def _line(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed("espgate-ledger-test ended")
        return line.rstrip("\n")

    def ask(self, *words):
        """Lines that a command answers with; Failed in its own words."""
        print(*words, file=self.process.stdin, flush=True)
        out = []
        while (line := self._line()) != "ok":
            if line.startswith("error: "):
                raise Failed(f"ledger: {' '.join(map(str, words))}: {line}")
            out.append(line)
        return out

    def assign(self, slot, name, *words):
        """An SA as the tool's `assign` has it, in namespace `name`. Counted from zero."""
        self.release(slot)
        self.ask(name, "assign", slot, *words)
        self.used[slot] = name

    def release(self, slot):
        if slot in self.used:
            self.ask(self.used.pop(slot), "release", slot)

    def counts(self):
        """{slot: {"hw": {packets, bytes}, "sw": ..., "why": {reason: packets}, "exact"}}."""
        out = {}
        for line in self.ask("show", "sas"):
            slot, _, exact, *numbers = line.split()
            hw_packets, hw_bytes, sw_packets, sw_bytes = map(int, numbers[:4])
            reasons = dict(word.split("=") for word in numbers[4:])
            out[int(slot)] = {"hw": {"packets": hw_packets, "bytes": hw_bytes}, "sw": {"packets": sw_packets, "bytes": sw_bytes},
                              "why": {key: int(value) for key, value in reasons.items()}, "exact": exact == "exact"}
        return out

    def classes(self):
        """{(device, class): packets}, whatever the verdict."""
        out = {}
        for line in self.ask("show", "classes"):
            device, class_, _, packets, _ = line.split()
            out[device, class_] = out.get((device, class_), 0) + int(packets)
        return out

    def flows(self):
        """[(direction, source, destination, protocol, {"hw": packets, "sw": packets})]."""
        rows = [line.split() for line in self.ask("show", "flows")]
        return [(row[0], row[1], row[2], int(row[3]), {"hw": int(row[5]), "sw": int(row[8])}) for row in rows]

    def remove(self, name):
        """Programs and maps go, and all that was counted."""
        self.ask(name, "remove")
        self.used = {}

    def left(self):
        """What is in the bpffs."""
        return sorted(os.listdir(BPFFS))

    def close(self):
        """As kill -9 would end the daemon: programs and counts stay."""
        self.process.kill()
        self.process.wait()
