# SPDX-License-Identifier: Apache-2.0
"""Commands and namespaces. Traffic stays within the namespaces made here."""
import json
import pathlib
import shlex
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Failed(Exception):
    """A command or a wait that did not do what the scenario needs; its text says which."""


def run(*command, ok=True, timeout=120, stdin=None):
    """Runs a command; returns its CompletedProcess with text output. Raises Failed if `ok` and the status is not 0."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=timeout, input=stdin,
                          check=False)
    if ok and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def ns(name, *command, **how):
    """Like run, in a network namespace; /sys stays as it is, unlike with `ip netns exec`."""
    return run("nsenter", f"--net=/run/netns/{name}", "--", *command, **how)


def ns_start(name, *command, output):
    """Starts a command in a namespace in the background, its output to a file."""
    return subprocess.Popen(["nsenter", f"--net=/run/netns/{name}", "--", *map(str, command)],
                            stdout=open(output, "ab"), stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)


LIBRARIES = " ".join(f". {ROOT}/tests/lab/lib/{name}.sh;" for name in ("net", "xfrm", "simnic", "charon"))


def lib(function, *arguments, **how):
    """A function of the shell libraries in tests/lab/lib."""
    return run("bash", "-c", f'{LIBRARIES} "$@"', "lib", function, *arguments, **how)


class Shell:
    """Many such calls by one shell that stays: starting one costs a quarter of a second in an emulated machine."""

    MARK = "status of that: "

    def __init__(self):
        loop = f'while IFS= read -r line; do eval "$line" </dev/null 2>&1; status=$?; printf "\\n{self.MARK}%d\\n" $status; done'
        self.process = subprocess.Popen(["bash", "-c", f"{LIBRARIES} {loop}"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        """(status, what it said)."""
        print(shlex.join(map(str, words)), file=self.process.stdin, flush=True)
        said = []
        for line in self.process.stdout:
            if line.startswith(self.MARK):
                return int(line[len(self.MARK):]), "".join(said).strip()
            said.append(line)
        raise Failed(f"the shell ended at: {shlex.join(map(str, words))}")

    def __call__(self, *words):
        """What it said; Failed if its status is not 0."""
        status, said = self.ask(*words)
        if status:
            raise Failed(f"{shlex.join(map(str, words))}: status {status}\n{said}")
        return said

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


def wait_for(what, condition, seconds=30.0, every=0.2):
    """Waits until condition() is true (and returns its value); raises Failed naming `what`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise Failed(f"waited {seconds:.0f} s for {what}")


def ip_json(name, *arguments):
    return json.loads(ns(name, "ip", "-j", *arguments).stdout or "[]")
