# SPDX-License-Identifier: Apache-2.0
"""espgated and charon, each in its namespace, with a configuration of the scenario's choosing."""
import json
import os
import pathlib
import signal
import stat

from . import hosts
from .shell import Failed, lib, ns, ns_start, run, wait_for

BPFFS = "/run/bpf"


class Gateway:
    """An espgated. `programs`: directory with the programs; None means PATH."""

    def __init__(self, directory, name=hosts.GW, arguments=()):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.arguments = list(arguments)
        self.program = "espgated"
        self.prefix = ()  # what espgated is started by, if not by itself
        self.bpffs = BPFFS
        self.patience = 90  # seconds until its socket answers; an emulated machine on a busy one takes its time
        self.config = self.directory / "espgate.conf"
        self.socket = self.directory / "vici"
        self.log_file = self.directory / "espgated.log"
        self.process = None

    def write_config(self, text):
        self.config.write_text(text)
        self.config.chmod(stat.S_IRUSR | stat.S_IWUSR)

    def start(self, config=None, wait=True):
        if config is not None:
            self.write_config(config)
        self.process = ns_start(self.name, *self.prefix, self.program, "--config", self.config, "--vici", f"unix://{self.socket}",
                                "--bpffs", self.bpffs, *self.arguments, output=self.log_file)
        if wait:
            self.wait_up()
        return self

    def wait_up(self):
        def up():
            if self.process.poll() is not None:
                raise Failed(f"espgated ended with {self.process.returncode}:\n{self.log()}")
            return self.socket.exists() and self.cli("ike", "show", ok=False).returncode == 0
        wait_for("espgated's control socket", up, self.patience)

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def cli(self, *words, **how):
        """espgate in text mode."""
        return ns(self.name, "espgate", "--vici", f"unix://{self.socket}", "--bpffs", self.bpffs, *words, **how)

    def json(self, *words, **how):
        return json.loads(self.cli("-j", *words, **how).stdout)

    def children(self, name=None):
        """`sa show kernel`, as rows by "conn/child"."""
        rows = self.json("sa", "show", "kernel")
        return {f"{row['conn']}/{row['child']}": row for row in rows if name in (None, row["child"])}

    def stop(self, how=signal.SIGTERM, seconds=20):
        """Ends it; returns its exit status (negative: signal)."""
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else None
        os.kill(self.process.pid, how)
        wait_for("espgated to end", lambda: self.process.poll() is not None, seconds)
        return self.process.returncode


class Charon:
    """strongSwan's charon with swanctl."""

    def __init__(self, directory, name=hosts.PEER):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.name = name

    def start(self, swanctl_conf, fragment_size=1280):
        (self.directory / "swanctl.conf").write_text(swanctl_conf)
        lib("charon_start", self.name, self.directory, fragment_size)
        return self

    def ctl(self, *words, **how):
        return lib("charon_ctl", self.directory, *words, **how)

    def load(self, swanctl_conf):
        (self.directory / "swanctl.conf").write_text(swanctl_conf)
        return self.ctl("--load-all", "--file", self.directory / "swanctl.conf")

    def log(self):
        path = self.directory / "charon.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self):
        pid = self.directory / "pid"
        if pid.exists():
            os.kill(int(pid.read_text()), signal.SIGTERM)
            wait_for("charon to end", lambda: not _alive(int(pid.read_text())), 20)


def _alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def swanctl_conf(*, local, remote, local_id, remote_id, secret, proposals, children, extra=""):
    """A swanctl.conf that espgated and charon both read. children: {name: {key: value}}."""
    def section(values, indent):
        return "".join(f"{indent}{key} = {value}\n" for key, value in values.items())

    text = "".join(f"      {name} {{\n{section(values, ' ' * 8)}      }}\n" for name, values in children.items())
    return f"""connections {{
  demo {{
    version = 2
    local_addrs = {local}
    remote_addrs = {remote}
    proposals = {proposals}
    {extra}
    local {{
      auth = psk
      id = {local_id}
    }}
    remote {{
      auth = psk
      id = {remote_id}
    }}
    children {{
{text}    }}
  }}
}}
secrets {{
  ike-demo {{
    id-1 = {local_id}
    id-2 = {remote_id}
    secret = "{secret}"
  }}
}}
"""
