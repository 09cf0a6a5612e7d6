# SPDX-License-Identifier: Apache-2.0
"""IKE SAs set up with a child each: what that costs the responder, espgated beside strongSwan's charon, in turns, each on
one core, with espgate-ike-load on the other. Neither installs anything in the kernel: espgated has its null kernel, charon
does ESP by itself (kernel-libipsec). Needs mount and network namespaces of its own."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from scenario.shell import ROOT, Failed, run, wait_for  # noqa: E402

ROUNDS = 3
HALF_OPEN = 100
COUNT = {"psk": 4000, "ecdsa": 1000, "rsa": 1000}
NAMES = {"psk": "PSK", "ecdsa": "ECDSA P-256", "rsa": "RSA-2048"}
KEYS = {"ecdsa": ("EC", "ec_paramgen_curve:P-256"), "rsa": ("RSA", "rsa_keygen_bits:2048")}
GATE, PEERS = "10.99.0.1", "10.99.0.2"
GATE_CORE, PEERS_CORE = 0, 1
PATIENCE = 90
NETWORK = """set -e
mkdir -p /run/netns && mount -t tmpfs none /run/netns
ip netns add left && ip netns add right
ip link add bench0 type veth peer name bench1
ip link set bench0 netns left && ip link set bench1 netns right
ip -n left addr add 10.99.0.1/24 dev bench0 && ip -n right addr add 10.99.0.2/24 dev bench1
for name in left right; do ip -n $name link set lo up; done
ip -n left addr add 10.1.0.1/24 dev lo
ip -n left link set bench0 up && ip -n right link set bench1 up
"""
TEARDOWN = "ip netns del left; ip netns del right; umount /run/netns"
# It writes less than by default (1), where espgated writes what it does by default.
CHARON = """charon-systemd {{
  load = random nonce openssl pem pkcs1 pkcs8 x509 pubkey constraints kdf kernel-libipsec kernel-netlink socket-default vici
  dos_protection = no
  ikesa_table_size = 16384
  ikesa_table_segments = 16
  plugins {{
    vici {{
      socket = unix://{home}/vici
    }}
  }}
  filelog {{
    log {{
      path = {home}/charon.log
      default = 0
    }}
  }}
}}
swanctl {{
  load = random openssl pem pkcs1 pkcs8 x509 pubkey constraints
}}
"""
GATEWAY = """gateway {
  half_open_limit = 0
  cookie_threshold = 0
  half_open_per_source = 0
  probe = no
  max_sas = 200000
}
"""


def conf(auth, gate):
    """swanctl.conf of the gateway or of its peers; "%" is a peer's number, to which the load issues a certificate."""
    own, other = (GATE, PEERS) if gate else (PEERS, GATE)
    own_id = "gate.example.org" if gate else "peer%.example.org"
    nets = ("10.1.0.0/24", "10.2.0.0/24")
    proof = "psk" if auth == "psk" else "pubkey"
    certs = "" if auth == "psk" else "certs = own.pem"
    remote_id = "" if gate else "id = gate.example.org"  # the gateway takes anybody
    return f"""connections {{
  bench {{
    version = 2
    local_addrs = {own}
    remote_addrs = {other}
    proposals = aes128gcm16-prfsha256-x25519
    unique = replace
    local {{
      auth = {proof}
      id = {own_id}
      {certs}
    }}
    remote {{
      auth = {proof}
      {remote_id}
    }}
    children {{
      net {{
        local_ts = {nets[0 if gate else 1]}
        remote_ts = {nets[1 if gate else 0]}
        esp_proposals = aes128gcm16
      }}
    }}
  }}
}}
""" + ('secrets {\n  ike-all {\n    secret = "one for all of the bench"\n  }\n}\n' if auth == "psk" else "")


def openssl(*words):
    run("openssl", *words)


def issue(home, auth, name, authority):
    """Certificate and key of `name` in swanctl's folders below `home`."""
    algorithm, option = KEYS[auth]
    key, request = home / "private/own.pem", home / "own.csr"
    openssl("genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", key)
    key.chmod(0o600)
    (home / "san").write_text(f"subjectAltName=DNS:{name}.example.org\n")
    openssl("req", "-new", "-key", key, "-subj", f"/O=espgate/CN={name}", "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-CAcreateserial",
            "-days", "2", "-extfile", home / "san", "-out", home / "x509/own.pem")
    shutil.copy(f"{authority}.pem", home / "x509ca/ca.pem")


def make_sides(place, auth):
    """Folders of the gateway and of the peers, with their swanctl.conf and what that names."""
    sides = {"gate": place / auth / "gate", "peer": place / auth / "peer"}
    for home in sides.values():
        for folder in ("x509", "x509ca", "x509ocsp", "x509aa", "x509ac", "x509crl", "pubkey", "private", "rsa", "ecdsa", "bliss",
                       "pkcs8", "pkcs12"):
            (home / folder).mkdir(parents=True, exist_ok=True)
    if auth != "psk":
        algorithm, option = KEYS[auth]
        authority = place / auth / "ca"
        openssl("req", "-x509", "-newkey", algorithm, "-pkeyopt", option, "-nodes", "-days", "3", "-subj", "/O=espgate/CN=CA",
                "-keyout", f"{authority}.key", "-out", f"{authority}.pem")
        for name, home in sides.items():
            issue(home, auth, "peer%" if name == "peer" else name, authority)  # its name is a pattern, as in conf()
    for name, home in sides.items():
        text = conf(auth, name == "gate")
        for file, what in (("swanctl.conf", text), ("espgate.conf", GATEWAY + text)):
            (home / file).write_text(what)
            (home / file).chmod(0o600)
    return sides


def inside(name, core, *command):
    return ["nsenter", f"--net=/run/netns/{name}", "taskset", "-c", str(core), *map(str, command)]


class Daemon:
    """A responder, up while this stands."""

    def __init__(self, home, command, ready, environment=None):
        self.log = home / "out.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(inside("left", GATE_CORE, *command), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env={**os.environ, **(environment or {})})
        try:
            wait_for(f"{command[0]} to be up", lambda: ready() or self.ended(), PATIENCE)
        except BaseException:
            self.stop()
            raise

    def ended(self):
        if self.process.poll() is not None:
            raise Failed(f"it ended with {self.process.returncode}:\n{self.log.read_text(errors='replace')[-3000:]}")

    def cpu_seconds(self):
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def kib(self):
        return int(re.search(r"^Pss: +(\d+)", pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text(), re.M)[1])

    def stop(self):
        self.process.kill()
        self.process.wait()


def espgated(binaries, home, bpffs):
    socket = home / "vici"
    socket.unlink(missing_ok=True)

    def ready():
        asked = subprocess.run(inside("left", PEERS_CORE, binaries / "espgate", "--vici", f"unix://{socket}", "--bpffs", bpffs, "ike", "show"),
                               capture_output=True, check=False)
        return asked.returncode == 0
    # Of the one before: else it would go on with its SAs.
    shutil.rmtree(home / "vici.state", ignore_errors=True)
    shutil.rmtree(f"{bpffs}/espgate", ignore_errors=True)
    return Daemon(home, [binaries / "espgated", "--kernel", "null", "--bpffs", bpffs, "--config", home / "espgate.conf", "--vici",
                         f"unix://{socket}", "--devices", home / "devices"], ready)


def charon(_binaries, home, _bpffs):
    (home / "strongswan.conf").write_text(CHARON.format(home=home))
    (home / "vici").unlink(missing_ok=True)
    environment = {"STRONGSWAN_CONF": str(home / "strongswan.conf"), "SWANCTL_DIR": str(home)}

    def ready():
        if not (home / "vici").exists():
            return False
        run("env", *(f"{name}={value}" for name, value in environment.items()), "swanctl", "--load-all", "--file", home / "swanctl.conf",
            "--uri", f"unix://{home}/vici")
        return True
    return Daemon(home, ["charon-systemd"], ready, environment)


RESPONDERS = {"espgate": espgated, "charon": charon}


def load(binaries, peer, daemon, count):
    """Sets up `count` SAs; returns {cpu: ms of the daemon's a set-up, rate: a second, kib: Pss an SA}."""
    authority = [peer.parent / "ca.pem", peer.parent / "ca.key"]
    cpu, kib = daemon.cpu_seconds(), daemon.kib()
    command = [binaries / "espgate-ike-load", peer / "swanctl.conf", "bench", PEERS, GATE, count, HALF_OPEN, PATIENCE,
               *(authority if authority[0].exists() else [])]
    with subprocess.Popen(inside("right", PEERS_CORE, *command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        time.sleep(0.5)  # what is still on its way within the daemon
        found = {"cpu": (daemon.cpu_seconds() - cpu) * 1e3 / count, "kib": (daemon.kib() - kib) / count}
        process.kill()
    told = json.loads(line or "{}")
    if told.get("up") != count:
        raise Failed(f"not all came up: {line} {daemon.log.read_text(errors='replace')[-2000:]}")
    return {**found, "rate": count / told["seconds"]}


@contextlib.contextmanager
def network():
    subprocess.run(["bash", "-c", NETWORK], check=True)
    try:
        yield
    finally:
        subprocess.run(["bash", "-c", TEARDOWN], check=False)


def lay_over():
    """strongSwan's programs over /usr in this mount namespace; tools/bench has fetched them."""
    scripts = " ".join(f". {ROOT}/tools/lib/{name}.sh;" for name in ("debian", "cache", "peers"))
    layer = run("bash", "-c", f"{scripts} peers_layer").stdout.strip()
    if shutil.which("charon-systemd") is None:
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={layer}/usr:/usr", "/usr")


def measured(binaries, bpffs, auths=tuple(COUNT), who=tuple(RESPONDERS), rounds=ROUNDS, counts=None):
    """{auth: {responder: {cpu, kib, rate}}}, medians."""
    found = {auth: {name: [] for name in who} for auth in auths}
    with tempfile.TemporaryDirectory(prefix="espgate-bench.") as directory, network(), contextlib.ExitStack() as stack:
        if "charon" in who:
            lay_over()
        # Records of IKE SAs live on a tmpfs or not at all; charon has no such thing.
        run("mount", "-t", "tmpfs", "tmpfs", directory)
        stack.callback(run, "umount", directory)
        sides = {auth: make_sides(pathlib.Path(directory), auth) for auth in auths}
        for _ in range(rounds):
            for auth in auths:
                for name in who:
                    daemon = RESPONDERS[name](binaries, sides[auth]["gate"], bpffs)
                    try:
                        found[auth][name].append(load(binaries, sides[auth]["peer"], daemon, (counts or COUNT)[auth]))
                    finally:
                        daemon.stop()
    return {auth: {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in each.items()}
            for auth, each in found.items()}


def floor(binaries):
    """What OpenSSL and the kernel take for the same by themselves, ms a set-up (ike_floor.cc), by kind of authentication."""
    run("ip", "link", "set", "lo", "up")
    done = subprocess.run(["taskset", "-c", str(GATE_CORE), binaries / "espgate-bench-ike-floor"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def rows(binaries, bpffs):
    """Arguments of bench.row."""
    least = floor(binaries)
    for auth, each in measured(binaries, bpffs).items():
        ours, theirs = each["espgate"], each["charon"]
        count = f"{COUNT[auth]:,} of {NAMES[auth]}"
        yield (f"IKE SA and child set up, {count}: CPU of the responder", "ms", round(ours["cpu"], 3), round(theirs["cpu"], 3), "charon",
               round(least[auth], 3), 0.333)
        yield (f"the same beside the primitives, {NAMES[auth]}", "ms", round(ours["cpu"], 3), round(least[auth], 3),
               "OpenSSL and two datagrams each way", None, 1.3)
        yield (f"set up a second, {count}, as fast as one core's initiators go", "1/s", round(ours["rate"]), round(theirs["rate"]), "charon",
               None, None, "higher")
        goal = 4 / 10.6 if auth == "psk" else None
        yield (f"memory of an IKE SA and child, {count}", "KiB (Pss)", round(ours["kib"], 2), round(theirs["kib"], 2), "charon", None,
               goal and round(goal, 2))


if __name__ == "__main__":
    # By hand: ike.py BINARIES BPFFS AUTH[,AUTH] WHO[,WHO] ROUNDS [COUNT], in namespaces as tools/bench makes them.
    chosen = sys.argv[3].split(",")
    many = {each: int(sys.argv[6]) for each in chosen} if len(sys.argv) > 6 else None
    print(json.dumps(measured(pathlib.Path(sys.argv[1]), sys.argv[2], chosen, sys.argv[4].split(","), int(sys.argv[5]), many), indent=1))
