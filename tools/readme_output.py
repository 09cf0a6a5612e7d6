#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts the real output of a run into a page, between its markers.

tools/demo --compare | tee LOG; tools/readme_output.py LOG
tools/lab run -- python3 tests/lab/troubleshooting.py > LOG; tools/readme_output.py LOG docs/troubleshooting.md
tools/lab run -- python3 tests/lab/support_questions.py > LOG; tools/readme_output.py LOG docs/troubleshooting.md
ESPGATE_SHOW=1 tests/native/native_questions.py build/release/bin > LOG; tools/readme_output.py LOG docs/troubleshooting.md
tools/lab run -- python3 tests/lab/docs_commands_lab.py > LOG; tools/readme_output.py LOG docs/migration.md
"""
import pathlib
import re
import sys

README = pathlib.Path(__file__).resolve().parent.parent / "README.md"


def block(text):
    return "```\n" + "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n```"


def put(page, name, text):
    pattern = rf"<!-- {name}: begin -->\n.*?<!-- {name}: end -->"
    new = f"<!-- {name}: begin -->\n{block(text)}\n<!-- {name}: end -->"
    page, found = re.subn(pattern, lambda _: new, page, flags=re.S)
    if not found:
        sys.exit(f"the page has no place for {name}")
    return page


def demo(page, log):
    ours, _, theirs = log.partition("=== For comparison")
    page = put(page, "demo-output", ours[ours.index("$ espgate conn up demo/hw"):])
    if theirs:
        page = put(page, "compare-output", theirs[theirs.index("\n") + 1:].partition("\nEvery count agrees")[0])
    return page


def sections(page, log):
    """Each "### NAME" of the log to the place of that name; what follows "### end", to none."""
    parts = re.split(r"(?m)^### (\S+)\n", log)[1:]
    for name, text in zip(parts[::2], parts[1::2]):
        if name != "end":
            page = put(page, name, re.sub(r"/(?:tmp|run)/\S+/espgate\.conf", "/etc/espgate/espgate.conf", text).replace("/tmp/", "/run/"))
    return page


def main():
    log = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
    path = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else README
    page = path.read_text(encoding="utf-8")
    path.write_text(demo(page, log) if path == README else sections(page, log), encoding="utf-8")


if __name__ == "__main__":
    main()
