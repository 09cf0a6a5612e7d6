# SPDX-License-Identifier: Apache-2.0
"""A gateway, a client and somebody who floods, on one bridge: the setting of native_shield.py and of tests/bench/flood.py.

The gateway takes anybody with the secret, so that the client is on no allow-list.
"""
import ctypes
import ipaddress
import json
import os
import pathlib
import queue
import struct
import subprocess
import threading
import time

from common import ADDRESS, LEFT, PATIENCE, PROPOSAL, RIGHT, ROOT, WIRE, Failed, Node, Skip, expect, ip_json, lan, mount_bpffs, ns, run
from scenario.vici import Client

CLIENT, GATE, STRANGER = LEFT, RIGHT, WIRE
SECRET = "a secret of the flood"
GATE_CONF = """connections {
  everybody {
    version = 2
    local_addrs = %s
    remote_addrs = %%any
    proposals = %s
    local {
      auth = psk
      id = gate
    }
    remote {
      auth = psk
    }
    children {
      net {
        local_ts = 10.2.0.0/16
        remote_ts = 10.1.0.0/16
        esp_proposals = aes128gcm16
      }
    }
  }
}
secrets {
  ike-all {
    secret = "%s"
  }
}
""" % (ADDRESS[GATE], PROPOSAL, SECRET)


def gate_conf(shield):
    """`shield`: the keys of gateway.shield; None for none."""
    if shield is None:
        return GATE_CONF
    keys = "".join(f"    {key} = {value}\n" for key, value in shield.items())
    return f"gateway {{\n  shield {{\n{keys}  }}\n}}\n{GATE_CONF}"


def client_conf(count):
    """Connections c0, c1, ...: an IKE SA and a child each."""
    def conn(number):
        inner = ipaddress.ip_address("10.1.0.0") + number
        return f"""  c{number} {{
    version = 2
    local_addrs = {ADDRESS[CLIENT]}
    remote_addrs = {ADDRESS[GATE]}
    proposals = {PROPOSAL}
    local {{
      auth = psk
      id = c{number}
    }}
    remote {{
      auth = psk
      id = gate
    }}
    children {{
      net {{
        local_ts = {inner}/32
        remote_ts = 10.2.0.0/16
        esp_proposals = aes128gcm16
      }}
    }}
  }}
"""
    conns = "".join(conn(number) for number in range(count))
    return f'connections {{\n{conns}}}\nsecrets {{\n  ike-all {{\n    secret = "{SECRET}"\n  }}\n}}\n'


def _bpf(command, *attributes):
    """bpf(2); `attributes`: format and values of its union, from the first octet on."""
    raw = ctypes.create_string_buffer(struct.pack("".join(("=", *attributes[::2])), *attributes[1::2]).ljust(128, b"\0"))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    result = libc.syscall(ctypes.c_long(321), ctypes.c_long(command), raw, ctypes.c_long(len(raw)))
    if result < 0:
        raise Skip(f"bpf(2): {os.strerror(ctypes.get_errno())}")
    return result


def pass_all(name, device, pin):
    """A native XDP program that returns XDP_PASS, on a device of a namespace; pinned at `pin` on a bpffs."""
    code = ctypes.create_string_buffer(bytes.fromhex("b700000002000000" "9500000000000000"))  # r0 = XDP_PASS; exit
    licence, path = ctypes.create_string_buffer(b"GPL"), ctypes.create_string_buffer(str(pin).encode())
    program = _bpf(5, "I", 6, "I", 2, "Q", ctypes.addressof(code), "Q", ctypes.addressof(licence))
    _bpf(6, "Q", ctypes.addressof(path), "I", program)
    os.close(program)
    ns(name, "ip", "link", "set", "dev", device, "xdpdrv", "pinned", pin)


def wire(directory):
    """The three on a bridge. What XDP_TX sends back over a veth is only taken where the other end has an XDP program (veth_xdp_flush
    of drivers/net/veth.c). Answers to strangers have somewhere to go."""
    lan(CLIENT, GATE, STRANGER)
    pass_all("bridge", GATE, mount_bpffs(directory / "bpf-bridge") / "pass")
    strange_mac = link(STRANGER)["address"]
    run("ip", "-n", GATE, "route", "add", "default", "via", ADDRESS[STRANGER])
    run("ip", "-n", GATE, "neighbour", "replace", ADDRESS[STRANGER], "lladdr", strange_mac, "dev", "eth0", "nud", "permanent")


def link(name):
    return ip_json(name, "link", "show", "dev", "eth0")[0]


class Gate(Node):
    """The gateway, with a bpffs of its own."""

    def __init__(self, directory, arguments=()):
        super().__init__(directory, GATE, bpffs=mount_bpffs(directory / "bpf-gate"))
        self.arguments += list(arguments)

    def shield(self):
        """`shield show` of eth0: rules, and events by name."""
        shown = self.json("shield", "show", "dev", "eth0")
        return shown["rules"], shown["devices"][0]["events"], shown["devices"][0]["xdp"]

    def verdicts(self):
        """Packets of class ike by verdict."""
        rows = self.json("stats", "show", "dev", "eth0")
        return {each["verdict"]: each["packets"] for row in rows for each in row["classes"] if each["class"] == "ike"}


def cpu_seconds(pid):
    """utime + stime of a process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_flood(programs, *, seconds, rate=0, fragmented=0, core=None):
    """The generator, in the background, bounded by itself; finish_flood() has its numbers."""
    pin = ["taskset", "-c", str(core)] if core is not None else []
    words = ["nsenter", f"--net=/run/netns/{STRANGER}", "--", *pin, programs / "espgate-flood", "eth0", link(GATE)["address"],
             ADDRESS[GATE], ADDRESS[CLIENT], seconds, rate, fragmented]
    return subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish_flood(process, now=False):
    """`now`: before its time is over."""
    if now:
        process.terminate()
    out, errors = process.communicate(timeout=700)
    if process.returncode != 0:
        raise Failed(f"espgate-flood: status {process.returncode}: {errors}")
    return json.loads(out)


def set_up(client, count, *, workers, within, patience=30, enough=lambda said: False):
    """Brings c0 to c(count-1) up, `workers` at a time, until `within` seconds are over. Returns (seconds that each took of those that
    came up, failures by text); what was not begun in time is in neither. `enough`: whether a failure is a success all the same, by its text."""
    todo = queue.SimpleQueue()
    for number in range(count):
        todo.put(number)
    took, failures, lock, end = [], {}, threading.Lock(), time.monotonic() + within

    def work():
        line = Client(client.socket, timeout=patience + PATIENCE)
        while time.monotonic() < end:
            try:
                number = todo.get_nowait()
            except queue.Empty:
                break
            began = time.monotonic()
            left = max(min(patience, end - began), 0.1)
            done, said = line.ask("initiate", {"child": "net", "ike": f"c{number}", "timeout": str(int(left * 1000)), "loglevel": "-1"})
            with lock:
                if done or enough(said):
                    took.append(time.monotonic() - began)
                else:
                    failures[said] = failures.get(said, 0) + 1
        line.close()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, failures


__all__ = ["CLIENT", "GATE", "STRANGER", "Gate", "client_conf", "cpu_seconds", "expect", "finish_flood", "gate_conf", "link",
           "set_up", "start_flood", "wire", "ROOT"]
