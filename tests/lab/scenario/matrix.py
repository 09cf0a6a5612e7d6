# SPDX-License-Identifier: Apache-2.0
"""The interoperability matrix as one table: what may differ between cells, what does not go together and why, and the
cells that cover every pair of values that goes together. Pure: no process, no clock, no randomness."""
from .pairwise import Design, Excluded

TABLE = {
    "peer": ("strongswan", "libreswan"),
    "role": ("initiator", "responder"),  # espgate's
    "auth": ("psk", "rsa", "rsa-pss", "ecdsa256", "ecdsa384", "ecdsa521", "ed25519"),  # rsa: PKCS#1 v1.5
    "group": ("x25519", "ecp256", "ecp384", "ecp521", "x448", "modp2048", "modp3072", "modp4096"),
    "ike": ("aes128gcm16-prfsha256", "aes256gcm16-prfsha384", "chacha20poly1305-prfsha512", "aes128-sha256",
            "aes256-sha384", "aes256-sha512"),
    "esp": ("aes128gcm16", "aes256gcm16", "chacha20poly1305", "aes128-sha256", "aes256-sha384", "aes256-sha512"),
    "esn": ("noesn", "esn"),
    "pfs": ("nopfs", "pfs"),  # a key exchange of its own, of the IKE SA's group, when a child is rekeyed
    "outer": (4, 6),
    "inner": (4, 6),
    "path": ("direct", "nat", "encap"),  # nat: the initiator stands behind one; encap: ESP in UDP without one
    "size": ("whole", "fragments"),      # of IKE_AUTH's two messages: RFC 7383
    "asks": ("espgate", "peer"),         # who asks whether the other lives
}

CLOSELY = ("peer", "role", "path", "size")  # what even a short run has in every pair

EXCLUDED = (
    Excluded("libreswan 4.10 has no Ed25519", {"peer": "libreswan", "auth": "ed25519"}),
    Excluded("libreswan 4.10 has no X448", {"peer": "libreswan", "group": "x448"}),
)

DESIGN = Design(TABLE, EXCLUDED, CLOSELY)
allowed, possible, pairwise, short, coverage = DESIGN.allowed, DESIGN.possible, DESIGN.pairwise, DESIGN.short, DESIGN.coverage


def name(cell):
    """A cell's name: all its values."""
    families = f"{cell['inner']}in{cell['outer']}"
    return "-".join([cell["peer"], cell["role"][:4], cell["auth"], cell["ike"], cell["group"], "esp", cell["esp"], cell["esn"],
                     cell["pfs"], families, cell["path"], cell["size"], f"{cell['asks']}.asks"])


def text(cells):
    """The table, the rules and the cells, for people."""
    lines = [f"{key:6} {', '.join(map(str, values))}" for key, values in TABLE.items()]
    lines += [f"not run: {' '.join(f'{k}={v}' for k, v in rule.values.items())}: {rule.why}" for rule in EXCLUDED]
    covered, there = coverage(cells)
    whole = 1
    for values in TABLE.values():
        whole *= len(values)
    lines.append(f"{len(cells)} cells of {whole}; pairs covered: {covered} of {there}")
    return "\n".join(lines + [f"  {name(cell)}" for cell in cells])


if __name__ == "__main__":
    print(text(pairwise()))
    print("a short run:")
    print(text(short(pairwise())))
