#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# In a clean root, under systemd: install, two sites up by espgate and by swanctl, metrics, watchdog, reload, upgrade, remove,
# purge. package_inside.sh DIRECTORY_OF_DEBS
set -eu
debs=$1
PATH=/usr/sbin:/usr/bin:/sbin:/bin # the installed programs, not those of the build
export PATH
fail() {
  echo "FAILED: $*" >&2
  journalctl --no-pager -n 60 -u espgated -u espgate-metrics >&2 || true
  exit 1
}
step() { echo "== $*"; }
# until_ok SECONDS COMMAND...
until_ok() {
  left=$1
  shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || fail "not within the time: $*"
    sleep 1
  done
}

step "install"
export DEBIAN_FRONTEND=noninteractive
mkdir -p /tmp/debs
cp "$debs"/espgate_*.deb /tmp/debs/
dpkg -i /tmp/debs/espgate_*.deb || fail "dpkg -i"
getent group espgate >/dev/null || fail "no group espgate"
[ "$(stat -c %a /etc/espgate/espgate.conf)" = 600 ] || fail "espgate.conf is open: $(stat -c %a /etc/espgate/espgate.conf)"
espgated --version
espgate --version
systemctl is-active -q espgated && fail "it runs before it is configured"
for module in esp4 esp4_offload; do [ -d "/sys/module/$module" ] || modprobe "$module" || fail "no $module"; done

step "two sites: this machine, and one in a namespace"
ip netns add site-b
ip link add wan0 type veth peer name wan1
ip link set wan1 netns site-b
ip addr add 192.0.2.1/24 dev wan0
ip addr add 10.1.0.1/24 dev lo
ip link set wan0 up
ip netns exec site-b sh -c 'ip link set lo up; ip addr add 192.0.2.2/24 dev wan1; ip addr add 10.2.0.1/24 dev lo; ip link set wan1 up;
  ip route add 10.1.0.0/24 via 192.0.2.1 src 10.2.0.1'
ip route add 10.2.0.0/24 via 192.0.2.2 src 10.1.0.1
conf() { # LOCAL REMOTE LOCAL_NET REMOTE_NET OFFLOAD
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
      hw_offload = $3 } }
  }
}
CONF
}
secrets() { printf 'secrets {\n  ike-sites {\n    id-1 = site-1\n    id-2 = site-2\n    secret = "of the package test"\n  }\n}\n'; }
mkdir -p /etc/espgate/conf.d
conf 1 2 auto >/etc/espgate/conf.d/sites.conf
# The secret by systemd's credentials.
secrets >/root/secrets.conf
chmod 600 /root/secrets.conf /etc/espgate/conf.d/sites.conf
echo 'include %d/secrets.conf' >>/etc/espgate/espgate.conf
mkdir -p /etc/systemd/system/espgated.service.d
printf '[Service]\nLoadCredential=secrets.conf:/root/secrets.conf\nWatchdogSec=9\n' >/etc/systemd/system/espgated.service.d/test.conf
systemctl daemon-reload
systemctl start espgated || fail "systemctl start espgated"
[ "$(systemctl show -p Type --value espgated)" = notify ] || fail "Type"
[ "$(stat -c '%U:%G %a' /run/espgate/espgated.vici)" = "root:espgate 660" ] || fail "socket: $(stat -c '%U:%G %a' /run/espgate/espgated.vici)"
(conf 2 1 no; secrets) >/run/site-b.conf
chmod 600 /run/site-b.conf
mkdir -p /run/site-b
nsenter --net=/run/netns/site-b espgated --config /run/site-b.conf --vici unix:///run/site-b/vici --bpffs /run/bpf --devices /run/site-b/devices.json >/run/site-b/log 2>&1 &
other=$!
until_ok 60 nsenter --net=/run/netns/site-b espgate --vici unix:///run/site-b/vici conn show

step "up by espgate, and what it says of offload"
espgate conn up sites/net || fail "conn up"
ping -q -c 5 -i 0.2 -I 10.1.0.1 10.2.0.1 >/dev/null || fail "no ping through the tunnel"
espgate sa show
espgate sa show | grep -q "wan0" || fail "sa show does not name the device that cannot offload"
espgate -j prog show | grep -q '"attached"' || fail "no BPF programs"
espgate -j sa show | grep -q '"exact":true' || fail "packets are not counted exactly: $(espgate -j sa show)"

step "down and up by stock swanctl"
swanctl --uri unix:///run/espgate/espgated.vici --terminate --ike sites >/dev/null || fail "swanctl --terminate"
swanctl --uri unix:///run/espgate/espgated.vici --initiate --child net >/dev/null || fail "swanctl --initiate"
swanctl --uri unix:///run/espgate/espgated.vici --list-sas | grep -q INSTALLED || fail "swanctl --list-sas"

step "metrics for node_exporter"
systemctl start espgate-metrics.timer
until_ok 60 grep -q '^espgate_child_up{conn="sites",child="net"} 1' /var/lib/prometheus/node-exporter/espgate.prom
[ "$(stat -c %a /var/lib/prometheus/node-exporter/espgate.prom)" = 644 ] || fail "the textfile's mode"

step "reload: a broken file changes nothing, a good one is taken"
echo 'connections { x { versoin = 2 } }' >/etc/espgate/conf.d/wrong.conf
chmod 600 /etc/espgate/conf.d/wrong.conf
systemctl reload espgated || true
espgate conn reload --dry-run 2>&1 | grep -q "wrong.conf:1:.*versoin" || fail "the broken file is not named"
ping -q -c 2 -i 0.2 -I 10.1.0.1 10.2.0.1 >/dev/null || fail "no ping after a broken reload"
rm /etc/espgate/conf.d/wrong.conf
systemctl reload espgated
until_ok 20 sh -c "espgate export prometheus | grep -q '^espgate_config_last_reload_success 1'"

step "watchdog: a daemon that hangs is replaced; one that works is left alone"
sleep 12
before=$(systemctl show -p MainPID --value espgated)
[ "$(systemctl show -p NRestarts --value espgated)" = 0 ] || fail "the watchdog bit a daemon that is well"
kill -STOP "$before"
until_ok 90 sh -c "[ \$(systemctl show -p NRestarts --value espgated) -ge 1 ]"
until_ok 60 espgate conn show
[ "$(systemctl show -p MainPID --value espgated)" != "$before" ] || fail "the same process"

step "upgrade: what ran goes on"
dpkg -i /tmp/debs/espgate_*.deb || fail "upgrade"
systemctl is-active -q espgated || fail "it does not run after an upgrade"
grep -q 'include %d/secrets.conf' /etc/espgate/espgate.conf || fail "the configuration was overwritten"
espgate conn up sites/net || fail "conn up after an upgrade"

step "support-bundle"
espgate support-bundle to /run/bundle.tar
if grep -aq "of the package test" /run/bundle.tar; then fail "a secret is in the bundle"; fi

step "remove, purge"
dpkg -r espgate || fail "remove"
[ ! -e /usr/sbin/espgated ] && [ -e /etc/espgate/espgate.conf ] || fail "after remove"
systemctl is-active -q espgated && fail "it runs on after remove"
dpkg -P espgate || fail "purge"
rm -rf /etc/espgate/conf.d
for left in /var/lib/espgate /sys/fs/bpf/espgate /etc/espgate/espgate.conf /usr/lib/espgate /var/lib/prometheus/node-exporter/espgate.prom; do
  [ ! -e "$left" ] || fail "purge left $left"
done
kill "$other"
echo "package: ok"
