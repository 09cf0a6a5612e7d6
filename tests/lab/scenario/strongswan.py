# SPDX-License-Identifier: Apache-2.0
"""A cell of the matrix in strongSwan's words: for charon, and for espgated, whose configuration has the same keys."""
from . import daemon
from .vici import Client

AUTH = {"psk": "psk", "rsa": "rsa-sha256", "rsa-pss": "rsa/pss-sha256", "ecdsa256": "ecdsa-sha256", "ecdsa384": "ecdsa-sha384",
        "ecdsa521": "ecdsa-sha512", "ed25519": "ed25519"}
FRAGMENT_SIZE = 576  # octets of an IP packet, of charon's and ours: even a message without certificates can be longer
YES = {True: "yes", False: "no"}


def esp_proposal(cell):
    """With ESN the proposal says so; without, nothing need be said."""
    words = [cell["esp"]] + [cell["group"]] * (cell["pfs"] == "pfs") + ["esn"] * (cell["esn"] == "esn")
    return "-".join(words)


def proof_wanted(cell, kind):
    """Of the other side. Which hash pluto signs with cannot be told it."""
    if kind in ("psk", "pubkey", "ed25519"):
        return kind
    return f"ike:{kind}" if cell["peer"] == "strongswan" else kind.split("-sha", maxsplit=1)[0]


def connection(cell, ends, side):
    """The connection's section as vici has it. side 1 is gw (espgated), 2 is the peer."""
    ours = side == 1
    own, other = (ends.gw_own, ends.gw_sees) if ours else (ends.peer_own, ends.peer_sees)
    ids, nets = (ends.gw_id, ends.peer_id), (ends.gw_net, ends.peer_net)
    asks = cell["asks"] == ("espgate" if ours else "peer")
    kind = AUTH[cell["auth"]] if ours or cell["auth"] != "ed25519" else "pubkey"  # charon has no word for that alone
    child = {"local_ts": [nets[side - 1]], "remote_ts": [nets[2 - side]], "esp_proposals": [esp_proposal(cell)], "mode": "tunnel",
             "hw_offload": "auto"}
    if not ours:
        del child["hw_offload"]
        child["replay_window"] = "128"  # its own default of 32 loses packets that asynchronous software crypto overtakes
    return {
        "version": "2", "local_addrs": [own], "remote_addrs": [other], "proposals": [f"{cell['ike']}-{cell['group']}"],
        "encap": YES[ours and cell["path"] == "encap"], "fragmentation": YES[cell["size"] == "fragments"],
        "dpd_delay": "1s" if asks else "0s", "send_cert": "always" if ours and cell["peer"] == "libreswan" else "ifasked",
        "local": {"auth": kind, "id": ids[side - 1]},
        "remote": {"auth": proof_wanted(cell, kind), "id": ids[2 - side]},
        "children": {"net": child},
    }


def render(sections, indent=""):
    """swanctl.conf of nested sections."""
    out = ""
    for name, value in sections.items():
        if isinstance(value, dict):
            out += f"{indent}{name} {{\n{render(value, indent + '  ')}{indent}}}\n"
        else:
            out += f"{indent}{name} = {', '.join(value) if isinstance(value, list) else value}\n"
    return out


class Charon:
    kind = "strongswan"

    def __init__(self, directory, name, secret):
        self.daemon = daemon.Charon(directory, name)
        self.directory, self.name, self.secret = self.daemon.directory, name, secret
        self.vici = None

    def start(self):
        self.daemon.start(f'secrets {{\n  ike {{\n    secret = "{self.secret}"\n  }}\n}}\n', FRAGMENT_SIZE)
        self.vici = Client(self.directory / "vici")
        return self

    def load(self, cell, ends):
        done, said = self.vici.ask("load-conn", {ends.conn: connection(cell, ends, 2)})
        if not done:
            raise daemon.Failed(f"charon's load-conn: {said}")

    def unload(self, conn):
        self.vici.ask("unload-conn", {"name": conn})

    def up(self, conn):
        return self.vici.ask("initiate", {"child": "net", "ike": conn, "timeout": "60000", "loglevel": "-1"})

    def down(self, conn):
        return self.vici.ask("terminate", {"ike": conn, "timeout": "30000", "loglevel": "-1"})

    def rekey_child(self, conn):
        return self.vici.ask("rekey", {"child": "net", "ike": conn})

    def rekey_ike(self, conn):
        return self.vici.ask("rekey", {"ike": conn})

    def ikes(self, conn):
        return sum(1 for row in self.vici.ikes(conn) if row["state"] == "ESTABLISHED")

    def log(self):
        return self.daemon.log()

    def stop(self):
        self.daemon.stop()
        return 0
