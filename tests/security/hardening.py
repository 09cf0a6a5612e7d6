#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the programs that people run are hardened with, read back from the programs: `hardening.py PROGRAM...`.

Prints a table in the manner of checksec; exit 1 if a cell of it is not as it has to be. cmake/EspgateHardening.cmake asks
for it; this is what came of that.
"""
import pathlib
import re
import subprocess
import sys


def read(program, *what):
    return subprocess.run(["readelf", "--wide", *what, program], capture_output=True, text=True, check=True).stdout


def undefined(program):
    """Names that the program takes from libraries."""
    return set(re.findall(r"UND (\w+)", read(program, "--dyn-syms")))


def pie(program):
    return "DYN" in re.search(r"Type:\s+(\w+)", read(program, "--file-header"))[1] and \
        "PIE" in read(program, "--dynamic")


def relro(program):
    dynamic = read(program, "--dynamic")
    return "GNU_RELRO" in read(program, "--program-headers") and re.search(r"FLAGS_1.*NOW", dynamic) is not None


def no_exec_stack(program):
    stack = re.search(r"GNU_STACK.*", read(program, "--program-headers"))
    return stack is not None and "E" not in stack[0].split()[-2]


def no_writable_code(program):
    loads = re.findall(r"LOAD\s+(?:0x\w+\s+){5}([RWE ]+?)\s+0x", read(program, "--program-headers"))
    return bool(loads) and not any("W" in flags and "E" in flags for flags in loads)


def canary(program):
    return "__stack_chk_fail" in undefined(program)


def cet(program):
    """Marked for the shadow stack, and functions begin with endbr64 (the mark for that fails by Debian's startup files)."""
    return "SHSTK" in read(program, "--notes") and pathlib.Path(program).read_bytes().count(b"\xf3\x0f\x1e\xfa") > 500


def fortified(program):
    """Of the calls that glibc has a checked form of, how many are; a name alone does not say that each call is."""
    return sum(1 for name in undefined(program) if re.fullmatch(r"__\w+_chk", name) and name != "__stack_chk_fail")


def assertions(program):
    """libstdc++'s own: the failing branch is there."""
    return "_ZSt21__glibcxx_assert_failPKciS0_S0_" in undefined(program) or \
        b"__glibcxx_assert_fail" in pathlib.Path(program).read_bytes() or \
        b"!this->empty()" in pathlib.Path(program).read_bytes()


def no_library_path(program):
    """Libraries come from the system, or from a folder of our own package: nothing relative, nothing empty."""
    found = re.search(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", read(program, "--dynamic"))
    return found is None or all(re.fullmatch(r"/usr/[\w./-]*/espgate", each) and ".." not in each
                                for each in found[1].split(":"))


COLUMNS = {"PIE": pie, "RELRO+NOW": relro, "NX": no_exec_stack, "W^X": no_writable_code, "CANARY": canary, "CET": cet,
           "FORTIFY": fortified, "ASSERTIONS": assertions, "RPATH": no_library_path}


def main():
    programs = sys.argv[1:]
    if not programs:
        sys.exit(__doc__)
    width = max(len(pathlib.Path(program).name) for program in programs)
    print("PROGRAM".ljust(width), *COLUMNS)
    bad = []
    for program in programs:
        name, cells = pathlib.Path(program).name, []
        for column, check in COLUMNS.items():
            value = check(program)
            text = str(value) if column == "FORTIFY" else "yes" if value else "NO"
            cells.append(text.ljust(len(column)))
            if not value:
                bad.append(f"{name}: {column}")
        print(name.ljust(width), *cells)
    # Stack-clash protection and trivial frames leave no name; where there is a frame larger than a page, a probe is seen.
    print("\n".join(f"not as it has to be: {each}" for each in bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
