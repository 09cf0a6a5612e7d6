# SPDX-License-Identifier: Apache-2.0
"""Traffic and a look at the wire by espgate-traffic-test, where Python is too slow for an emulated machine."""
import re
import subprocess

from . import hosts
from .shell import Failed

PORT = 4003


class Tool:
    """Runs until told to end; then `said` has its numbers by their names."""

    def __init__(self, namespace, *words):
        self.what = words[0]
        self.process = subprocess.Popen(["nsenter", f"--net=/run/netns/{namespace}", "--", "espgate-traffic-test", *map(str, words)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise Failed(f"espgate-traffic-test {self.what} did not start")

    def end(self, seconds=300):
        said, _ = self.process.communicate("", timeout=seconds)
        if self.process.returncode != 0:
            raise Failed(f"espgate-traffic-test {self.what}: status {self.process.returncode}")
        return {name: float(value) for name, value in re.findall(r"(\w+) ([\d.]+)", said)}


class FastStream:
    """`rate` UDP packets a second in all from gw to peer, the pairs (near address, far address) by turns, each echoed."""

    def __init__(self, pairs, rate):
        self.pairs, self.rate = pairs, rate

    def __enter__(self):
        self.echo = Tool(hosts.PEER, "echo", PORT, *(far for _, far in self.pairs))
        self.sender = Tool(hosts.GW, "send", self.rate, PORT, *(each for pair in self.pairs for each in pair))
        return self

    def end(self):
        """Waits for the last answers: {sent, answered, twice, seconds, worst}."""
        return self.sender.end()

    def __exit__(self, *_):
        for tool in (self.sender, self.echo):
            if tool.process.poll() is None:
                tool.end()


class WireNonces:
    """Every ESP packet between the router and the peer, both ways: {packets, spis, dropped, repeated} at its end."""

    def __enter__(self):
        self.tool, self.seen = Tool(hosts.WIRE, "nonces", "veth-w"), None
        return self

    def __exit__(self, *_):
        self.seen = self.tool.end()
