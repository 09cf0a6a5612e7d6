#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What IKEv2 has beyond the lab's matrix, against strongSwan as Debian builds it, natively: its charon does ESP by itself
(kernel-libipsec), espgated none (--kernel null). Both roles of each row."""
import re
from dataclasses import dataclass, field

from common import ADDRESS, IDENTITY, LEFT, PATIENCE, PROPOSAL, RIGHT, Node, expect, lan, main
from scenario import daemon
from scenario.shell import run
from stock import charon, fetch_outside, lay_over

NETWORK = {LEFT: "10.1.0.0/24", RIGHT: "10.2.0.0/24"}
PPK = "secrets {{\n  ppk-one {{\n    id = {id}\n    secret = 0x{key}\n  }}\n}}\n"
KEY, OTHER = "11" * 32, "22" * 32


@dataclass(frozen=True)
class Row:
    name: str
    ours: str = ""           # keys of the connection
    theirs: str = ""
    our_secrets: str = ""
    their_secrets: str = ""
    roles: tuple = ("initiator", "responder")  # of espgate
    up: bool = True
    ppk: bool = False        # is in the keys, says each side
    said: dict = field(default_factory=dict)   # role -> what espgate's log has to say if it does not come up


ONE = PPK.format(id="one", key=KEY)
ROWS = [
    Row("ppk-required", "ppk_id = one\n    ppk_required = yes", "ppk_id = one\n    ppk_required = yes", ONE, ONE, ppk=True),
    Row("ppk-optional", "ppk_id = one", "ppk_id = one", ONE, ONE, ppk=True),
    Row("ppk-not-known-there", "ppk_id = one", "", ONE, ""),
    Row("ppk-not-known-here", "", "ppk_id = one", "", ONE),
    Row("ppk-another-named-there", "ppk_id = one", "ppk_id = two", ONE, PPK.format(id="two", key=OTHER), roles=("responder",)),
    # charon takes none but its own then; espgate goes without, as RFC 8784 has it.
    Row("ppk-another-wanted-there", "ppk_id = one", "ppk_id = two", ONE, PPK.format(id="two", key=OTHER), roles=("initiator",),
        up=False),
    Row("ppk-wrong-key", "ppk_id = one", "ppk_id = one", ONE, PPK.format(id="one", key=OTHER), up=False,
        said={"responder": "wrong PSK"}),
    Row("ppk-required-not-known-there", "ppk_id = one\n    ppk_required = yes", "", ONE, "", up=False,
        said={"initiator": "requires a post-quantum preshared key", "responder": "the peer names none"}),
    Row("childless-forced-here", "childless = force", "", roles=("initiator",)),
    Row("childless-forced-there", "", "childless = force", roles=("responder",)),
    Row("childless-preferred-never-there", "childless = prefer", "childless = never", roles=("initiator",)),
    Row("childless-forced-never-there", "childless = force", "childless = never", roles=("initiator",), up=False,
        said={"initiator": "childless = force"}),
    Row("childless-never-here", "childless = never", "childless = force", roles=("responder",), up=False),
]


def conf(name, extra, secrets):
    other = RIGHT if name == LEFT else LEFT
    return daemon.swanctl_conf(local=ADDRESS[name], remote=ADDRESS[other], local_id=IDENTITY[name], remote_id=IDENTITY[other],
                               secret="a secret of the test", proposals=PROPOSAL, extra=extra,
                               children={"net": {"local_ts": NETWORK[name], "remote_ts": NETWORK[other],
                                                 "esp_proposals": "aes128gcm16-x25519"}}) + secrets


def initiate(row, role, gateway, peer):
    if role == "initiator":
        return gateway.cli("conn", "up", "demo", "--timeout", PATIENCE // 4, ok=False, timeout=PATIENCE).returncode == 0
    return peer.ctl("--initiate", "--child", "net", "--timeout", str(PATIENCE // 4), ok=False).returncode == 0


def both_say(row, gateway, peer):
    """What each has of it."""
    rows = gateway.json("ike", "show")
    ours = [each for each in rows if each["state"] == "ESTABLISHED"]
    theirs = peer.ctl("--list-sas").stdout
    expect("one IKE SA here", len(ours) == 1, rows)
    expect("one IKE SA and one child there", theirs.count("ESTABLISHED") == 1 and theirs.count("INSTALLED") == 1, theirs)
    expect("one child here", len(gateway.json("sa", "show")) == 1)
    used = "using PPK for" in peer.log()
    expect(f"PPK {'is' if row.ppk else 'is not'} in the keys, says charon", used == row.ppk, peer.log()[-3000:])


def try_row(row, role, gateway, peer):
    gateway.write_config(conf(LEFT, f"    {row.ours}\n", row.our_secrets))
    expect("reloaded", gateway.cli("conn", "reload").returncode == 0)
    (peer.directory / "charon.log").write_text("")
    peer.ctl("--load-all", "--clear", "--noprompt", "--file", write(peer, conf(RIGHT, f"    {row.theirs}\n", row.their_secrets)))
    mark = len(gateway.log())
    up = initiate(row, role, gateway, peer)
    expect(f"{'up' if row.up else 'refused'}", up == row.up, gateway.log()[mark:], peer.log()[-3000:])
    if up:
        both_say(row, gateway, peer)
    elif role in row.said:
        expect(f"espgate says: {row.said[role]}", re.search(row.said[role], gateway.log()[mark:]), gateway.log()[mark:])
    gateway.cli("conn", "down", "demo", ok=False)
    peer.ctl("--terminate", "--ike", "demo", "--force", ok=False)


def write(peer, text):
    path = peer.directory / "swanctl.conf"
    path.write_text(text)
    return path


def against_charon(directory):
    lay_over()
    lan(LEFT, RIGHT)
    run("ip", "-n", RIGHT, "address", "add", "10.2.0.1/24", "dev", "lo")
    gateway = Node(directory, LEFT).start(conf(LEFT, "", ""))
    peer = charon(directory / "charon", RIGHT, conf(RIGHT, "", ""), kernel="kernel-libipsec kernel-netlink")
    failed, done = [], 0
    for row in ROWS:
        for role in row.roles:
            try:
                try_row(row, role, gateway, peer)
                done += 1
            except Exception as wrong:  # the other rows run all the same
                failed.append(f"{row.name}, espgate as {role}: {wrong}")
    print(f"  {done} of {sum(len(row.roles) for row in ROWS)} rows", flush=True)
    expect("every row", not failed, *failed)
    gateway.stop_cleanly()


if __name__ == "__main__":
    fetch_outside("peers", "peers_layer")
    main(against_charon)
