#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tests of the lab itself, on the host: what goes in and what comes out of tools/lab. Six boots, three pairs side by side.
set -uo pipefail
tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
lab="$tree/tools/lab run"
export TMPDIR=$work/tmp # where the lab keeps its job directories: empty again at the end
mkdir -p "$work/tmp" "$work/out"
cd "$tree" || exit 1

check() { # WHAT COMMAND...
  local what=$1
  shift
  if "$@"; then echo "ok: $what"; else echo "FAILED: $what"; failures=$((failures + 1)); fi
}

# Starts `tools/lab run ARGUMENT...` as case NAME: its output goes to $work/NAME.{out,err}, its status to .status.
begin() {
  local name=$1
  shift
  { $lab "$@" >"$work/$name.out" 2>"$work/$name.err" </dev/null; echo $? >"$work/$name.status"; } &
}
status_is() { [ "$(cat "$work/$1.status")" = "$2" ]; }
says() { grep -q -- "$3" "$work/$1.$2"; }
says_not() { ! says "$@"; }

# What holds inside. Each line that this prints with "BAD" is a failure.
cat >"$work/inside.sh" <<'INSIDE'
expect() { what=$1; shift; "$@" >/dev/null 2>&1 && echo "good: $what" || echo "BAD: $what"; }
expect "root" [ "$(id -u)" = 0 ]
expect "directory" [ "$PWD" = "$ESPGATE_SELFTEST_TREE" ]
expect "release programs first on the path" [ "${PATH%%:*}" = "$PWD/build/release/bin" ]
expect "no variable but the named" [ -z "${SELFTEST_PRIVATE:-}" ]
expect "kernel 6.12" sh -c 'uname -r | grep -q ^6\\.12'
expect "hostname" [ "$(cat /proc/sys/kernel/hostname)" = lab ]
expect "only the loopback, up" [ "$(ls /sys/class/net)" = lo ]
expect "loopback answers" ping -c1 -W5 127.0.0.1
expect "bpffs at /run/bpf" [ "$(stat -f -c %T /run/bpf)" = bpf_fs ]
expect "bpffs at /sys/fs/bpf" [ "$(stat -f -c %T /sys/fs/bpf)" = bpf_fs ]
expect "tracefs" test -e /sys/kernel/tracing/events/net/net_dev_start_xmit
expect "debugfs" test -d /sys/kernel/debug/bdi
expect "cgroup2" test -e /sys/fs/cgroup/cgroup.controllers
expect "empty /tmp" [ -z "$(ls -A /tmp)" ]
expect "BPF JIT" [ "$(cat /proc/sys/net/core/bpf_jit_enable)" = 1 ]
expect "BTF of the kernel" test -s /sys/kernel/btf/vmlinux
for module in esp4 esp6 esp4_offload esp6_offload xfrm_user xfrm_interface authenc gcm veth netdevsim; do expect "modprobe $module" modprobe $module; done
expect "BTF of a module built here" test -s /sys/kernel/btf/netdevsim
expect "netdevsim makes a device" sh -c 'echo "1 1" >/sys/bus/netdevsim/new_device && ls /sys/bus/netdevsim/devices/netdevsim1/net | grep .'
expect "simnic makes a pair" sh -c 'modprobe simnic pairs=1 && ip link show simnic0 && ip link show simnic1'
expect "network namespaces" sh -c 'ip netns add probe && ip netns exec probe ip link set lo up'
expect "ip knows packet offload" sh -c 'ip xfrm state help 2>&1 | grep -q packet'
expect "charon is there" test -x /usr/sbin/charon-systemd
expect "the tree can be written" sh -c 'echo changed >selftest-was-here && echo >>README.md'
expect "/dev/stdout can be opened again" sh -c 'exec 9>/dev/stdout'
echo brought out >/run/lab/out/result
echo complaint >&2
sleep 1000 & # holds the output open: must not hold up the end
exit 3
INSIDE
cp "$work/inside.sh" "$tree/build/lab-selftest-inside.sh" 2>/dev/null || { mkdir -p "$tree/build" && cp "$work/inside.sh" "$tree/build/lab-selftest-inside.sh"; }
readme=$(md5sum README.md 2>/dev/null)

ESPGATE_SELFTEST_TREE=$tree SELFTEST_PRIVATE=1 begin inside --timeout 120 --out "$work/out" -- sh build/lab-selftest-inside.sh
# All octets, several times what a pipe holds, no newline at the end; and the shell's own words left alone.
# shellcheck disable=SC2016
begin binary --timeout 120 -- python3 -c '
import os, sys
data = bytes(range(256)) * 16384 + b"end"
sys.stdout.buffer.write(data)
sys.stderr.buffer.write(data[::-1])
assert sys.argv[1:] == ["a b", "*", "$HOME", "it'"'"'s", ""], sys.argv' 'a b' '*' '$HOME' "it's" ''
wait
check "status 3 comes through" status_is inside 3
check "inside: all as it should be ($(grep -c ^good: "$work/inside.out") checks)" says_not inside out ^BAD
grep ^BAD "$work/inside.out"
check "inside: the last check was reached" says inside out "good: /dev/stdout"
check "stderr is separate" says inside err '^complaint$'
check "stderr is not in stdout" says_not inside out '^complaint$'
check "a result was brought out" grep -qx "brought out" "$work/out/result"
check "a new file did not reach the host" [ ! -e selftest-was-here ]
check "a changed file did not reach the host" [ "$readme" = "$(md5sum README.md 2>/dev/null)" ]
check "status 0 comes through, arguments as given" status_is binary 0
sums() { python3 -c '
import hashlib
data = bytes(range(256)) * 16384 + b"end"
print(hashlib.md5(data).hexdigest(), hashlib.md5(data[::-1]).hexdigest())'; }
check "binary output on both streams is equal" [ "$(sums)" = "$(md5sum <"$work/binary.out" | cut -d' ' -f1) $(md5sum <"$work/binary.err" | cut -d' ' -f1)" ]

# shellcheck disable=SC2016
begin signal --timeout 120 -- sh -c 'kill -SEGV $$'
begin timeout --timeout 20 -- sh -c 'echo begun; sleep 1000'
wait
check "a crash is 128 + its signal" status_is signal 139
check "a timeout is 124" status_is timeout 124
check "what was printed before the timeout is there" says timeout out '^begun$'

begin panic --timeout 120 --console "$work/console" -- sh -c 'echo c >/proc/sysrq-trigger; sleep 1000'
# Not by `begin`: the signal is meant for the lab itself.
setsid "$tree/tools/lab" run -- sh -c 'echo begun; sleep 1000' >"$work/break.out" 2>"$work/break.err" </dev/null &
pid=$!
for _ in $(seq 1800); do says break out begun && break; sleep 0.1; done
check "output comes while the command runs" says break out begun
kill -INT "$(pgrep -f -s "$pid" lab_boot.py || echo "$pid")"
wait "$pid"
check "an interrupt ends the run with 130" [ $? = 130 ]
wait
check "a panic is 125" status_is panic 125
check "the console is shown" says panic err "sysrq triggered crash"
check "the console is kept when asked for" grep -q "Kernel panic" "$work/console"
check "nothing is left behind" [ -z "$(ls -A "$work/tmp")" ]
check "no machine is left running" [ -z "$(pgrep -f "lab.job=$work/tmp")" ]

rm -f "$tree/build/lab-selftest-inside.sh"
[ "$failures" = 0 ] || { echo "$failures failed"; tail -n 20 "$work"/*.err; exit 1; }
