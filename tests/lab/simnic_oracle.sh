#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Is the emulated NIC right? tools/lab run -- tests/lab/simnic_oracle.sh [quick] [PART...]
# PARTS: matrix gso esn faults refusals xdp foreign life packet (default: all); quick: a covering quarter of the matrix, half of gso.
# Prints a row for each cell, then `N passed, N failed`.
#
# The other side of each comparison is the kernel's own software ESP: what the NIC encrypted must open there and
# the other way round, and the packets and octets it says it handled must be those that GETSA counted at the far end.
# shellcheck disable=SC2034 # names used by the parts
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for part in lib/net lib/xfrm lib/simnic simnic_cell simnic_matrix simnic_faults simnic_refusals simnic_life simnic_packet simnic_packet_ways; do
  # shellcheck disable=SC1090
  . "$here/$part.sh"
done

passed=0
failed=0
work=$(mktemp -d)
quick=""
[ "${1:-}" != quick ] || { quick=quick; shift; }
[ $# -gt 0 ] || set -- matrix gso esn faults refusals xdp foreign life packet

simnic_load 2 || { echo "simnic_oracle: no simnic module" >&2; exit 1; }
ns_add one two && net_two_hosts one simnic0 two simnic1 || exit 1
mtu=$(ip -n one -o link show simnic0 | sed 's/.* mtu \([0-9]*\).*/\1/')
[ "$mtu" = 1500 ] || { echo "simnic_oracle: MTU is $mtu" >&2; exit 1; }

# shellcheck disable=SC2034 # in simnic_cell.sh
coproc traffic_server { exec python3 "$here/simnic_traffic.py" one two; }

for part in "$@"; do
  started=$SECONDS
  echo "== $part"
  "part_$part"
  echo "-- $part: $((SECONDS - started)) s"
done
if dmesg | grep -E 'WARNING:|BUG:|Oops|Call Trace|refcount_t'; then
  failed=$((failed + 1))
  echo "the kernel complained; see above"
fi
rm -rf "$work"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
