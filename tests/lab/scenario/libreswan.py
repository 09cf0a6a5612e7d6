# SPDX-License-Identifier: Apache-2.0
"""libreswan's pluto in a namespace, driven by whack. What runs here costs a process each; see vici.py for the others."""
import pathlib
import re

from . import hosts
from .shell import Failed, ns, ns_start, run, wait_for

LIBEXEC = "/usr/libexec/ipsec"
# It takes PKCS#1 v1.5 with SHA-2 only from whom it would take it with SHA-1.
AUTH = {"psk": "secret", "rsa": "rsa-sha1,rsa-sha2", "rsa-pss": "rsa-sha2", "ecdsa256": "ecdsa-sha2_256", "ecdsa384": "ecdsa-sha2_384",
        "ecdsa521": "ecdsa-sha2_512"}
GROUP = {"x25519": "dh31", "ecp256": "dh19", "ecp384": "dh20", "ecp521": "dh21", "modp2048": "modp2048", "modp3072": "modp3072",
         "modp4096": "modp4096"}
IKE = {"aes128gcm16-prfsha256": "aes_gcm128-sha2_256", "aes256gcm16-prfsha384": "aes_gcm256-sha2_384",
       "chacha20poly1305-prfsha512": "chacha20_poly1305-sha2_512", "aes128-sha256": "aes128-sha2_256",
       "aes256-sha384": "aes256-sha2_384", "aes256-sha512": "aes256-sha2_512"}
ESP = {"aes128gcm16": "aes_gcm128", "aes256gcm16": "aes_gcm256", "chacha20poly1305": "chacha20_poly1305",
       "aes128-sha256": "aes128-sha2_256", "aes256-sha384": "aes256-sha2_384", "aes256-sha512": "aes256-sha2_512"}


class Pluto:
    kind = "libreswan"

    def __init__(self, directory, name, secret):
        self.directory = pathlib.Path(directory)
        (self.directory / "nss").mkdir(parents=True, exist_ok=True)
        self.name, self.nss = name, f"sql:{self.directory}/nss"
        self.log_file = self.directory / "pluto.log"
        run("certutil", "-N", "-d", self.nss, "--empty-password")
        (self.directory / "ipsec.secrets").write_text(f': PSK "{secret}"\n')
        (self.directory / "ipsec.secrets").chmod(0o600)
        (self.directory / "ipsec.conf").write_text("config setup\n")
        self.process = None

    def start(self):
        base = self.directory
        self.process = ns_start(self.name, f"{LIBEXEC}/pluto", "--nofork", "--config", base / "ipsec.conf", "--secretsfile",
                                base / "ipsec.secrets", "--nssdir", base / "nss", "--rundir", base, "--logfile",
                                self.log_file, "--no-dnssec", output=base / "pluto.out")
        wait_for("pluto's socket", lambda: (base / "pluto.ctl").exists() or self._ended())
        self._whack("--listen")
        return self

    def _ended(self):
        if self.process.poll() is not None:
            raise Failed(f"pluto ended with {self.process.returncode}: {self.log()}{(self.directory / 'pluto.out').read_text()}")

    def trust(self, authority):
        run("certutil", "-A", "-d", self.nss, "-n", authority.cert.stem, "-t", "CT,,", "-i", authority.cert)

    def take(self, name, cert, key, above=()):
        """Its own certificate under a name; `above`: authorities between it and the one that all trust."""
        bundle = self.directory / f"{name}.p12"
        run("openssl", "pkcs12", "-export", "-in", cert, "-inkey", key, "-name", name, "-passout", "pass:", "-out", bundle)
        run("pk12util", "-i", bundle, "-d", self.nss, "-W", "", "-K", "")
        for authority in above:
            run("certutil", "-A", "-d", self.nss, "-n", f"above {name}", "-t", ",,", "-i", authority.cert)

    def _whack(self, *words, **how):
        return run(f"{LIBEXEC}/whack", "--rundir", self.directory, *words, ok=False, **how)

    # ------------------------------------------------------------------------------- what a cell does, as with charon

    def load(self, cell, ends):
        text = "".join(f"  {key}={value}\n" for key, value in _settings(cell, ends).items())
        path = self.directory / "cell.conf"
        path.write_text(f"config setup\nconn {ends.conn}\n{text}")
        mark = len(self.log())
        done = run(f"{LIBEXEC}/addconn", "--config", path, "--ctlsocket", self.directory / "pluto.ctl", ends.conn, ok=False)
        if done.returncode or "added IKEv2 connection" not in self.log()[mark:]:
            raise Failed(f"addconn: {done.returncode} {done.stdout}{done.stderr}{self.log()[mark:]}")

    def unload(self, conn):
        self._whack("--delete", "--name", conn)

    def _asked(self, *words):
        done = self._whack(*words, timeout=90)
        return done.returncode == 0, done.stdout + done.stderr

    def up(self, conn):
        done, said = self._asked("--initiate", "--name", conn)
        return done and "established Child SA" in said, said

    def down(self, conn):
        return self._asked("--terminate", "--name", conn)

    def rekey_child(self, conn):
        return self._asked("--rekey-ipsec", "--name", conn)

    def rekey_ike(self, conn):
        return self._asked("--rekey-ike", "--name", conn)

    def ikes(self, conn):
        """How many IKE SAs are established."""
        lines = self._whack("--showstates").stdout.splitlines()
        return sum(1 for line in lines if f'"{conn}"' in line and re.search(r"STATE_V2_ESTABLISHED_IKE_SA", line))

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self._whack("--shutdown")
            wait_for("pluto to end", lambda: self.process.poll() is not None, 20)
        return self.process.returncode if self.process else None


def _settings(cell, ends):
    """The conn section's lines; left is pluto."""
    settings = {
        "keyexchange": "ike", "ikev2": "insist", "auto": "ignore", "type": "tunnel", "hostaddrfamily": f"ipv{cell['outer']}",
        "left": ends.peer_own, "right": ends.peer_sees, "leftid": f"@{ends.peer_id}", "rightid": f"@{ends.gw_id}",
        "leftsubnet": ends.peer_net, "rightsubnet": ends.gw_net, "leftupdown": "%disabled",
        "authby": AUTH[cell["auth"]], "ike": f"{IKE[cell['ike']]}-{GROUP[cell['group']]}", "esp": ESP[cell["esp"]],
        "pfs": "yes" if cell["pfs"] == "pfs" else "no", "esn": "yes" if cell["esn"] == "esn" else "no",
        "fragmentation": "yes" if cell["size"] == "fragments" else "no", "encapsulation": "auto", "replay-window": "128",
        "ikelifetime": "4h", "salifetime": "1h",
    }
    if cell["auth"] != "psk":
        settings |= {"leftcert": ends.peer_cert, "leftsendcert": "always", "sendca": "all"}
    if cell["asks"] == "peer":
        settings |= {"dpddelay": "1s", "dpdtimeout": "30s", "dpdaction": "clear"}
    return settings
