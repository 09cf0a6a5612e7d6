# SPDX-License-Identifier: Apache-2.0
"""The cells of interop.py that are not in the matrix: much traffic whose every packet is accounted for, several children, and
negotiations that must fail."""
import os
from dataclasses import dataclass, field, replace

from .connections import Child, Connection

GCM, CBC = "aes128gcm16", "aes256-sha256"
# One cell a full load, the others enough to see segmentation. ESPGATE_INTEROP_FULL=1: all of them a full load.
FULL = (1000, int(os.environ.get("ESPGATE_INTEROP_OCTETS", 40_000_000)))
LIGHT = FULL if os.environ.get("ESPGATE_INTEROP_FULL") == "1" else (50, 500_000)

ALSO_IN_MATRIX = ("liveness", "rekey-initiator", "rekey-responder")  # every cell of the matrix does that, too


@dataclass(frozen=True)
class Cell:
    role: str  # of espgate: "initiator" or "responder"
    conn: Connection
    pings: int
    octets: int  # of TCP: each way at once, or, in a full load, from gw

    @property
    def name(self):
        return self.conn.name


# What charon must have wrong so that a negotiation fails, and what both sides have to say about it.
@dataclass(frozen=True)
class BadCell:
    role: str
    kind: str
    conn: Connection         # as espgate has it, and charon once it is mended
    peer: Connection         # as charon has it at first
    step: str
    code: str                # of espgate's last_error
    notify: str              # on the wire
    known: bool              # whether espgate can know which of its connections it was (else its log must say it)
    peer_says: dict = field(default_factory=dict)  # role -> what charon logs

    @property
    def name(self):
        return self.conn.name


def _numbers():
    number = 0
    while True:
        number += 1
        yield number


def _plain(numbers):
    # role, IKE proposal, ESP suite, families (outer, inner), load
    table = [
        ("initiator", "aes128gcm16-prfsha256-x25519", GCM, (4, 4), FULL),
        ("responder", "aes256-sha256-x25519", CBC, (4, 4), (1000, LIGHT[1])),
        ("initiator", "aes128gcm16-prfsha256-x25519", GCM, (6, 4), LIGHT),
        ("responder", "aes128gcm16-prfsha256-x25519", CBC, (4, 6), LIGHT),
    ]
    for role, proposal, suite, (outer, inner), load in table:
        number = next(numbers)
        families = "" if (outer, inner) == (4, 4) else f"-{inner}in{outer}"
        name = f"{role[:4]}-{proposal}-esp-{suite}{families}"
        yield Cell(role, Connection(name, proposal, (Child(number, suite, inner),), outer), *load)


def cells():
    numbers = _numbers()
    proposal = "aes128gcm16-prfsha256-x25519"
    plain = list(_plain(numbers))

    def conn(name, children=1, **how):
        made = tuple(Child(next(numbers), (GCM, CBC)[i], name=("net", "net2")[i]) for i in range(children))
        return Connection(name, proposal, made, **how)

    special = {
        "children-initiator": Cell("initiator", conn("children-initiator", 2), 20, 0),
        "children-responder": Cell("responder", conn("children-responder", 2), 20, 0),
        "liveness": Cell("initiator", conn("liveness", peer_extra={"dpd_delay": "1s"}), 20, 0),
        "rekey-initiator": Cell("initiator", conn("rekey-initiator"), 20, 0),
        "rekey-responder": Cell("responder", conn("rekey-responder"), 20, 0),
    }
    bad = [made for role in ("initiator", "responder") for made in _bad(role, conn)]
    return plain, special, bad, next(numbers) - 1


def _bad(role, conn):
    def named(kind):
        return conn(f"{kind}-{role}")

    asked = role == "initiator"  # espgate asked, charon refused; else the other way round
    refused = "received {} notify"

    good = named("wrong-psk")
    yield BadCell(role, "wrong-psk", good, replace(good, secret="not the secret"), "IKE_AUTH", "auth-failed",
                  "AUTHENTICATION_FAILED", True, {"initiator": "MAC mismatched", "responder": refused})

    good = named("unknown-id")
    peer = replace(good, gw_id="nobody.example.org") if asked else replace(good, peer_id="nobody.example.org")
    yield BadCell(role, "unknown-id", good, peer, "IKE_AUTH", "auth-failed" if asked else "no-config",
                  "AUTHENTICATION_FAILED", asked, {"initiator": "no matching peer config found", "responder": refused})

    # Offered by nobody else: a responder takes any connection of these addresses that fits.
    good = replace(named("no-ike-proposal"), proposal="aes256-sha384-ecp384" if asked else "aes256-sha256-ecp384")
    other = "aes256-sha512-ecp384" if asked else "aes128-sha384-ecp384"
    yield BadCell(role, "no-ike-proposal", good, replace(good, proposal=other), "IKE_SA_INIT", "no-proposal",
                  "NO_PROPOSAL_CHOSEN", asked, {"initiator": "received proposals unacceptable", "responder": refused})

    good = named("no-esp-proposal")
    yield BadCell(role, "no-esp-proposal", good, good.with_suite("aes256gcm16"), "IKE_AUTH", "no-proposal",
                  "NO_PROPOSAL_CHOSEN", True, {"initiator": "no acceptable proposal found", "responder": refused})

    good = named("ts-mismatch")
    elsewhere = tuple(replace(child, number=child.number + 100) for child in good.children)
    yield BadCell(role, "ts-mismatch", good, replace(good, children=elsewhere), "IKE_AUTH", "ts-unacceptable",
                  "TS_UNACCEPTABLE", True, {"initiator": "traffic selectors .* unacceptable", "responder": refused})
