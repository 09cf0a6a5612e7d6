#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# espgated in its unit, under systemd, with `dispatcher = yes` beside xdp-filter: as the unit is delivered, and with the drop-in
# packaging/systemd/dispatcher.conf. On the host it starts the lab itself: dispatcher_unit.sh [KERNEL]
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(dirname "$(dirname "$here")")
mountpoint -q /run/bpf 2>/dev/null || {
  cd "$tree" && exec tools/lab run --kernel "${1:-6.12}" --timeout 700 --init systemd -- "$here/$(basename "$0")"
}

fail() {
  echo "FAILED: $*" >&2
  journalctl --no-pager -n 60 -u espgated >&2 || true
  cat /run/far/log >&2 || true
  exit 1
}
step() { echo "== $*"; }
# until_ok SECONDS COMMAND...
until_ok() {
  local left=$1
  shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || fail "not within the time: $*"
    sleep 1
  done
}
far() { nsenter --net=/run/netns/far "$@"; }
present() { xdp-loader status simnic0; }
is_in() { present | grep -q "$1"; }
said() { journalctl --no-pager -o cat -u espgated; }
pid() { systemctl show -p MainPID --value espgated; }
id_of() { present | awk -v name="$1" '{ for (i = 1; i < NF; i++) if ($i == name) print $(i + 2) }'; }
# event NAME: of the shield on simnic0
event() { espgate shield show | awk -v name="$1" '$1 == "simnic0" && $3 == name { print $4; seen = 1 } END { if (!seen) print 0 }'; }

conf() { # LOCAL REMOTE
  cat <<CONF
connections {
  sites {
    local_addrs = 192.0.2.$1
    remote_addrs = 192.0.2.$2
    proposals = aes128gcm16-prfsha256-x25519
    local { auth = psk
      id = site-$1 }
    remote { auth = psk
      id = site-$2 }
    children { net { local_ts = 10.$1.0.0/24
      remote_ts = 10.$2.0.0/24
      esp_proposals = aes128gcm16
      hw_offload = auto } }
  }
}
secrets { ike-sites { id-1 = site-1
    id-2 = site-2
    secret = "of the dispatcher test" } }
CONF
}
# write_conf MODE
write_conf() {
  {
    conf 1 2
    echo "gateway { shield { mode = $1
      dispatcher = yes
      unknown_spi = drop } }"
  } >/etc/espgate/espgate.conf
  chmod 600 /etc/espgate/espgate.conf
}
tunnel_works() {
  espgate conn up sites/net || fail "conn up"
  ping -q -c 10 -i 0.2 -I 10.1.0.1 10.2.0.1 >/dev/null || fail "no ping through the tunnel"
  espgate -j sa show | grep -q '"exact":true' || fail "packets are not counted exactly: $(espgate -j sa show)"
}
# Of an SPI that nobody has; from 192.0.2.$1, $2 of them.
send_esp() {
  far python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 50)
s.bind((sys.argv[1], 0))
for i in range(int(sys.argv[2])): s.sendto(bytes.fromhex("0badcafe") + bytes(60), ("192.0.2.1", 0))' "192.0.2.$1" "$2"
}

step "two hosts, and xdp-filter on the first one's NIC, which drops what comes from 192.0.2.99"
modprobe simnic pairs=1
for module in esp4 esp4_offload; do modprobe $module; done
ip netns add far
ip link set simnic1 netns far
ip addr add 192.0.2.1/24 dev simnic0
ip addr add 10.1.0.1/24 dev lo
ip link set simnic0 up
far sh -c 'ip link set lo up; ip addr add 192.0.2.2/24 dev simnic1; ip addr add 192.0.2.99/24 dev simnic1; ip addr add 10.2.0.1/24 dev lo
  ip link set simnic1 up; ip route add 10.1.0.0/24 via 192.0.2.1 src 10.2.0.1'
ip route add 10.2.0.0/24 via 192.0.2.2 src 10.1.0.1
xdp-filter load -m native simnic0
xdp-filter ip -m src 192.0.2.99
is_in xdpfilt || fail "xdp-filter is not there: $(present)"

mkdir -p /run/far /etc/espgate /etc/systemd/system/espgated.service.d
systemd-sysusers "$tree/packaging/sysusers.d/espgate.conf"
install -m 755 "$tree/build/release/bin/espgated" /usr/local/sbin/espgated
cp "$tree/packaging/systemd/espgated.service" /etc/systemd/system/
printf '[Service]\nExecStart=\nExecStart=/usr/local/sbin/espgated --config /etc/espgate/espgate.conf\n' \
  >/etc/systemd/system/espgated.service.d/test.conf
(conf 2 1) >/run/far.conf
chmod 600 /run/far.conf
far espgated --config /run/far.conf --vici unix:///run/far/vici --bpffs /run/bpf --devices /run/far/devices.json >/run/far/log 2>&1 &
other=$!
until_ok 60 far espgate --vici unix:///run/far/vici conn show

step "the unit as it is delivered: the shield does not act, and says why; nobody is evicted"
write_conf native
systemctl daemon-reload
systemctl start espgated || fail "systemctl start espgated"
[ $((0x$(awk '/CapBnd/ { print $2 }' "/proc/$(pid)/status") >> 21 & 1)) = 0 ] || fail "CAP_SYS_ADMIN is in the bounding set"
said | grep -i "dispatcher" || fail "no word of why"
is_in espgate_shield && fail "ours is in the dispatcher all the same: $(present)"
is_in xdpfilt || fail "xdp-filter is gone: $(present)"
tunnel_works
systemctl stop espgated
[ "$(systemctl show -p Result --value espgated)" = success ] || fail "it did not stop cleanly"

step "with the drop-in: beside xdp-filter, after everything else was given up"
cp "$tree/packaging/systemd/dispatcher.conf" /etc/systemd/system/espgated.service.d/
systemctl daemon-reload
systemctl start espgated || fail "systemctl start espgated"
# CAP_NET_ADMIN 12, CAP_SYS_ADMIN 21, CAP_PERFMON 38, CAP_BPF 39
[ "$(awk '/CapEff/ { print $2 }' "/proc/$(pid)/status")" = 000000c000201000 ] || fail "capabilities: $(grep Cap "/proc/$(pid)/status")"
[ "$(awk '/^Seccomp:/ { print $2 }' "/proc/$(pid)/status")" = 2 ] || fail "no seccomp filter"
present
is_in espgate_shield || fail "ours is not in the dispatcher"
is_in xdpfilt || fail "xdp-filter is gone"
espgate stats show | grep -q "xdp dispatcher" || fail "stats show: $(espgate stats show)"
tunnel_works

step "both do their work: xdp-filter's drops are not ours to see, unknown SPIs are dropped by ours"
send_esp 99 7
sleep 1
[ "$(event unknown-dropped)" = 0 ] || fail "ours saw what xdp-filter dropped: $(espgate shield show)"
send_esp 2 5
sleep 1
[ "$(event unknown-dropped)" = 5 ] || fail "unknown SPIs: $(espgate shield show)"

step "taken out by somebody, and back with a reload"
xdp-loader unload --all simnic0
is_in espgate_shield && fail "it is still there: $(present)"
xdp-filter load -m native simnic0
write_conf off
espgate conn reload
until_ok 20 is_in espgate_shield
write_conf native
espgate conn reload
is_in xdpfilt || fail "xdp-filter is gone: $(present)"
tunnel_works

step "killed: its successor finds it where it was"
before=$(id_of espgate_shield)
[ -n "$before" ] || fail "no number of ours: $(present)"
kill -9 "$(pid)"
until_ok 60 sh -c "[ \$(systemctl show -p NRestarts --value espgated) -ge 1 ]"
until_ok 60 espgate conn show
[ "$(id_of espgate_shield)" = "$before" ] || fail "another program than before ($before): $(present)"

step "stopped: ours is gone, xdp-filter stays"
systemctl stop espgated
[ "$(systemctl show -p Result --value espgated)" = success ] || fail "it did not stop cleanly"
is_in espgate_shield && fail "ours stayed: $(present)"
is_in xdpfilt || fail "xdp-filter is gone: $(present)"
kill "$other"
if dmesg | grep -E 'WARNING:|BUG:|Oops|Call Trace'; then fail "the kernel complained"; fi
echo "dispatcher_unit: ok on $(uname -r)"
