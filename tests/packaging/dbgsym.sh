#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The .debs that tools/package makes: espgate-dbgsym has the debug information of just the programs in espgate, by build id, and names
# sources as they are in the tree; lintian has no error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
tools/package
packages=build/package/packages
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for each in espgate espgate-dbgsym; do dpkg-deb -x "$packages/${each}"_*.deb "$scratch/$each"; done
for program in usr/sbin/espgated usr/bin/espgate; do
  id=$(readelf -n "$scratch/espgate/$program" | sed -n 's/.*Build ID: //p')
  debug=$scratch/espgate-dbgsym/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug
  [ -f "$debug" ] || { echo "no debug file for $program, $id"; exit 1; }
  readelf -SW "$debug" | grep -q '\.debug_info' || { echo "$debug has no debug information"; exit 1; }
  readelf -SW "$scratch/espgate/$program" | grep -q '\.debug_info' && { echo "$program is not stripped"; exit 1; }
  place=$(addr2line -e "$debug" "0x$(nm "$debug" | awk '$3 == "main" { print $1 }')")
  echo "$program: main is at $place"
  [[ $place != /* && $place =~ /(gateway|tools/espgate)/main\.cc:[0-9]+ ]] || { echo "that is not where it stands in the tree"; exit 1; }
done
lintian --no-cfg --fail-on error "$packages"/*.deb
