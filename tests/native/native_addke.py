#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Additional key exchanges (RFC 9370) with ML-KEM and with classical groups against strongSwan of Debian sid, natively: charon runs
in a root of sid, and espgated with the OpenSSL of that root, found at run time (it is built with this machine's)."""
import pathlib
import platform
import re
from dataclasses import dataclass

from common import ADDRESS, IDENTITY, LEFT, PATIENCE, RIGHT, Node, _started, expect, lan, main, programs
from scenario import daemon
from scenario.shell import ns, ns_start, run, wait_for
from stock import CHARON_CONF, fetch_outside, fetched

NETWORK = {LEFT: "10.1.0.0/24", RIGHT: "10.2.0.0/24"}
PPK = f"secrets {{\n  ppk-one {{\n    id = one\n    secret = 0x{'11' * 32}\n  }}\n}}\n"


@dataclass(frozen=True)
class Row:
    name: str
    ike: str
    esp: str
    words: str               # of both sides, behind the IKE SA's first group
    extra: str = ""
    secrets: str = ""
    fragment_size: int = 1280


IKE, ESP = "aes256gcm16-prfsha384-x25519", "aes256gcm16-x25519"
ROWS = [
    Row("ecp256", f"{IKE}-ke1_ecp256", f"{ESP}-ke1_ecp256", "/KE1_ECP_256"),
    Row("three-classical", f"{IKE}-ke1_ecp256-ke2_modp2048-ke5_ecp521", f"{ESP}-ke1_ecp384-ke2_modp3072",
        "/KE1_ECP_256/KE2_MODP_2048/KE5_ECP_521"),
    Row("mlkem512", f"{IKE}-ke1_mlkem512", f"{ESP}-ke1_mlkem512", "/KE1_ML_KEM_512"),
    Row("mlkem768", f"{IKE}-ke1_mlkem768", f"{ESP}-ke1_mlkem768", "/KE1_ML_KEM_768"),
    Row("mlkem1024", f"{IKE}-ke1_mlkem1024", f"{ESP}-ke1_mlkem1024", "/KE1_ML_KEM_1024"),
    Row("mlkem768-and-ecp384-cbc", "aes256-sha512-x25519-ke1_mlkem768-ke2_ecp384", f"{ESP}-ke1_mlkem768-ke2_ecp384",
        "/KE1_ML_KEM_768/KE2_ECP_384"),
    Row("mlkem1024-small-fragments", f"{IKE}-ke1_mlkem1024", f"{ESP}-ke1_mlkem1024", "/KE1_ML_KEM_1024", fragment_size=576),
    Row("mlkem768-whole", f"{IKE}-ke1_mlkem768", f"{ESP}-ke1_mlkem768", "/KE1_ML_KEM_768", extra="fragmentation = no"),
    Row("mlkem768-with-ppk", f"{IKE}-ke1_mlkem768", f"{ESP}-ke1_mlkem768", "/KE1_ML_KEM_768",
        extra="ppk_id = one\n    ppk_required = yes", secrets=PPK),
    Row("mlkem768-childless", f"{IKE}-ke1_mlkem768", f"{ESP}-ke1_mlkem768", "/KE1_ML_KEM_768", extra="childless = force"),
    Row("mlkem768-alone", "aes256gcm16-prfsha384-mlkem768", "aes256gcm16-mlkem768", ""),
]


class Charon:
    """One in the root: its directory is there under the same name."""

    def __init__(self, root, directory, name):
        self.root, self.directory, self.name, self.process = root, directory, name, None
        directory.mkdir(parents=True)
        conf = CHARON_CONF.format(directory=directory, kernel="kernel-libipsec kernel-netlink")
        (directory / "strongswan.conf").write_text(conf.replace("flush_line = yes", "flush_line = yes\n      ike = 2"))
        for where in ("proc", "dev"):
            run("mount", "--rbind", f"/{where}", root / where)
        for where in (pathlib.Path("run"), directory.relative_to("/")):
            (root / where).mkdir(parents=True, exist_ok=True)
            run("mount", "--bind", "/" / where, root / where)
        self.process = ns_start(name, "chroot", root, "env", f"STRONGSWAN_CONF={directory}/strongswan.conf",
                                "/usr/sbin/charon-systemd", output=directory / "charon.out")
        _started.append(self)
        wait_for("charon's socket", lambda: (directory / "vici").exists(), PATIENCE)

    def ctl(self, *words, ok=True):
        return ns(self.name, "chroot", self.root, "env", f"STRONGSWAN_CONF={self.directory}/strongswan.conf",
                  f"SWANCTL_DIR={self.directory}", "swanctl", *words, "--uri", f"unix://{self.directory}/vici", ok=ok)

    def load(self, text):
        (self.directory / "swanctl.conf").write_text(text)
        self.ctl("--load-all", "--clear", "--noprompt", "--file", self.directory / "swanctl.conf")

    def log(self):
        return (self.directory / "charon.log").read_text(errors="replace")


def conf(name, row):
    other = RIGHT if name == LEFT else LEFT
    text = daemon.swanctl_conf(local=ADDRESS[name], remote=ADDRESS[other], local_id=IDENTITY[name], remote_id=IDENTITY[other],
                               secret="a secret of the test", proposals=row.ike, extra=row.extra + "\n",
                               children={"net": {"local_ts": NETWORK[name], "remote_ts": NETWORK[other],
                                                 "esp_proposals": row.esp}}) + row.secrets
    return text + (f"gateway {{\n  fragment_size = {row.fragment_size}\n}}\n" if name == LEFT else "")


def with_openssl_of(node, root):
    """The loader and the libraries of the root come first."""
    machine = platform.machine()
    loader = next((root / "usr/lib64").glob("ld-linux*"), None) or next((root / "usr/lib").glob("ld-linux*"))
    libraries = f"{root}/usr/lib/{machine}-linux-gnu:/usr/lib/{machine}-linux-gnu"
    node.prefix = (loader, "--library-path", libraries)
    node.program = programs() / "espgated"
    return node


def settled(what, gateway, peer, row):
    """One IKE SA and one child at both ends, with the words of the row."""
    def whole():
        ikes = [each for each in gateway.json("ike", "show") if each["state"] == "ESTABLISHED"]
        theirs = peer.ctl("--list-sas").stdout
        return (len(ikes) == 1 and len(gateway.json("sa", "show")) == 1 and theirs.count("ESTABLISHED") == 1
                and theirs.count("INSTALLED") == 1 and "REKEY" not in theirs and ikes[0]["suite"].endswith(row.words)
                and re.search(re.escape(row.words) + "(/PPK)?$", theirs, re.M) and ikes[0])
    try:
        wait_for(what, whole, 25)
    except Exception as late:
        raise AssertionError(f"{what}: {late}\n{gateway.cli('ike', 'show').stdout}{peer.ctl('--list-sas').stdout}"
                             f"{gateway.log()[-2500:]}\n{peer.log()[-3500:]}") from None
    return whole()


def try_row(row, role, gateway, peer):
    gateway.write_config(conf(LEFT, row))
    expect("reloaded", gateway.cli("conn", "reload", ok=False).returncode == 0, gateway.log()[-2000:])
    (peer.directory / "charon.log").write_text("")
    peer.load(conf(RIGHT, row))
    if role == "initiator":
        up = gateway.cli("conn", "up", "demo", "--timeout", PATIENCE // 4, ok=False, timeout=PATIENCE)
    else:
        up = peer.ctl("--initiate", "--child", "net", "--timeout", str(PATIENCE // 4), ok=False)
    expect("up", up.returncode == 0, up.stdout, up.stderr, gateway.log()[-2000:], peer.log()[-4000:])
    spi = settled("up", gateway, peer, row)["spi_i"]
    for child in (True, False):
        gateway.cli("conn", "rekey", "demo/net" if child else "demo")
        settled(f"our rekey of the {'child' if child else 'IKE SA'}", gateway, peer, row)
        peer.ctl("--rekey", *(("--child", "net") if child else ("--ike", "demo")))
        after = settled(f"its rekey of the {'child' if child else 'IKE SA'}", gateway, peer, row)["spi_i"]
    expect("another IKE SA", after != spi, after)
    asked = len(re.findall(r"(generating|parsed) IKE_FOLLOWUP_KE request", peer.log()))
    wanted = 2 * (row.ike.count("-ke") + row.esp.count("-ke"))  # two rekeys of each
    expect(f"at least {wanted} IKE_FOLLOWUP_KE", asked >= wanted, asked, peer.log()[-4000:])
    gateway.cli("conn", "down", "demo", ok=False)
    peer.ctl("--terminate", "--ike", "demo", "--force", ok=False)


def against_strongswan(directory):
    root = pathlib.Path(fetched("peer_root", "peer_root sid"))
    lan(LEFT, RIGHT)
    run("ip", "-n", RIGHT, "address", "add", "10.2.0.1/24", "dev", "lo")
    peer = Charon(root, directory / "charon", RIGHT)
    print(f"  {peer.ctl('--version').stdout.strip()}", flush=True)
    gateway = with_openssl_of(Node(directory, LEFT), root).start(conf(LEFT, ROWS[0]))
    failed, done = [], 0
    for row in ROWS:
        for role in ("initiator", "responder"):
            try:
                try_row(row, role, gateway, peer)
                done += 1
                print(f"  {row.name}, espgate as {role}: ok", flush=True)
            except Exception as wrong:  # the other rows run all the same
                failed.append(f"{row.name}, espgate as {role}: {wrong}")
                print(f"  {row.name}, espgate as {role}: FAILED", flush=True)
                gateway.cli("conn", "down", "demo", ok=False)
                peer.ctl("--terminate", "--ike", "demo", "--force", ok=False)
    print(f"  {done} of {2 * len(ROWS)} rows", flush=True)
    expect("every row", not failed, *failed)
    gateway.stop_cleanly()


if __name__ == "__main__":
    fetch_outside("peer_root", "peer_root sid")
    main(against_strongswan)
