#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Of each source of a ninja build below this directory one line "KEY SOURCE": KEY changes with the source, with any header of the
project that it includes, and with .clang-tidy and its clang-tidy's version. Usage: tidy_keys.py BUILD_DIRECTORY VERSION.

A key tells what was looked at, wherever the checkout is, so that results can be shared between checkouts.
"""
import hashlib
import pathlib
import subprocess
import sys


def digest(path, known={}):  # noqa: B006: a cache
    if path not in known:
        known[path] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "none"
    return known[path]


def dependencies(build):
    """(source, all that it includes) of each object, as ninja noted when it compiled."""
    files = []
    for line in subprocess.run(["ninja", "-C", build, "-t", "deps"], check=True, capture_output=True, text=True).stdout.splitlines():
        if line.startswith(" "):
            files.append((build / line.strip()).resolve())
        elif files:
            yield files[0], files[1:]
            files = []
    if files:
        yield files[0], files[1:]


def main(build, version):
    root = pathlib.Path.cwd().resolve()
    common = version + digest(root / ".clang-tidy")
    told = set()
    for source, headers in dependencies(build.resolve()):
        if root not in source.parents or source.suffix != ".cc" or source in told:
            continue
        told.add(source)
        of_ours = sorted(header for header in headers if root in header.parents)
        parts = [common, *(f"{path.relative_to(root)} {digest(path)}" for path in [source, *of_ours])]
        print(hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40], source.relative_to(root))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
