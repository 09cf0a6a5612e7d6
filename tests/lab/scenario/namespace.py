# SPDX-License-Identifier: Apache-2.0
"""Being in another network namespace for a moment, without a process of its own."""
import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


def in_namespace(name, make):
    """Calls make() with this thread in the namespace; what it opens stays there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        if LIBC.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        return make()
    finally:
        LIBC.setns(home, CLONE_NEWNET)
        os.close(home)
        os.close(there)
