# SPDX-License-Identifier: Apache-2.0
"""Traffic by one process that stays (a process costs a quarter of a second in an emulated machine). See simnic_traffic.py."""
import subprocess
import sys

from . import hosts
from .shell import ROOT, Failed


class Exchange:
    """Checked traffic between two namespaces: the inner addresses of gw and a peer, or any."""

    def __init__(self, far=hosts.PEER, near=hosts.GW):
        self.far, self.near = far, near

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, f"{ROOT}/tests/lab/simnic_traffic.py", self.near, self.far],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=60)

    def begin(self, number, *what):
        """Starts traffic of child `number`, e.g. "ping=20x64", "tcp=100000" (from gw), "both=100000"."""
        self.between(hosts.inner(1, number), hosts.inner(2, number), *what)

    def between(self, near, far, *what):
        """The same between two addresses."""
        print(near, far, *what, file=self.process.stdin, flush=True)

    def end(self):
        """Waits for it; Failed if anything was lost or altered."""
        answer = self.process.stdout.readline().strip()
        if answer != "ok":
            raise Failed(f"traffic: {answer or 'its process ended'}")

    def carry(self, number, *what):
        self.begin(number, *what)
        self.end()
