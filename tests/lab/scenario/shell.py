# SPDX-License-Identifier: Apache-2.0
"""Commands and namespaces. Traffic stays within the namespaces made here."""
import json
import pathlib
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


def lib(function, *arguments, **how):
    """A function of the shell libraries in tests/lab/lib."""
    scripts = " ".join(f". {ROOT}/tests/lab/lib/{name}.sh;" for name in ("net", "xfrm", "simnic", "charon"))
    return run("bash", "-c", f'{scripts} "$@"', "lib", function, *arguments, **how)


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
