# SPDX-License-Identifier: Apache-2.0
"""Certification authorities made by OpenSSL's own program, and what they issue, in swanctl's folders of both sides."""
import pathlib
import shutil

from .shell import run

# What `openssl req -newkey` wants.
KEYS = {"rsa": ("rsa:2048",), "ecdsa256": ("ec", "ec_paramgen_curve:P-256"),
        "ecdsa384": ("ec", "ec_paramgen_curve:P-384"), "ecdsa521": ("ec", "ec_paramgen_curve:P-521"), "ed25519": ("ed25519",)}
CONFIG = "[req]\ndistinguished_name = dn\nprompt = no\n[dn]\nO = espgate\n"  # nothing of OpenSSL's own extensions


class Authority:
    """`above`: the authority that issued its certificate, else it is a root. `note`: a comment in it, to make it long."""

    def __init__(self, directory, name="ca", above=None, note=None):
        self.directory, self.above = pathlib.Path(directory), above
        self.directory.mkdir(parents=True, exist_ok=True)
        self.key, self.cert, self.config = (self.directory / f"{name}.{end}" for end in ("key", "pem", "cnf"))
        self.config.write_text(CONFIG)
        extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"]
        self._make(self.key, self.cert, "ecdsa256", f"authority {name} of the scenario", above,
                   extensions + ([f"nsComment={note}"] if note else []))

    def _make(self, key, cert, kind, name, issuer, extensions):
        """One process for key and certificate."""
        way, *option = KEYS[kind]
        words = ["openssl", "req", "-x509", "-config", self.config, "-days", "2", "-subj", f"/O=espgate/CN={name}", "-out", cert]
        if key.exists():
            words += ["-key", key]
        else:
            words += ["-newkey", way, *(("-pkeyopt", *option) if option else ()), "-nodes", "-keyout", key]
        for extension in extensions:
            words += ["-addext", extension]
        # A key for RSA is found by chance, in an emulated machine sometimes after minutes.
        run(*words, *(("-CA", issuer.cert, "-CAkey", issuer.key) if issuer else ()), timeout=600)
        key.chmod(0o600)

    def issue(self, home, name, identity, kind):
        """A certificate for the DNS name `identity` as home/x509/NAME.pem, and home/private/KIND.pem, the one key of a kind there;
        returns (certificate, key)."""
        home = pathlib.Path(home)
        for folder in ("x509", "x509ca", "private"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        cert, key = home / "x509" / f"{name}.pem", home / "private" / f"{kind}.pem"
        self._make(key, cert, kind, identity[:60], self, [f"subjectAltName=DNS:{identity}", "basicConstraints=CA:FALSE"])
        self.known(home)
        return cert, key

    def known(self, home):
        """Its certificate, and those above it, in home/x509ca."""
        shutil.copy(self.cert, pathlib.Path(home) / "x509ca" / self.cert.name)
        if self.above:
            self.above.known(home)
