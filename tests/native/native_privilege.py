#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a running espgated still may: capabilities, new privileges, system calls, whose it is, who looks into it."""
import os
import pathlib
import re
import resource
import shutil

from common import LEFT, PATIENCE, RIGHT, Node, config, expect, lan, main, mount_bpffs, ns, pair, programs, \
    ns_start, sanitized, wait_for

KEPT = {12: "CAP_NET_ADMIN", 38: "CAP_PERFMON", 39: "CAP_BPF"}
USER = "nobody"


def threads(node):
    """The lines of /proc/PID/task/*/status, each thread's as a dict."""
    for task in pathlib.Path(f"/proc/{node.process.pid}/task").iterdir():
        yield dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)


def expect_confined(node, bounding=True):
    """`bounding`: it had the right to narrow the set that bounds what a program it may not even run could have."""
    most = sum(1 << number for number in KEPT)
    seen, without, filters = 0, 0, []
    for status in threads(node):
        seen += 1
        for which in ("CapPrm", "CapEff", *(["CapBnd"] if bounding else [])):
            more = int(status[which], 16) & ~most
            expect(f"{which} within {sorted(KEPT.values())}", more == 0, status["Name"], hex(more))
        for which in ("CapInh", "CapAmb"):
            expect(f"{which} empty", int(status[which], 16) & ~most == 0 and int(status["CapAmb"], 16) == 0, status)
        expect("no new privileges", status["NoNewPrivs"].strip() == "1", status)
        expect("the seccomp filter", status["Seccomp"].strip() == "2", status)
        filters.append(int(status.get("Seccomp_filters", "0")))
        without += int(status["CapEff"], 16) == 0
    expect("main and engine at least", seen >= 2, seen)
    expect("the engine has no capability", without >= 1, filters)
    expect("the engine has a filter more", sanitized() or max(filters) == min(filters) + 1, filters)
    # Of a process that may be dumped the files in /proc are its user's; of another, root's.
    owner = os.stat(f"/proc/{node.process.pid}/environ").st_uid
    expect("nobody may dump it", owner == 0, owner)


def control_socket(directory):
    """Root's, and the group's espgate where there is one: nobody else may connect."""
    lan(LEFT)
    node = Node(directory, LEFT).start(config(LEFT))
    about = node.socket.stat()
    expect("mode 0660", about.st_mode & 0o7777 == 0o660, oct(about.st_mode))
    groups = [line.split(":")[2] for line in pathlib.Path("/etc/group").read_text().splitlines()
              if line.startswith("espgate:")]
    expect("root's", about.st_uid == 0 and about.st_gid == int(groups[0] if groups else 0), about)
    node.stop_cleanly()


def works(nodes):
    left, right = nodes
    left.cli("conn", "up", "demo/net", timeout=PATIENCE)
    left.write_config(config(LEFT, children=("net", "more")))
    left.cli("conn", "reload")
    expect("a reload is read", "demo/more" in left.states(), left.states())
    left.cli("conn", "down", "demo")
    for node in nodes:
        node.json("stats", "show")
        node.stop_cleanly()


def as_root(directory):
    nodes = pair(directory, bpffs=True)
    for node in nodes:
        expect_confined(node)
    works(nodes)


def as_another_user(directory):
    """--user: started by root, and somebody else's from the first datagram on; its configuration is its own, too."""
    lan(LEFT, RIGHT)
    nodes = []
    for name in (LEFT, RIGHT):
        node = Node(directory, name, kernel=("--kernel", "null", "--user", USER),
                    bpffs=mount_bpffs(directory / f"bpf-{name}"))
        node.write_config(config(name))
        for path in (directory, node.directory):
            path.chmod(0o755)
        for path in (node.directory, node.config):
            shutil.chown(path, USER)
        nodes.append(node.start(wait=False))
    for node in nodes:
        node.wait_up()
        expect_confined(node)
        for status in threads(node):
            expect(f"it is {USER}'s", "0" not in status["Uid"].split() + status["Gid"].split(), status)
    works(nodes)
    nodes[0].arguments = ["--kernel", "null"]
    for path in (nodes[0].directory, nodes[0].config):  # root without its powers writes what is root's, too, and no more
        shutil.chown(path, "root")
    nodes[0].start()
    expect("root takes over what it left", nodes[0].process.poll() is None, nodes[0].log())
    nodes[0].stop_cleanly()


def no_such_user(directory):
    lan(LEFT)
    node = Node(directory, LEFT)
    node.write_config(config(LEFT))
    done = ns(LEFT, "espgated", "--config", node.config, "--vici", f"unix://{node.socket}", "--bpffs", node.bpffs,
              "--kernel", "null", "--user", "who", ok=False, timeout=PATIENCE)
    expect("status 2, and the user is named", done.returncode == 2 and "--user who" in done.stderr, done)


def with_capabilities_alone(directory):
    """As systemd starts it with User= and AmbientCapabilities=."""
    lan(LEFT)
    node = Node(directory, LEFT, bpffs=mount_bpffs(directory / "bpf"))
    node.write_config(config(LEFT))
    program = directory / "espgated"
    shutil.copy(programs() / "espgated", program)  # the programs may lie where only root can go
    for path in (directory, node.directory):
        path.chmod(0o755)
    for path in (node.directory, node.config, node.bpffs):
        shutil.chown(path, USER)
    capabilities = "+net_admin,+bpf,+perfmon,+net_bind_service"
    command = ("setpriv", "--reuid", USER, "--regid", "nogroup", "--clear-groups", "--inh-caps", capabilities,
               "--ambient-caps", capabilities)
    node.process = ns_start(LEFT, *command, program, "--config", node.config, "--vici", f"unix://{node.socket}",
                            "--bpffs", node.bpffs, "--kernel", "null", output=node.log_file)
    node.wait_up()
    expect_confined(node, bounding=False)
    node.stop_cleanly()


def no_core(directory):
    """A crash leaves no core, whatever the limit: the kernel writes none of what may not be dumped."""
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    lan(LEFT)
    node = Node(directory, LEFT).start(config(LEFT))
    where = pathlib.Path(f"/proc/{node.process.pid}/cwd").resolve()
    before = set(where.glob("core*"))
    node.process.send_signal(6)
    wait_for("it ends", lambda: node.process.poll() is not None, PATIENCE)
    expect("by the signal", node.process.returncode in (-6, 134), node.process.returncode, pattern)
    expect("no core", set(where.glob("core*")) == before, pattern)


def an_unexpected_call_is_said(directory):
    lan(LEFT)
    node = Node(directory, LEFT, kernel=("--kernel", "null", "--seccomp", "log")).start(config(LEFT))
    expect("said", "--seccomp log" in node.log(), node.log())
    for status in threads(node):
        expect("the filter is there all the same", status["Seccomp"].strip() == "2", status)
    node.stop_cleanly()


def little_memory_to_lock(directory):
    """Without the right to lock more memory it goes on, and says so once."""
    lan(LEFT)
    node = Node(directory, LEFT)
    node.write_config(config(LEFT))
    if sanitized():
        return
    limited = ("setpriv", "--bounding-set", "-sys_resource,-ipc_lock", "--inh-caps", "-sys_resource,-ipc_lock", "prlimit",
               "--memlock=0:0")
    node.process = ns_start(LEFT, *limited, "espgated", "--config", node.config, "--vici", f"unix://{node.socket}",
                            "--bpffs", node.bpffs, "--kernel", "null", output=node.log_file)
    node.wait_up()
    said = len(re.findall("cannot be locked", node.log()))
    expect("said once", said == 1, node.log())
    node.stop_cleanly()


if __name__ == "__main__":
    main(control_socket, as_root, as_another_user, no_such_user, with_capabilities_alone, no_core, an_unexpected_call_is_said,
         little_memory_to_lock)
