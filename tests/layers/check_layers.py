#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The house's walls: which room may include which, one SPDX line a file, no file that has outgrown itself.

Usage: check_layers.py ROOT. Prints each breach as FILE:LINE: text; exit 1 if there is any.
"""
import pathlib
import re
import sys

# Room -> rooms it may include, besides itself. ike/, xfrm/, loader/ and steer/ do not know one another.
ALLOWED = {
    "base": set(),
    "maps": {"base"},
    "bpf": {"maps"},
    "loader": {"bpf", "maps", "base"},
    "xfrm": {"base"},
    "ike": {"base"},
    "steer": {"maps", "base"},
    "sad": {"ike", "xfrm", "steer", "loader", "maps", "base"},
    "control": {"sad", "ike", "xfrm", "steer", "loader", "maps", "base"},
    "gateway": {"control", "sad", "ike", "xfrm", "steer", "loader", "maps", "base"},
    "tools": {"control", "sad", "ike", "xfrm", "steer", "loader", "maps", "base"},
}
SANS_IO = {"ike": r"#include <(sys/socket|sys/epoll|netinet/|asio|chrono_io|poll|fcntl|unistd)"}
CLOCKS = re.compile(r"(steady_clock|system_clock)::now|clock_gettime|gettimeofday|\btime\(nullptr\)")
CODE = {".h", ".cc", ".c", ".py", ".sh", ".cmake"}
MOST_LINES = 400


def first_lines(lines):
    return "\n".join(lines[:3])


def check_file(root, path):
    room = path.relative_to(root).parts[0]
    lines = path.read_text(encoding="utf-8").splitlines()
    where = path.relative_to(root)
    if "SPDX-License-Identifier:" not in first_lines(lines):
        yield f"{where}:1: no SPDX line among the first three"
    if len(lines) > MOST_LINES:
        yield f"{where}:{MOST_LINES}: {len(lines)} lines; split it at {MOST_LINES}"
    if room not in ALLOWED or path.suffix not in {".h", ".cc", ".c"}:
        return
    for number, line in enumerate(lines, 1):
        found = re.match(r'\s*#\s*include\s+"([^"/]+)/', line)
        if found and found.group(1) in ALLOWED and found.group(1) not in ALLOWED[room] | {room}:
            yield f"{where}:{number}: {room}/ must not include {found.group(1)}/"
        if room in SANS_IO and re.match(SANS_IO[room], line):
            yield f"{where}:{number}: {room}/ is sans-IO: {line.strip()}"
        if room in {"ike", "sad", "steer"} and CLOCKS.search(line):
            yield f"{where}:{number}: {room}/ reads no clock; time is passed in"


def sources(root):
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if parts[0] in {"build", ".git"} or "broken_house" in parts or not path.is_file():
            continue
        if path.suffix in CODE or path.name == "CMakeLists.txt":
            yield path


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    breaches = [breach for path in sources(root) for breach in check_file(root, path)]
    print("\n".join(breaches) if breaches else "layers: every wall stands")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
