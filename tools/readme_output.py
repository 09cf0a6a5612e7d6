#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts the real output of a run of tools/demo --compare into README.md, between its markers.

Usage: tools/demo --compare | tee LOG; tools/readme_output.py LOG
"""
import pathlib
import re
import sys

README = pathlib.Path(__file__).resolve().parent.parent / "README.md"


def block(text):
    return "```\n" + "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n```"


def put(readme, name, text):
    pattern = rf"<!-- {name}: begin -->\n.*?<!-- {name}: end -->"
    new = f"<!-- {name}: begin -->\n{block(text)}\n<!-- {name}: end -->"
    return re.sub(pattern, lambda _: new, readme, flags=re.S)


def main():
    log = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
    ours, _, theirs = log.partition("=== For comparison")
    readme = README.read_text(encoding="utf-8")
    shown = ours[ours.index("$ espgate conn up demo/hw"):]
    readme = put(readme, "demo-output", shown)
    if theirs:
        readme = put(readme, "compare-output", theirs[theirs.index("\n") + 1:].partition("\nEvery count agrees")[0])
    README.write_text(readme, encoding="utf-8")


if __name__ == "__main__":
    main()
