# SPDX-License-Identifier: Apache-2.0
"""`espgate offload probe` as a scenario sees it: its rows, and what the kernel tells others meanwhile."""
import json
import re

from .shell import ROOT, run

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
