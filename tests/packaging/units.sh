#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# systemd has nothing to say of the units, and exposes no more than 2.5. units.sh BUILD_DIRECTORY
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=$1
if ! command -v systemd-analyze >/dev/null; then
  echo "skipped: systemd-analyze is not here (package systemd)"
  exit 77
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/systemd"
# The programs of the build stand in for the installed ones.
for unit in espgated.service espgate-metrics.service espgate-metrics.timer; do
  sed "s#/usr/s\?bin/espgate#$build/bin/espgate#" "packaging/systemd/$unit" >"$root/systemd/$unit"
done
said=$(systemd-analyze verify --man=no "$root/systemd/"* 2>&1 | grep espgate || true)
[ -z "$said" ] || { echo "$said"; exit 1; }
for unit in espgated.service espgate-metrics.service; do
  systemd-analyze security --offline=yes --threshold=25 "packaging/systemd/$unit" >"$root/report" || { cat "$root/report"; exit 1; }
  tail -n 1 "$root/report"
done
