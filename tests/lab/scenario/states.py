# SPDX-License-Identifier: Apache-2.0
"""`ip xfrm state` and `policy` of both sides, compared. Keys are compared and never printed."""
import re
import socket
from dataclasses import dataclass

from . import counters
from .shell import ns

# What the kernel calls the suites: algorithm lines without keys, and key octets (GCM: with the salt).
KERNEL_WORDS = {
    "aes128gcm16": {"aead": ("rfc4106(gcm(aes))", 20, 128)},
    "aes256gcm16": {"aead": ("rfc4106(gcm(aes))", 36, 128)},
    "aes128-sha256": {"enc": ("cbc(aes)", 16, 0), "auth-trunc": ("hmac(sha256)", 32, 128)},
    "aes256-sha256": {"enc": ("cbc(aes)", 32, 0), "auth-trunc": ("hmac(sha256)", 32, 128)},
    "aes256-sha384": {"enc": ("cbc(aes)", 32, 0), "auth-trunc": ("hmac(sha384)", 48, 192)},
    "aes256-sha512": {"enc": ("cbc(aes)", 32, 0), "auth-trunc": ("hmac(sha512)", 64, 256)},
    "chacha20poly1305": {"aead": ("rfc7539esp(chacha20,poly1305)", 36, 128)},
}


@dataclass(frozen=True)
class State:
    src: str
    dst: str
    spi: str
    mode: str
    encap: bool
    esn: bool
    algorithms: tuple  # (kind, name, key, ICV bits)

    def suite(self):
        found = {kind: (name, len(key) // 2, icv) for kind, name, key, icv in self.algorithms}
        return next((suite for suite, words in KERNEL_WORDS.items() if words == found), "unknown")


def address(octets, family):
    """Of struct xfrm_address_t, as `ip` writes it."""
    return socket.inet_ntop(family, octets[:4] if family == socket.AF_INET else octets)


def states(name):
    """The ESP SAs of a namespace with their keys, larval ones left out."""
    out = set()
    for block in re.split(r"(?m)^(?=src )", ns(name, "ip", "xfrm", "state").stdout):
        head = re.match(r"src (\S+) dst (\S+)\s+proto esp spi 0x([0-9a-f]{8}) reqid \S+ mode (\w+)", block)
        if not head or head.group(3) == "00000000":
            continue
        algorithms = re.findall(r"(?m)^\s+(aead|enc|auth-trunc|auth) (\S+) 0x([0-9a-f]*)(?: (\d+))?", block)
        out.add(State(*head.groups(), "encap type" in block, bool(re.search(r"flag .*\besn\b", block)),
                      tuple(sorted((kind, words, key, int(icv or 0)) for kind, words, key, icv in algorithms))))
    return out


def policy_kinds(name):
    """How many policies of a namespace (ask for ESP, do not)."""
    asking = ["tmpl" in policy for policy in counters.policies(name)]
    return sum(asking), len(asking) - sum(asking)
