# SPDX-License-Identifier: Apache-2.0
"""`espgate offload probe` as a scenario sees it: its rows, and what the kernel tells others meanwhile."""
import json
import re
import subprocess
import tempfile
import time

from .shell import ROOT, run, wait_for

ESPGATE = ROOT / "build/release/bin/espgate"


def probe(device, *words):
    return json.loads(run(ESPGATE, "-j", "offload", "probe", "dev", device, *words).stdout)


def select(rows, **wanted):
    """Rows whose members are as wanted; a tuple stands for any of its values."""
    return [row for row in rows
            if all(row[key] in value if isinstance(value, tuple) else row[key] == value
                   for key, value in wanted.items())]


def results(rows):
    return sorted({row["result"] for row in rows})


def reasons(rows):
    return sorted({row["reason"] for row in rows if row["reason"]})


def shape(rows):
    """Rows without what came of them."""
    return [{key: value for key, value in row.items() if key not in ("result", "errno", "reason")} for row in rows]


def tally(rows):
    return {result: len(select(rows, result=result)) for result in results(rows)}


def sa_count():
    """SAs in this namespace."""
    return len(re.findall(r"(?m)^src ", run("ip", "xfrm", "state").stdout))


def listening():
    """Whether somebody has joined a group of NETLINK_XFRM (6)."""
    with open("/proc/net/netlink", encoding="ascii") as sockets:
        rows = [line.split() for line in sockets]
    return any(row[1] == "6" and int(row[3], 16) for row in rows[1:])


ROOM = 16 << 20  # octets


class Monitor:
    """`ip xfrm monitor` around a with block; `added` and `deleted` are what it saw."""

    def __enter__(self):
        self.output = tempfile.TemporaryFile("a+", encoding="utf-8")  # its writes go to the end, wherever we read
        # Of a full socket the kernel drops the large messages first: adds, while deletes still find room.
        run("sysctl", "-qw", f"net.core.rmem_max={ROOM}")
        self.process = subprocess.Popen(["stdbuf", "-oL", "ip", "-s", "-rcvbuf", str(ROOM), "xfrm", "monitor", "SA"], stdout=self.output)
        wait_for("the monitor to listen", listening)
        return self

    def _text(self):
        self.output.seek(0)
        return self.output.read()

    def __exit__(self, *_):
        text = None
        while text != self._text():  # until it has written all that it was told
            text = self._text()
            time.sleep(2)
        self.process.terminate()
        self.process.wait()
        blocks = [block for block in re.split(r"(?m)^(?=(?:Deleted )?src )", text) if block.startswith(("src", "Del"))]
        self.added = [block for block in blocks if not block.startswith("Deleted")]
        self.deleted = [block for block in blocks if block.startswith("Deleted")]
