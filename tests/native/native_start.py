#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How espgated starts, and what it says when it cannot: one sentence, and the exit status that belongs to it."""
import os
import re
import shutil
import socket

from common import (LEFT, PATIENCE, RIGHT, Node, Skip, config, expect, inside, lan, main, mount_bpffs, ns, programs,
                    run)

MISTAKES = """connections {
  demo {
    versoin = 2
    local_addrs = not an address
    children {
      net {
        hw_offload = sometimes
        esp_proposals = rot13
      }
    }
  }
}
secrets {
  ike-demo {
    secretly = x
  }
}
"""


def sentence(done, status, *words):
    """That it ended with `status` and one line, which has all the words."""
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    lines = [line for line in lines if "NOTHING IS ENCRYPTED" not in line]
    expect(f"exit status {status}", done.returncode == status, done.returncode, *lines)
    expect("one sentence", len(lines) == 1, *lines)
    for word in words:
        expect(f"{word!r} in the sentence", re.search(word, lines[0]), lines[0])


def arguments(node, *more):
    node.write_config(config(node.name))
    return ("espgated", "--config", node.config, "--vici", f"unix://{node.socket}", "--bpffs", node.bpffs, *more)


def try_start(node, *more, **how):
    """Starts one that must not come up."""
    return ns(node.name, *arguments(node, *more), ok=False, timeout=PATIENCE, **how)


def takes_esp():
    words = ("xfrm", "state", "add", "src", "192.0.2.9", "dst", "192.0.2.8", "proto", "esp", "spi", "0x1234", "mode",
             "tunnel", "aead", "rfc4106(gcm(aes))", "0x" + 20 * "01", "128")
    return ns(LEFT, "ip", *words, ok=False).returncode == 0


def usage(_):
    for word in ("--version", "--help"):
        done = run("espgated", word, ok=False)
        expect(f"{word}: exit status 0 and words", done.returncode == 0 and done.stdout.strip(), done)
    for words in (["--frobnicate"], ["--kernel", "vax"], ["--workers", "many"], ["--log-level", "loud"], ["surplus"]):
        done = run("espgated", *words, ok=False)
        expect(f"{words}: exit status 1 and words", done.returncode == 1 and done.stderr.strip(), done)


def kernel_without_esp(directory):
    lan(LEFT)
    if takes_esp():
        raise Skip("this kernel has ESP")
    sentence(try_start(Node(directory, LEFT)), 2, "this kernel (lacks|has)", "--kernel null")


def null_kernel(directory):
    lan(LEFT)
    node = Node(directory, LEFT, bpffs=mount_bpffs(directory / "bpf")).start(config(LEFT))
    expect("the null kernel says what it is", "NOTHING IS ENCRYPTED" in node.log(), node.log())
    node.stop_cleanly()
    expect("its control socket is gone", not node.socket.exists())


def no_privileges(directory):
    lan(LEFT)
    node = Node(directory, LEFT)
    command = list(arguments(node))
    os.chmod(directory, 0o755)
    # The programs may lie where only root can go.
    command[0] = directory / "espgated"
    shutil.copy(programs() / "espgated", command[0])
    for path in (node.directory, node.config):
        shutil.chown(path, "nobody")
    nobody = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--inh-caps=-all")
    for kernel in ("xfrm", "null"):
        done = ns(LEFT, *nobody, *command, "--kernel", kernel, ok=False, timeout=PATIENCE)
        sentence(done, 2, "root|CAP_")


def port_taken(directory):
    lan(LEFT)
    for port in (500, 4500):
        node = Node(directory, LEFT)
        with inside(LEFT), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("0.0.0.0", port))
            sentence(try_start(node, "--kernel", "null"), 2, f"port {port}", "ss -ulpn")


def second_espgated(directory):
    lan(LEFT, RIGHT)
    first = Node(directory, LEFT, bpffs=mount_bpffs(directory / "bpf")).start(config(LEFT))
    same_ports = Node(directory / "ports", LEFT)
    sentence(try_start(same_ports, "--kernel", "null"), 2, "port 500", "ss -ulpn")
    same_socket = Node(directory / "socket", RIGHT)
    same_socket.socket = first.socket
    sentence(try_start(same_socket, "--kernel", "null"), 2, "another espgated", str(first.socket), "--vici")
    same_bpffs = Node(directory / "same", RIGHT, bpffs=first.bpffs)
    sentence(try_start(same_bpffs, "--kernel", "null"), 2, "another espgated", str(first.bpffs), "--bpffs")
    expect("the first is unharmed", first.states()["demo/net"]["state"] == "down", first.log())
    first.stop_cleanly()


def stale_socket(directory):
    """kill -9 leaves the socket's file behind; the next start takes the place."""
    lan(LEFT)
    node = Node(directory, LEFT).start(config(LEFT))
    node.process.kill()
    node.process.wait()
    expect("the socket's file is left", node.socket.exists())
    node.start()
    node.stop_cleanly()


def no_bpffs(directory):
    lan(LEFT)
    (directory / "plain").mkdir()
    node = Node(directory, LEFT, bpffs=directory / "plain").start(config(LEFT))
    said = [line for line in node.log().splitlines() if "nothing is counted" in line]
    expect("no accounting, said once", len(said) == 1 and "is no bpffs" in said[0], node.log())
    expect("it works", node.states()["demo/net"]["state"] == "down")
    node.stop_cleanly()
    expect("nothing was left there", not list((directory / "plain").iterdir()))


def check_config(directory):
    good, bad = directory / "good.conf", directory / "bad.conf"
    good.write_text(config(LEFT))
    bad.write_text(MISTAKES)
    for file in (good, bad):
        file.chmod(0o600)
    done = run("espgated", "--config", good, "--check-config", ok=False)
    expect("a good file: exit status 0", done.returncode == 0, done)
    done = run("espgated", "--config", bad, "--check-config", ok=False)
    expect("a broken file: exit status 1", done.returncode == 1, done)
    found = [int(line) for line in re.findall(rf"^{re.escape(str(bad))}:(\d+):\d+: \S", done.stderr, re.MULTILINE)]
    wanted = [number for number, line in enumerate(MISTAKES.splitlines(), 1)
              if re.search("versoin|not an|sometimes|rot13|secretly", line)]
    expect("every mistake in one run", set(wanted) <= set(found), wanted, done.stderr)
    expect("the nearest known key", "version" in done.stderr, done.stderr)
    lan(LEFT)
    node = Node(directory, LEFT)
    node.write_config(MISTAKES)
    done = ns(LEFT, "espgated", "--config", node.config, "--vici", f"unix://{node.socket}", "--bpffs", node.bpffs,
              "--kernel", "null", ok=False, timeout=PATIENCE)
    expect("it does not start with it", done.returncode == 1 and not node.socket.exists(), done)
    done = run("espgated", "--config", directory / "none.conf", "--check-config", ok=False)
    expect("no file: exit status 1 and its name", done.returncode == 1 and "none.conf" in done.stderr, done)


def open_secrets(directory):
    """A file with secrets that others may read is refused."""
    file = directory / "espgate.conf"
    file.write_text(config(LEFT))
    for mode, status in ((0o644, 1), (0o604, 1), (0o600, 0)):
        file.chmod(mode)
        done = run("espgated", "--config", file, "--check-config", ok=False)
        expect(f"mode {mode:o}: exit status {status}", done.returncode == status, done)
        expect(f"mode {mode:o}: says why", status == 0 or str(file) in done.stderr, done)


if __name__ == "__main__":
    main(usage, kernel_without_esp, null_kernel, no_privileges, port_taken, second_espgated, stale_socket, no_bpffs,
         check_config, open_secrets)
