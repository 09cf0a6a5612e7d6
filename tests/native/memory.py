# SPDX-License-Identifier: Apache-2.0
"""What is in a process's memory, as a core dump would have it and as none has it; for root, who may look."""
import base64
import pathlib
import re


def mappings(pid):
    """(first, last + 1, permissions, file, flags) of each mapping."""
    out, head = [], None
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        found = re.match(r"(\w+)-(\w+) (\S+) \S+ \S+ \S+\s*(.*)", line)
        if found:
            head = (int(found[1], 16), int(found[2], 16), found[3], found[4])
        elif line.startswith("VmFlags:"):
            out.append((*head, set(line.split()[1:])))
    return out


def read(pid, wanted):
    """The octets of the mappings for which wanted(...) says yes, one after the other."""
    out = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for first, last, permissions, file, flags in mappings(pid):
            if "r" not in permissions or file in ("[vvar]", "[vsyscall]") or not wanted(permissions, file, flags):
                continue
            try:
                memory.seek(first)
                out.append(memory.read(last - first))
            except OSError:  # of a device, or gone
                continue
    return out


def dumped(pid):
    """What a core dump of the process would hold: everything but mappings that are marked (MADV_DONTDUMP)."""
    return read(pid, lambda _, __, flags: "dd" not in flags)


def secret(pid):
    """The pages that keys lie in (base/secret_memory.h): anonymous, marked, and all of them."""
    return read(pid, lambda _, file, flags: "dd" in flags and not file)


def is_key_like(octets):
    """Sixteen octets that are no text, no pointers, no counters: what could be a key, or a part of one."""
    return len(set(octets)) >= 12 and sum(1 for octet in octets if octet > 126 or octet < 32) >= 4 \
        and octets.count(0) <= 1


def keys_in(blocks):
    """Each run of 16 octets, on a multiple of 16, that could be of a key."""
    out = set()
    for block in blocks:
        for at in range(0, len(block) - 15, 16):
            piece = block[at:at + 16]
            if piece.count(0) <= 1 and is_key_like(piece):
                out.add(piece)
    return out


def spellings(octets):
    """How octets may appear in text: as they are, in hexadecimal of both cases, in base64 (whatever comes before)."""
    yield octets
    yield octets.hex().encode()
    yield octets.hex().upper().encode()
    yield octets.hex(":").encode()
    for before in range(3):
        coded = base64.b64encode(bytes(before) + octets)
        yield coded[4 if before else 0:(len(coded) // 4 - 1) * 4]


def found_in(text, octets):
    return [each for each in spellings(octets) if each in text]
