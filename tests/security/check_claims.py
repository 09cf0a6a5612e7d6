#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each claim of docs/security.md ends with the test that shows it: `check_claims.py DOCUMENT BUILD_DIRECTORY ROOT`.

A claim is an item of a list ("- ..."), but for lists below a heading that begins with "Not": there stands what is not
claimed. It ends with [TEST], [TEST: CASE] or several of them, divided by "; ". TEST is a ctest; CASE is Suite.Name of a
GoogleTest program (a parameterized one without its prefix and suffix), a function of a test's script, or a corpus file
of a fuzzer. Exit 1 if a claim has none, or one that is not there.
"""
import json
import pathlib
import re
import subprocess
import sys

FEWEST = 40  # claims; fewer means that they are not found any more


def claims(text):
    """(line number, item on one line) of all lists that claim something."""
    item, begins, silent = None, 0, False
    for number, line in enumerate(text.splitlines() + [""], 1):
        if line.startswith("- ") or not line.startswith("  "):
            if item is not None and not silent:
                yield begins, item
            item = None
        if line.startswith("#"):
            silent = line.lstrip("# ").startswith("Not")
        elif line.startswith("- "):
            item, begins = line[2:].strip(), number
        elif item is not None:
            item += " " + line.strip()


def tests_of(build):
    listed = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], capture_output=True, text=True,
                            check=True)
    return {test["name"]: test.get("command", []) for test in json.loads(listed.stdout)["tests"]}


def cases_of(command, root, memory={}):
    """Names of what a test consists of, as far as its command tells."""
    key = tuple(command)
    if key not in memory:
        names = set()
        program = pathlib.Path(command[0]) if command else pathlib.Path()
        if program.suffix == ".py":
            names |= set(re.findall(r"^def (\w+)\(", program.read_text(encoding="utf-8"), re.M))
        elif program.parent.name == "tests" and program.exists():
            suite = ""
            listed = subprocess.run([program, "--gtest_list_tests"], capture_output=True, text=True, check=True).stdout
            for line in listed.splitlines():
                word = line.split("#")[0].rstrip()
                if not word.startswith(" "):
                    suite = re.sub(r"^\w+/", "", word.rstrip("."))
                    suite = suite.split("/")[0]
                else:
                    name, _, parameter = word.strip().partition("/")
                    names |= {f"{suite}.{name}", f"{suite}.{name}/{parameter}"}
        for argument in command[1:]:
            folder = root / argument
            if "corpus" in argument and folder.is_dir():
                names |= {path.name for path in folder.iterdir()}
            if argument.endswith(".py") and pathlib.Path(argument).exists():
                names |= set(re.findall(r"^def (\w+)\(", pathlib.Path(argument).read_text(encoding="utf-8"), re.M))
        memory[key] = names
    return memory[key]


def judge(number, claim, tests, root):
    found = re.search(r"\[([^\]]+)\]$", claim)
    if not found:
        yield f"line {number}: no test at its end: {claim[:70]}"
        return
    for named in found[1].replace("`", "").split("; "):
        test, _, case = named.strip().partition(": ")
        if test not in tests:
            yield f"line {number}: there is no test {test}"
        elif case and case not in cases_of(tests[test], root):
            yield f"line {number}: {test} has no case {case}"


def main():
    document, build, root = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
    tests = tests_of(build)
    found = list(claims(document.read_text(encoding="utf-8")))
    wrong = [complaint for number, claim in found for complaint in judge(number, claim, tests, root)]
    if len(found) < FEWEST:
        wrong.append(f"only {len(found)} claims found, at least {FEWEST} expected")
    print("\n".join(wrong) if wrong else f"{len(found)} claims, each with a test that is there")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
