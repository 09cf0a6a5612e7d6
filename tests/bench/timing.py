# SPDX-License-Identifier: Apache-2.0
"""Times and memory of commands, run in turns, so that what disturbs one disturbs all."""
import os
import statistics
import subprocess
import time
from dataclasses import dataclass


@dataclass
class Cost:
    seconds: float
    megabytes: int  # at the peak


def run_once(command):
    """Its output goes nowhere."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(time.monotonic() - began, usage.ru_maxrss // 1024)


def medians(costs):
    return Cost(round(statistics.median(cost.seconds for cost in costs), 3),
                round(statistics.median(cost.megabytes for cost in costs)))


def measured(commands, rounds):
    found = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            found[name].append(run_once(command))
    return {name: medians(costs) for name, costs in found.items()}
