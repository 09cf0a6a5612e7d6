# SPDX-License-Identifier: Apache-2.0
"""Calls of an espgated that fail when a test says so: libespgate-inject.so (inject.cc) in front of its libraries."""
import mmap
import struct

from common import Node, Skip, programs, sanitized

POINTS = ("memory", "sendmsg", "map_update", "link_create", "prog_load", "any_prog_load")  # as in inject.cc
FOR_EVER = 2**32 - 1


class Fragile(Node):
    """A Node whose calls can be made to fail."""

    def __init__(self, directory, name, **how):
        super().__init__(directory, name, **how)
        library = programs().parent / "tests/libespgate-inject.so"
        if sanitized() or not library.exists():
            raise Skip("no call can be made to fail in a sanitized build" if sanitized() else f"no {library}")
        self.switches = self.directory / "inject"
        self.switches.write_bytes(bytes(12 * len(POINTS)))
        self.prefix = ("env", f"LD_PRELOAD={library}", f"ESPGATE_INJECT={self.switches}")

    def fail(self, point, code, skip=0, count=FOR_EVER):
        """The next `skip` calls pass, the `count` after them fail with errno `code`."""
        with open(self.switches, "r+b") as file, mmap.mmap(file.fileno(), 0) as shared:
            # `code` comes last: it is what makes the row count.
            at = 12 * POINTS.index(point)
            shared[at:at + 4] = bytes(4)
            shared[at + 4:at + 12] = struct.pack("=II", skip, count)
            shared[at:at + 4] = struct.pack("=I", code)

    def mend(self, point):
        self.fail(point, 0, count=0)

    def to_come(self, point):
        """How many of the calls that are to fail have not been made."""
        with open(self.switches, "rb") as file:
            return struct.unpack_from("=I", file.read(), 12 * POINTS.index(point) + 8)[0]

