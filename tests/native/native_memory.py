#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an IKE SA and its child take of memory (Pss), the record for a process after this one included: tests/bench/ike.py's
responder and its load, two thousand of them, less what a first hundred took. ESPGATE_KIB_AN_SA: at most so much."""
import os
import pathlib
import subprocess
import sys

from common import Skip, expect, main, programs, run, unsanitized

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
import ike  # noqa: E402

COUNT = 2000
MOST_KIB = float(os.environ.get("ESPGATE_KIB_AN_SA", 6.4))


def an_ike_sa_and_child(directory):
    unsanitized("under a sanitizer memory is another")
    if not (programs() / "espgate-ike-load").exists():
        raise Skip("espgate-ike-load is not built")
    run("mount", "-t", "tmpfs", "tmpfs", directory)  # records lie nowhere else; clean_up() takes it away
    bpffs = directory / "bpf"  # a plain folder: no maps, whose pages would be counted
    bpffs.mkdir()
    sides = ike.make_sides(directory, "psk")
    subprocess.run(["bash", "-c", ike.NETWORK], check=True)
    daemon = ike.espgated(programs(), sides["gate"], bpffs)
    try:
        ike.load(programs(), sides["peer"], daemon, 100)  # what is there once; the same identities come again
        found = ike.load(programs(), sides["peer"], daemon, COUNT)
    finally:
        daemon.stop()
    expect("records are kept", list((sides["gate"] / "vici.state").iterdir()), daemon.log.read_text())
    print(f"  {found['kib']:.2f} KiB of an IKE SA and child", flush=True)
    expect(f"at most {MOST_KIB} KiB", found["kib"] <= MOST_KIB, found)


main(an_ike_sa_and_child)
