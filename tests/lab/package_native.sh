#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# package_inside.sh with systemd as init of a container of this machine, whose root is ROOT beneath an overlay in memory, and whose
# network is its own: package_native.sh ROOT DIRECTORY_OF_DEBS RELEASE. Status 77: no container can be had here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$1 debs=$2 release=$3
if ! command -v systemd-nspawn >/dev/null || [ "$(id -u)" != 0 ]; then
  echo "skipped: systemd-nspawn (package systemd-container) and root are needed"
  exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/out"
# What systemd does as the lab's guest, it does not in a container: a bpffs.
cat >"$scratch/job.service" <<UNIT
[Unit]
Requires=basic.target
After=basic.target
[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=/bin/sh -c 'mkdir -p /sys/fs/bpf /run/bpf; mount -t bpf bpf /sys/fs/bpf; ip link set lo up; cd $PWD && sh tests/lab/package_inside.sh $debs $release null >/out/log 2>&1; echo \\$? >/out/status; systemctl --force --force poweroff'
UNIT
printf '[Unit]\nRequires=job.service\nAfter=job.service\nAllowIsolate=yes\n' >"$scratch/job.target"
# Machines with cgroups of the first version have no others for it.
unified=1
[ -f /sys/fs/cgroup/cgroup.controllers ] || unified=0
SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=$unified timeout 900 systemd-nspawn --quiet --register=no --keep-unit \
  --private-network --capability=all --system-call-filter="bpf perf_event_open" --setenv=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 \
  --volatile=overlay --directory="$root" --bind-ro="$PWD" --bind="$scratch/out:/out" --bind-ro="$scratch/job.service:/etc/systemd/system/job.service" \
  --bind-ro="$scratch/job.target:/etc/systemd/system/job.target" --boot -- --unit=job.target >"$scratch/console" 2>&1 || true
[ -f "$scratch/out/log" ] || { tail -n 20 "$scratch/console"; echo "the container did not come up"; exit 1; }
cat "$scratch/out/log"
exit "$(cat "$scratch/out/status")"
