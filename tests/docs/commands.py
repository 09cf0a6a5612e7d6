#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every command that the documentation shows is run by a test, or stands in NOT_RUN with the reason.

A command is a line of a block marked `sh`, or one that begins with "$ " in any other block; what follows two spaces and a # is a remark.
Between "<!-- NAME: begin -->" and "end" stands what a script printed (GENERATED): it runs the commands. Every other one stands as
doc 'COMMAND' or doc("COMMAND") in a test below, which runs just these words. A block that has commands and no mark fails.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "tools/README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Tests that are registered with ctest and run what they have in doc.
RUNNERS = [ROOT / "tests/lab/package_inside.sh", ROOT / "tests/lab/docs_commands_lab.py", ROOT / "tests/docs/steering.sh"]
# Which script made what stands between markers, and how it calls the part of that name.
GENERATED = {
    "demo-output": ("tests/lab/demo.py", "def demo("), "compare-output": ("tests/lab/demo.py", "def compare_strongswan("),
    "convert": ("tests/lab/docs_commands_lab.py", "convert"),
    "module-start": ("tests/lab/support_questions.py", "### module-start"),
}
SECTIONS = ["tests/lab/troubleshooting.py", "tests/native/native_questions.py", "tests/lab/support_questions.py"]
NOT_RUN = {
    "tools/demo": "installs packages and builds; what it runs then is the test `demo`",
    "tools/test": "it is what runs this test",
    "cmake --preset release && cmake --build --preset release": "tools/test begins with it, and this test runs out of what it built",
    "systemctl disable --now strongswan": "the unit is strongSwan's own, where that is the daemon",
    "tests/steer/table.py": "writes the page's numbers anew, in minutes; its parts are the test `steer_sim`",
}
PROGRAMS = "espgate|espgated|swanctl|systemctl|journalctl|apt|apt-get|dpkg|tools/|tests/|cmake|ctest|ip |nft|ping|curl|sysctl|modprobe|kill|cp|mv|chmod|install|make"
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.M | re.S)


def bare(line):
    return re.split(r"\s{2,}#|\s#\s", line.strip(), maxsplit=1)[0].strip()


def commands(page):
    """(line number, command, name of the markers around it or None); complaints about blocks without a mark."""
    text = page.read_text()
    found, complaints = [], []
    for block in BLOCK.finditer(text):
        first = text[:block.start()].count("\n") + 2
        marks = re.findall(r"<!-- ([\w-]+): (begin|end) -->", text[:block.start()])
        name = marks[-1][0] if marks and marks[-1][1] == "begin" else None
        for number, line in enumerate(block[2].splitlines(), first):
            if block[1] == "sh" and bare(line) and not line.lstrip().startswith("#"):
                found.append((number, bare(line), name))
            elif block[1] != "sh" and line.startswith("$ "):
                found.append((number, bare(line[2:]), name))
            elif not block[1] and not name and re.match(rf"(?:{PROGRAMS})[^:]*$", line) and "=" not in line.split()[0]:
                complaints.append(f"{page.relative_to(ROOT)}:{number}: a command in a block that is not marked sh: {line}")
    return found, complaints


def run_by_tests():
    """{command: file} of every doc in the runners."""
    out = {}
    for path in RUNNERS:
        for match in re.finditer(r"""\bdoc(?:_live)?(?: \d+ | |\()(?:'([^']*)'|"([^"]*)")""", path.read_text()):
            out[(match[1] or match[2]).removesuffix(" </dev/null")] = path
    return out


def generated(name):
    """Whether a script prints that section."""
    if name in GENERATED:
        script, call = GENERATED[name]
        return call in (ROOT / script).read_text()
    return any(f'"{name}"' in (ROOT / script).read_text() for script in SECTIONS)


def main():
    runs, wrong, seen, total = run_by_tests(), [], set(), 0
    for page in PAGES:
        found, complaints = commands(page)
        wrong += complaints
        for number, command, name in found:
            total += 1
            seen.add(command)
            where = f"{page.relative_to(ROOT)}:{number}: {command}"
            if name and not generated(name):
                wrong.append(f"{where}: no script prints the section {name}")
            elif not name and command not in runs and command not in NOT_RUN:
                wrong.append(f"{where}: no test runs it: doc '{command}' in one of {[path.name for path in RUNNERS]}, or NOT_RUN with the reason")
    registered = "".join(path.read_text() for path in (ROOT / "tests").rglob("CMakeLists.txt"))
    for script in ("package.sh", "docs_commands_lab", "demo", "troubleshooting", "native_questions", "support_questions", "steering.sh"):
        if script not in registered:
            wrong.append(f"{script} is not registered with ctest")
    wrong += [f"NOT_RUN has {command}, which no page shows" for command in NOT_RUN if command not in seen]
    print("\n".join(wrong) or f"{total} commands in {len(PAGES)} pages: each is run by a test, or stands in NOT_RUN")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
