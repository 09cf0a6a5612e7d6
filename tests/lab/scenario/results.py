# SPDX-License-Identifier: Apache-2.0
"""What a scenario found: rows {id, expected, actual, pass, skipped_reason}, printed as they come, written at the end."""
import json
import pathlib
import tempfile
import time

from .shell import Failed

OUT = pathlib.Path("/run/lab/out")  # there only if tools/lab was told --out


class Results:
    def __init__(self, name):
        self.name = name
        self.rows = []
        self.started = time.monotonic()

    def section(self, title):
        print(f"== {title}  ({time.monotonic() - self.started:.0f} s)", flush=True)

    def add(self, what, expected, actual, passed, **more):
        """`more`: what else is to be known of it, for tables."""
        self.rows.append({"id": what, "expected": expected, "actual": actual, "pass": bool(passed),
                          "skipped_reason": None} | more)
        print(f"  {'ok  ' if passed else 'FAIL'} {what}: {actual}" + ("" if passed else f", expected {expected}"),
              flush=True)
        return bool(passed)

    def equal(self, what, actual, expected):
        return self.add(what, expected, actual, actual == expected)

    def holds(self, what, condition, actual=None):
        """`what` says what is expected."""
        return self.add(what, True, bool(condition) if actual is None else actual, condition)

    def more(self, what, actual, than=0):
        return self.add(what, f"> {than}", actual, actual > than)

    def checks(self, prefix, checks):
        """Those of identities.check_child."""
        for check in checks:
            self.add(f"{prefix}: {check.what}", check.right, check.left, check.holds)

    def finish(self):
        """Writes the rows and prints the sum; returns the exit status."""
        failed = [row for row in self.rows if not row["pass"]]
        if OUT.is_dir():
            (OUT / f"{self.name}.json").write_text(json.dumps(self.rows, indent=1) + "\n")
        for row in failed:
            print(f"FAILED {row['id']}: {row['actual']}, expected {row['expected']}")
        print(f"{len(self.rows) - len(failed)} passed, {len(failed)} failed", flush=True)
        return 0 if self.rows and not failed else 1


def run_scenario(name, scenario):
    """Calls scenario(directory, results), with a directory for as long as that takes; returns the exit status."""
    results = Results(name)
    with tempfile.TemporaryDirectory() as directory:
        try:
            scenario(directory, results)
        except Failed as failure:
            results.holds("the scenario runs to its end", False, str(failure))
    return results.finish()
