#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# In a clean root, under systemd, what docs/tutorial.md says: install, two sites up by espgate and by swanctl, metrics; then reload,
# watchdog, restart, upgrade, remove, purge. package_inside.sh DIRECTORY_OF_DEBS RELEASE [null] (package.sh makes what is in it);
# null: this kernel has no ESP, and espgated gets --kernel null: no traffic, the rest as it is.
set -eu
debs=$1 release=$2 kernel=${3:-xfrm}
null=$([ "$kernel" = xfrm ] || echo "--kernel null")
PATH=/usr/sbin:/usr/bin:/sbin:/bin # the installed programs, not those of the build
export PATH
began=$(date +%s)
fail() {
  echo "FAILED: $*" >&2
  journalctl --no-pager -n 80 -u espgated -u espgate-metrics >&2 || true
  tail -n 20 /run/site-b/log >&2 || true
  exit 1
}
step() { echo "== $* ($(($(date +%s) - began)) s)"; }
# doc COMMAND: as it stands in the documentation (tests/docs/commands.py looks for it here).
doc() {
  echo "\$ $1"
  sh -c "$1" || fail "status $?: $1"
}
# doc_live SECONDS COMMAND: one that goes on until it is interrupted.
doc_live() {
  echo "\$ $2"
  timeout -s INT "$1" sh -c "exec $2" || [ $? = 124 ] || fail "$2"
}
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
main_pid() { systemctl show -p MainPID --value espgated; }
spis() { espgate -j sa show | grep -o '"spi":"[0-9a-f]*"' | sort; }
# Pings through the tunnel while something happens, of which none may be lost.
stream_begin() {
  [ "$kernel" = xfrm ] || return 0
  ping -q -i 0.2 -W 5 -I 10.1.0.1 10.2.0.1 >/run/stream 2>&1 &
  stream=$!
}
stream_end() {
  [ "$kernel" = xfrm ] || return 0
  sleep 1
  kill -INT "$stream"
  wait "$stream" || true
  cat /run/stream
  grep -q ' 0% packet loss' /run/stream || fail "packets were lost: $*"
}

step "install"
export DEBIAN_FRONTEND=noninteractive
mkdir -p /opt/archive
cp "$debs/$release"/* /opt/archive/
cp "$debs"/next.deb /opt/
chmod -R a+rX /opt
echo 'deb [trusted=yes] file:/opt/archive ./' >/etc/apt/sources.list
rm -rf /etc/apt/sources.list.d/*
# Nobody is there to be asked, also not of the peer's files that the lab laid over this root.
echo 'APT::Get::Assume-Yes "true"; Dpkg::Options { "--force-confdef"; "--force-confold"; };' >/etc/apt/apt.conf.d/yes
apt-get -q update || fail "apt-get update"
cd /opt/archive
doc 'apt install ./espgate_0.1.0-1_amd64.deb </dev/null'
cd - >/dev/null
doc 'apt install prometheus-node-exporter </dev/null' >/dev/null # it came along
command -v swanctl >/dev/null || fail "no swanctl: what espgate recommends did not come along"
getent group espgate >/dev/null || fail "no group espgate"
[ "$(stat -c %a /etc/espgate/espgate.conf)" = 600 ] || fail "espgate.conf is open: $(stat -c %a /etc/espgate/espgate.conf)"
espgated --version
espgate --version
systemctl is-active -q espgated && fail "it runs before it is configured"
[ "$kernel" = null ] || for module in esp4 esp4_offload; do [ -d "/sys/module/$module" ] || fail "$module is not loaded by the installation"; done
doc 'espgate doctor'

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
# The tutorial's own file, with the secret taken out of it: systemd brings that.
conf() { # LOCAL REMOTE, 1 or 2
  sed -n '/^connections {/,/^}/p; /^secrets {/q' docs/tutorial.md | sed -n '1,/^}/p' |
    sed -e "s/192.0.2.1/LOCAL/; s/192.0.2.2/192.0.2.$2/; s/LOCAL/192.0.2.$1/" -e "s/10.1.0.0/NEAR/; s/10.2.0.0/10.$2.0.0/; s/NEAR/10.$1.0.0/" \
      -e "s/= site-a/= site-$1/; s/= site-b/= site-$2/" -e "s/start_action = start/start_action = $3/"
}
secrets() { printf 'secrets {\n  ike-sites {\n    id-1 = site-1\n    id-2 = site-2\n    secret = "of the package test"\n  }\n}\n'; }
mkdir -p /etc/espgate/conf.d
(conf 1 2 start; echo 'gateway { on_stop = keep }') >/etc/espgate/conf.d/sites.conf
cat /etc/espgate/conf.d/sites.conf
secrets >/root/secrets.conf
chmod 600 /root/secrets.conf /etc/espgate/conf.d/sites.conf
echo 'include %d/secrets.conf' >>/etc/espgate/espgate.conf
(conf 2 1 none | sed 's/hw_offload = auto/hw_offload = no/'; secrets) >/run/site-b.conf
chmod 600 /run/site-b.conf
mkdir -p /run/site-b
# shellcheck disable=SC2086
nsenter --net=/run/netns/site-b espgated $null --config /run/site-b.conf --vici unix:///run/site-b/vici --bpffs /run/bpf --devices /run/site-b/devices.json >/run/site-b/log 2>&1 &
other=$!
mkdir -p /etc/systemd/system/espgated.service.d
{
  printf '[Service]\nLoadCredential=secrets.conf:/root/secrets.conf\nWatchdogSec=30\nTimeoutStartSec=600\n'
  [ "$kernel" = xfrm ] || printf 'ExecStart=\nExecStart=/usr/sbin/espgated --config /etc/espgate/espgate.conf --kernel null\n'
} >/etc/systemd/system/espgated.service.d/test.conf
# systemd 253 and newer can wait for a reload's end.
version=$(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')
type=notify
if [ "$version" -ge 253 ]; then
  cp /usr/share/doc/espgate/examples/notify-reload.conf /etc/systemd/system/espgated.service.d/
  type=notify-reload
fi
systemctl daemon-reload
doc 'espgated --check-config'
doc 'systemctl enable --now espgated'
[ "$(systemctl show -p Type --value espgated)" = "$type" ] || fail "Type"
[ "$(stat -c '%U:%G %a' /run/espgate/espgated.vici)" = "root:espgate 660" ] || fail "socket: $(stat -c '%U:%G %a' /run/espgate/espgated.vici)"
until_ok 300 nsenter --net=/run/netns/site-b espgate --vici unix:///run/site-b/vici conn show

step "up by espgate, and what it says of offload"
espgate conn up sites/net || fail "conn up"
doc 'espgate conn show'
doc 'espgate sa show'
[ "$kernel" = null ] || doc_live 5 'ping -I 10.1.0.1 10.2.0.1'
espgate sa show >/run/sa-show
[ "$kernel" = null ] || grep -q wan0 /run/sa-show || fail "sa show does not name the device that cannot offload"
[ "$kernel" = null ] || espgate -j sa show | grep -q '"exact":true' || fail "packets are not counted exactly: $(espgate -j sa show)"
doc 'espgate offload show'
doc 'espgate doctor'

step "confined: by its unit and by itself"
grep -E '^(Seccomp|Seccomp_filters|NoNewPrivs|CapBnd|CapEff)' "/proc/$(main_pid)/status"
grep -q '^Seccomp:.*2$' "/proc/$(main_pid)/status" || fail "no system call filter"
filters=$(sed -n 's/^Seccomp_filters:[^0-9]*//p' "/proc/$(main_pid)/status")
[ "$filters" -ge 2 ] || fail "not both filters, the unit's and its own: $filters"
grep -q '^NoNewPrivs:.*1$' "/proc/$(main_pid)/status" || fail "new privileges"

step "down and up by stock swanctl"
uri=unix:///run/espgate/espgated.vici
swanctl --terminate --ike sites --uri $uri >/dev/null || fail "swanctl --terminate"
swanctl --initiate --child net --uri $uri >/dev/null || fail "swanctl --initiate"
swanctl --list-sas --uri $uri | tee /run/list-sas
grep -q INSTALLED /run/list-sas || fail "swanctl --list-sas"

step "metrics for node_exporter"
doc 'systemctl enable --now espgate-metrics.timer'
child_up=$([ "$kernel" = null ] || echo 1) # the kernel holds no SAs there
until_ok 90 grep -q "^espgate_child_up{conn=\"sites\",child=\"net\"} $child_up" /var/lib/prometheus/node-exporter/espgate.prom
[ "$(stat -c %a /var/lib/prometheus/node-exporter/espgate.prom)" = 644 ] || fail "the textfile's mode"
systemctl start prometheus-node-exporter
until_ok 60 sh -c 'curl -s localhost:9100/metrics | grep -q espgate_child_up'
doc 'curl -s localhost:9100/metrics | grep espgate_child_up'

step "reload: a broken file changes nothing, a good one is taken"
echo 'connections { x { versoin = 2 } }' >/etc/espgate/conf.d/wrong.conf
chmod 600 /etc/espgate/conf.d/wrong.conf
systemctl reload espgated || true
until_ok 20 sh -c "espgate export prometheus | grep -q '^espgate_config_last_reload_success 0'"
espgate conn reload --dry-run 2>&1 | grep -q "wrong.conf:1:.*versoin" || fail "the broken file is not named"
[ "$kernel" = null ] || ping -q -c 2 -i 0.2 -I 10.1.0.1 10.2.0.1 >/dev/null || fail "no ping after a broken reload"
rm /etc/espgate/conf.d/wrong.conf
doc 'systemctl reload espgated'
until_ok 20 sh -c "espgate export prometheus | grep -q '^espgate_config_last_reload_success 1'"

step "restart: its SAs go on"
before=$(spis)
stream_begin
doc 'systemctl restart espgated'
[ "$(spis)" = "$before" ] || fail "other SAs after a restart: $before, now $(spis)"
stream_end "over systemctl restart"
# What is kept of IKE SAs: systemd has it from 254 on, files on a tmpfs before.
kept=$(systemctl show -p NFileDescriptorStore --value espgated)
echo "systemd $version keeps $kept file descriptors"
if [ "$version" -ge 254 ]; then
  [ "$kept" -ge 1 ] || fail "nothing in systemd's fd store"
else
  [ -d /run/espgate/espgated.state ] || fail "no records"
fi

step "watchdog: a daemon that hangs is replaced; one that works is left alone"
sleep 45
before=$(main_pid)
[ "$(systemctl show -p NRestarts --value espgated)" = 0 ] || fail "the watchdog bit a daemon that is well"
kill -STOP "$before"
until_ok 300 sh -c "[ \$(systemctl show -p NRestarts --value espgated) -ge 1 ]"
until_ok 300 espgate conn show
[ "$(main_pid)" != "$before" ] || fail "the same process"
espgate conn up sites/net || fail "conn up after the watchdog"

step "upgrade to the next version: what ran goes on"
before=$(spis)
old=$(main_pid)
stream_begin
apt-get -q install -y /opt/next.deb </dev/null || fail "upgrade"
systemctl is-active -q espgated || fail "it does not run after an upgrade"
until_ok 300 espgate conn show
[ "$(main_pid)" != "$old" ] || fail "the former version runs on"
[ "$(spis)" = "$before" ] || fail "other SAs after an upgrade: $before, now $(spis)"
stream_end "over the upgrade"
grep -q 'include %d/secrets.conf' /etc/espgate/espgate.conf || fail "the configuration was overwritten"
espgate sa show

step "back to this version"
stream_begin
apt-get -q install -y --allow-downgrades /opt/archive/espgate_0.1.0-1_amd64.deb </dev/null || fail "downgrade"
until_ok 300 espgate conn show
[ "$(spis)" = "$before" ] || fail "other SAs after a downgrade: $before, now $(spis)"
stream_end "over the downgrade"

step "support-bundle"
espgate support-bundle to /run/bundle.tar
if grep -aq "of the package test" /run/bundle.tar; then fail "a secret is in the bundle"; fi

step "remove, purge"
apt-get -q remove -y espgate </dev/null || fail "remove"
[ ! -e /usr/sbin/espgated ] || fail "remove left the daemon"
[ -e /etc/espgate/espgate.conf ] || fail "remove took the configuration"
systemctl is-active -q espgated && fail "it runs on after remove"
rm /etc/espgate/conf.d/sites.conf && rmdir /etc/espgate/conf.d # the user's own
rm -r /etc/systemd/system/espgated.service.d
apt-get -q purge -y espgate </dev/null || fail "purge"
[ ! -e /sys/fs/bpf/espgate ] || fail "purge left what was pinned"
[ ! -e /sys/fs/bpf/xdp ] || fail "purge left libxdp's folder, which was empty"
left=$(find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /opt -o -path /var/log -o -path /var/cache -o -path /var/lib/dpkg \
  -o -path /var/lib/apt -o -path /dev -o -path "${PWD%/*}" \) -prune -o -iname '*espgate*' -print)
[ -z "$left" ] || fail "purge left: $left"
kill "$other"
step "package: ok"
