#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""espgate on an emulated offload NIC against stock strongSwan, counted packet by packet. Runs in the lab (tools/demo).

Three children of one connection: one suite that the NIC takes, one that it refuses and `auto` runs in software, and the
refused suite with strict offload. Exit status 0 only if every count agrees with every oracle.
"""
import os
import sys
import tempfile

from scenario import counters, daemon, hosts, identities, traffic
from scenario.shell import Failed

GCM, CBC = "aes128gcm16", "aes256-sha256"
TCP_OCTETS = int(os.environ.get("ESPGATE_DEMO_OCTETS", 4_000_000))
PINGS = 200


def say(text):
    print(text, flush=True)


def child(number, suite, offload=None):
    """The same child seen from both sides: (gw's, peer's)."""
    near, far = hosts.network(1, number), hosts.network(2, number)
    ours = {"local_ts": near, "remote_ts": far, "esp_proposals": suite, "mode": "tunnel"}
    theirs = {"local_ts": far, "remote_ts": near, "esp_proposals": suite, "mode": "tunnel"}
    # charon's own default of 32 loses packets that asynchronous software crypto overtakes; ours is 128 unasked.
    theirs["replay_window"] = 128
    if offload:
        ours["hw_offload"] = offload
    return ours, theirs


def configs(children, secret="a shared secret of the demo"):
    ends = {"secret": secret, "proposals": "aes128gcm16-prfsha256-x25519"}
    ours = daemon.swanctl_conf(local=hosts.GW_ADDRESS[4], remote=hosts.PEER_ADDRESS[4], local_id="gw.example.org",
                               remote_id="peer.example.org",
                               children={name: pair[0] for name, pair in children.items()}, **ends)
    theirs = daemon.swanctl_conf(local=hosts.PEER_ADDRESS[4], remote=hosts.GW_ADDRESS[4], local_id="peer.example.org",
                                 remote_id="gw.example.org",
                                 children={name: pair[1] for name, pair in children.items()}, **ends)
    return ours, theirs


CHILDREN = {"hw": child(1, GCM, "auto"), "refused": child(2, CBC, "auto"), "strict": child(3, CBC, "crypto")}


def carry_traffic(directory, number):
    near, far = hosts.inner(1, number), hosts.inner(2, number)
    traffic.ping_all(hosts.GW, near, far, PINGS)
    traffic.tcp(directory, hosts.GW, near, hosts.PEER, far, TCP_OCTETS)
    traffic.tcp(directory, hosts.PEER, far, hosts.GW, near, TCP_OCTETS)


def expect(what, condition):
    if not condition:
        raise Failed(f"expected: {what}")


def check_states(rows):
    hw, refused = rows["demo/hw"], rows["demo/refused"]
    for side in ("in", "out"):
        expect(f"demo/hw {side} is in hardware", hw[side]["offload"]["actual"] == "crypto"
               and hw[side]["offload"]["effective"] == "hw")
        expect(f"demo/refused {side} runs in software", refused[side]["offload"]["actual"] == "none"
               and refused[side]["offload"]["effective"] == "sw")
        expect(f"demo/refused {side} says why", "Cannot offload authenticated xfrm states"
               in refused[side]["offload"]["reason"] or refused[side]["offload"]["reason_code"] == "other-direction")
        expect(f"demo/{side} counts are exact", hw[side]["exact"] and refused[side]["exact"])
    expect("demo/strict is not installed", "demo/strict" not in rows)


def check_strict(gateway):
    up = gateway.cli("conn", "up", "demo/strict", ok=False)
    say("$ espgate conn up demo/strict")
    say(f"{up.stdout}{up.stderr}".rstrip() + f"\n(exit status {up.returncode})\n")
    expect("strict offload of a refused suite fails with status 2", up.returncode == 2)
    expect("... in the driver's words", "Cannot offload authenticated xfrm states" in up.stdout + up.stderr)
    answered = traffic.ping(hosts.GW, hosts.inner(1, 3), hosts.inner(2, 3), count=5, interval=0.05, wait=1)
    expect("nothing of demo/strict leaves unencrypted", answered == 0)


def show(gateway):
    say("$ espgate sa show")
    say(gateway.cli("sa", "show", "kernel").stdout)
    say("What espgated logged of offload:")
    for line in gateway.log().splitlines():
        if "offload" in line:
            say("  " + line)
    say("")


def compare(rows, capture):
    peer, nic = counters.kernel_sas(hosts.PEER), counters.nic_sas()
    expect("the capture is whole", capture.dropped == 0)
    sequences = capture.sequences()
    checks = []
    for label, row in rows.items():
        checks += identities.check_child(label, row, peer, nic, sequences)
    totals = counters.nic_counters()
    for key, direction in (("hw_tx_packets", "out"), ("hw_rx_packets", "in")):
        counted = sum(int(row[direction]["hw"]["packets"]) for row in rows.values())
        checks.append(identities.Check(f"all {direction}: hw = ethtool -S {key}", counted, totals[key]))
    say("The counts and their oracles:")
    for check in checks:
        say(check.line())
    return all(check.holds for check in checks)


def demo(directory):
    say("Building: gw (espgated, emulated NIC simnic0) -- router -- peer (strongSwan)")
    hosts.build()
    ours, theirs = configs(CHILDREN)
    charon = daemon.Charon(f"{directory}/peer").start(theirs)
    gateway = daemon.Gateway(f"{directory}/gw").start(ours)
    capture = counters.Capture(f"{directory}/wire.pcap", device="simnic1", expression="esp or udp port 500 or udp port 4500 or net 10.0.0.0/8")
    try:
        with capture:
            for name in ("hw", "refused"):
                say(f"$ espgate conn up demo/{name}")
                say(gateway.cli("conn", "up", f"demo/{name}").stdout)
            check_strict(gateway)
            for number in (1, 2):
                carry_traffic(directory, number)
            traffic.quiesce()
        rows = gateway.children()
        show(gateway)
        check_states(rows)
        agree = compare(rows, capture)
        inside = sum(1 for packet in counters.pcap_packets(capture.path) if counters.is_inner(packet))
        say(identities.Check("packets of the inner networks seen in the clear on the wire", inside, 0).line())
        stopped = gateway.stop()
        expect("espgated stops cleanly", stopped == 0)
        expect("nothing of espgate is left in the kernel", not counters.kernel_sas(hosts.GW)
               and not counters.policies(hosts.GW))
    except Failed:
        say("\nespgated's log:\n" + gateway.log() + "\ncharon's log:\n" + charon.log()[-6000:])
        raise
    finally:
        gateway.stop()
        charon.stop()
        hosts.destroy()
    return agree and inside == 0


def compare_strongswan(directory):
    """The same NIC, the same two suites, strongSwan on both ends: what its operator gets to see."""
    say("\n=== For comparison: strongSwan on both ends of the same wire, hw_offload = auto and = yes (strict) ===")
    hosts.build()
    ours, theirs = configs({"hw": child(1, GCM, "auto"), "refused": child(2, CBC, "yes")})
    gw = daemon.Charon(f"{directory}/gw-charon", hosts.GW).start(ours)
    peer = daemon.Charon(f"{directory}/peer-charon").start(theirs)
    capture = counters.Capture(f"{directory}/compare.pcap", device="simnic1", expression="net 10.0.0.0/8")
    try:
        with capture:
            for name in ("hw", "refused"):
                up = peer.ctl("--initiate", "--child", name, ok=False)
                say(f"$ swanctl --initiate --child {name}          # on the peer; the gateway with the NIC responds")
                say("\n".join(f"  {line}" for line in (up.stdout + up.stderr).strip().splitlines()[-4:]))
            answered = traffic.ping(hosts.PEER, hosts.inner(2, 1), hosts.inner(1, 1), count=20, interval=0.05)
            say(f"  pings through hw: {answered} of 20 answered; the NIC decrypted "
                f"{counters.nic_counters()['hw_rx_packets']}")
            answered = traffic.ping(hosts.PEER, hosts.inner(2, 2), hosts.inner(1, 2), count=20, interval=0.05)
            traffic.quiesce()
        say("$ swanctl --list-sas                          # on the gateway: no word of offload")
        say("\n".join(f"  {line}" for line in gw.ctl("--list-sas").stdout.splitlines()))
        say("What the gateway's log says of the refused child:")
        say("\n".join(f"  {line}" for line in gw.log().splitlines() if "error" in line or "unable" in line))
        clear = sum(1 for packet in counters.pcap_packets(capture.path) if counters.is_inner(packet))
        say(f"  pings of the refused child: {answered} of 20 answered, {clear} packets of the inner networks "
            "seen in the clear on the wire")
    finally:
        gw.stop()
        peer.stop()
        hosts.destroy()


def main():
    with tempfile.TemporaryDirectory() as directory:
        try:
            agree = demo(directory)
            if "--compare" in sys.argv[1:]:
                compare_strongswan(directory)
        except Failed as failure:
            say(f"\nDEMO FAILED: {failure}")
            return 1
    say("\nEvery count agrees with every oracle." if agree else "\nDEMO FAILED: counts disagree.")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
