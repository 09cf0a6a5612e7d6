# SPDX-License-Identifier: Apache-2.0
"""The rate of this machine's time stamp counter, for the lab's guest.

The emulated CPUs' counter is the host's. A guest that measures its rate while the host is busy gets it wrong (by a factor of five,
seen), and from then on its clock runs wrong, timers and all. So it is told: tsc_early_khz in Documentation/admin-guide/kernel-parameters.
"""

import ctypes
import mmap
import platform
import time

SAMPLES = 20
INTERVAL_SECONDS = 0.05
READ_COUNTER = b"\x0f\x31\x48\xc1\xe2\x20\x48\x09\xd0\xc3"  # rdtsc; shl rdx, 32; or rax, rdx; ret


def moment(counter):
    """(counter, nanoseconds), read as close together as can be had: of several pairs the one least disturbed."""
    best = None
    for _ in range(SAMPLES):
        before = time.monotonic_ns()
        ticks = counter()
        after = time.monotonic_ns()
        if best is None or after - before < best[0]:
            best = (after - before, ticks, (before + after) // 2)
    return best[1], best[2]


def tsc_khz():
    """kHz, or None where the counter cannot be read."""
    if platform.machine() != "x86_64":
        return None
    try:
        code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return None
    code.write(READ_COUNTER)
    counter = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    ticks, start = moment(counter)
    time.sleep(INTERVAL_SECONDS)
    ticks_later, end = moment(counter)
    return (ticks_later - ticks) * 1_000_000 // (end - start)
