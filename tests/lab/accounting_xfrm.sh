#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Are the per-SA counters exact? tools/lab run -- tests/lab/accounting_xfrm.sh [PART...]; on the host it starts the lab itself.
# PARTS: matrix tcp mixed drop busy exchange inexact (default: all); ESPGATE_FAMILIES=6 for one family alone. SAs by `ip xfrm` over the emulated NIC, registered by
# espgate-ledger-test; counts are compared with GETSA of both sides and the NIC's own. A row for each cell.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(dirname "$(dirname "$here")")
mountpoint -q /run/bpf 2>/dev/null || { cd "$tree" && exec tools/lab run --timeout 900 -- "$here/$(basename "$0")" "$@"; }
for part in lib/net lib/xfrm lib/simnic simnic_cell accounting_cell; do
  # shellcheck disable=SC1090
  . "$here/$part.sh"
done
passed=0
failed=0
[ $# -gt 0 ] || set -- matrix tcp mixed drop busy exchange inexact

simnic_load 1 || { echo "accounting_xfrm: no simnic module" >&2; exit 1; }
ns_add one two && net_two_hosts one simnic0 two simnic1 || exit 1
# shellcheck disable=SC2034 # in simnic_cell.sh
coproc traffic_server { exec python3 "$here/simnic_traffic.py" one two; }

for part in "$@"; do
  started=$SECONDS
  echo "== $part"
  "part_$part"
  echo "-- $part: $((SECONDS - started)) s"
done
if dmesg | grep -E 'WARNING:|BUG:|Oops|Call Trace'; then
  failed=$((failed + 1))
  echo "the kernel complained; see above"
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
