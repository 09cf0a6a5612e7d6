# SPDX-License-Identifier: Apache-2.0
"""A certification authority made by OpenSSL's own program, and what it issues, in swanctl's folders of both sides."""
import pathlib

from .shell import run

KEYS = {"rsa": ("RSA", "rsa_keygen_bits:2048"), "ecdsa": ("EC", "ec_paramgen_curve:P-256"), "ed25519": ("ED25519", None)}


class Authority:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.key, self.cert = self.directory / "ca.key", self.directory / "ca.pem"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/O=espgate/CN=authority of the scenario", "-keyout", self.key, "-out", self.cert)

    def issue(self, home, name, identity, kind):
        """A certificate for the DNS name `identity` as home/x509/NAME.pem, its key beside, and the CA's own."""
        home = pathlib.Path(home)
        for folder in ("x509", "x509ca", "private"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        key, request, names = home / "private" / f"{name}.pem", self.directory / "request", self.directory / "names"
        algorithm, option = KEYS[kind]
        run("openssl", "genpkey", "-algorithm", algorithm, *(("-pkeyopt", option) if option else ()), "-out", key)
        key.chmod(0o600)
        names.write_text(f"subjectAltName=DNS:{identity}\n")
        run("openssl", "req", "-new", "-key", key, "-subj", f"/O=espgate/CN={identity}", "-out", request)
        run("openssl", "x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days",
            "1", "-extfile", names, "-out", home / "x509" / f"{name}.pem")
        (home / "x509ca" / "ca.pem").write_text(self.cert.read_text())
