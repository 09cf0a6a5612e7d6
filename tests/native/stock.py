# SPDX-License-Identifier: Apache-2.0
"""Stock swanctl, and charon to compare with, as Debian builds them: unpacked by tools/lib/peers.sh and laid over /usr in this
mount namespace, not installed. This kernel may have no ESP: charon loads, lists and refuses all the same."""
import contextlib
import os
import pathlib
import re
import shutil

from common import INSIDE, Node, Skip, _started, expect, lan
from scenario.daemon import Charon
from scenario.shell import ROOT, Failed, run

GATE, PEER = "left", "right"
FOLDERS = ("x509", "x509ca", "x509ocsp", "x509aa", "x509ac", "x509crl", "pubkey", "private", "rsa", "ecdsa", "bliss", "pkcs8",
           "pkcs12")
CHARON_CONF = """charon-systemd {{
  load = random nonce openssl pem pkcs1 pkcs8 pkcs12 x509 pubkey constraints kdf {kernel} socket-default vici counters
  plugins {{
    vici {{
      socket = unix://{directory}/vici
    }}
  }}
  filelog {{
    log {{
      path = {directory}/charon.log
      flush_line = yes
      default = 1
    }}
  }}
}}
swanctl {{
  load = random openssl pem pkcs1 pkcs8 pkcs12 x509 pubkey constraints
}}
"""


def fetched(library, function):
    """What a function of tools/lib/ fetches and unpacks in the cache: its folder. Skip if it cannot be had. There is no network
    in a test's namespaces: before main() enters them, this fetches."""
    scripts = " ".join(f". {ROOT}/tools/lib/{name}.sh;" for name in ("debian", "cache", library))
    found = run("bash", "-c", f"{scripts} {function}", ok=False, timeout=600)
    folder = found.stdout.strip()
    if found.returncode != 0 or not folder:
        raise Skip(f"packages of strongSwan cannot be fetched: {found.stderr.strip()[-300:]}")
    return folder


def fetch_outside(*what):
    """To be called before main()."""
    if INSIDE not in os.environ:
        with contextlib.suppress(Skip):
            fetched(*what)


def lay_over():
    """strongSwan's programs on PATH."""
    layer = fetched("peers", "peers_layer")
    if shutil.which("swanctl") is None:
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={layer}/usr:/usr", "/usr")
    expect("swanctl and charon in the layer", shutil.which("swanctl") and shutil.which("charon-systemd"), layer)


def pki(home):
    """A CA, a certificate of ours with its key, a peer's, in swanctl's folders."""
    for folder in FOLDERS:
        (home / folder).mkdir(parents=True, exist_ok=True)
    ca, key = home / "x509ca/ca.pem", home / "ca.key"
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", ca, "-days", "30",
        "-subj", "/O=espgate/CN=CA")
    for name, where in (("gw", "private"), ("peer", None)):
        request, own = home / f"{name}.csr", (home / where / f"{name}.pem" if where else home / f"{name}.key")
        extension = home / "extension"
        extension.write_text(f"subjectAltName=DNS:{name}.example.org\n")
        run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", own, "-out", request,
            "-subj", f"/O=espgate/CN={name}")
        run("openssl", "x509", "-req", "-in", request, "-CA", ca, "-CAkey", key, "-out", home / f"x509/{name}.pem",
            "-set_serial", str(len(name)), "-days", "20", "-extfile", extension)
    run("openssl", "rsa", "-in", home / "private/gw.pem", "-pubout", "-out", home / "pubkey/gw.pub")
    for path in (home / "private").iterdir():
        path.chmod(0o600)


class Daemons:
    """espgated and charon, each in its namespace, with swanctl for both."""

    def __init__(self, directory, config=""):
        lay_over()
        lan(GATE, PEER)
        self.home = directory / "swanctl"
        pki(self.home)
        self.node = Node(directory, GATE).start(config)
        self.charon = charon(directory / "charon", PEER)
        self.sockets = {"espgated": self.node.socket, "charon": self.charon.directory / "vici"}

    def ctl(self, daemon, *words, timeout=60):
        """swanctl, as it is; does not fail by itself."""
        return swanctl(self.sockets[daemon], self.charon.directory / "strongswan.conf", self.home, *words, timeout=timeout)


def swanctl(socket, conf, home, *words, timeout=60):
    return run("env", f"STRONGSWAN_CONF={conf}", f"SWANCTL_DIR={home}", "swanctl", *words, "--uri", f"unix://{socket}",
               ok=False, timeout=timeout)


def charon(directory, name, config="", kernel="kernel-netlink"):
    """A charon; `kernel`: its plugins for SAs. kernel-libipsec does ESP by itself, where the kernel has none."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "strongswan.conf").write_text(CHARON_CONF.format(directory=directory, kernel=kernel))
    out = Charon(directory, name).start(config)
    _started.append(Ended(out))
    return out


class Ended:
    """What clean_up() wants of a charon: that it is not there any more."""

    def __init__(self, charon):
        self.charon, self.process = charon, self

    def poll(self):
        return None

    def kill(self):
        self.charon.stop()

    def wait(self):
        pass


def pretty(text):
    """swanctl's --pretty output as nested dictionaries: events one after the other, merged by name."""
    root, stack = {}, []
    at = root
    for line in text.splitlines():
        line = line.strip()
        if opened := re.fullmatch(r"(.*?) ?\{", line):
            below = at.setdefault(opened[1], {})
            stack.append(at)
            at = below
        elif opened := re.fullmatch(r"(.*?) = \[", line):
            at[opened[1]] = items = []
            stack.append(at)
            at = items
        elif line in ("}", "]"):
            at = stack.pop()
        elif isinstance(at, list):
            at.append(line)
        elif line and line != "disconnecting...":
            key, equals, value = line.partition(" =")
            if not equals:
                raise Failed(f"swanctl printed {line!r}")
            at[key] = value.strip()
    return root


def text_of(path):
    return pathlib.Path(path).read_text()
