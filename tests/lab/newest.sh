#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The newest kernel there is a package of: do the programs load, are packets counted, does a tunnel come up offloaded? A part of
# what bpf.sh, accounting_matrix.py and demo.py try on 6.12, for what a kernel changes shows early. On the host it starts the lab
# itself: newest.sh [PART...]; PARTS: bpf accounting demo (default: all).
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(dirname "$(dirname "$here")")
mountpoint -q /run/bpf 2>/dev/null || {
  cd "$tree" && exec tools/lab run --kernel newest --timeout 900 -- "$here/$(basename "$0")" "$@"
}
[ $# -gt 0 ] || set -- bpf accounting demo
failed=()
for part in "$@"; do
  began=$SECONDS
  ! grep -q '^simnic ' /proc/modules || rmmod simnic # each part makes its own NICs
  case $part in
    bpf) set -- "$here/bpf.sh" newest classes shield ;;
    accounting)
      set -- python3 "$here/accounting_matrix.py" v4-tunnel-esp-crypto-gro-gso-esn v6-transport-esp-packet-nogro-nogso-noesn \
        v6-tunnel-udp-software-gro-gso-noesn integrity-hw replay-sw
      ;;
    demo) set -- env ESPGATE_DEMO_OCTETS=1000000 python3 "$here/demo.py" ;;
    *) echo "newest.sh: there is no part $part" >&2 && exit 1 ;;
  esac
  "$@" || failed+=("$part")
  echo "-- $part: $((SECONDS - began)) s"
done
echo "newest: $(uname -r), failed: ${failed[*]:-none}"
[ ${#failed[@]} = 0 ]
