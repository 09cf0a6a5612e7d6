#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034,SC2154 # arrays and names shared with the sourced parts
# The shield among SAs that somebody else installed, natively and generically: tools/lab run -- tests/lab/shield_xfrm.sh [PART...];
# on the host it starts the lab itself. PARTS: sas flood (default: both). Nothing is registered in the ledger: all SAs are
# others'.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(dirname "$(dirname "$here")")
mountpoint -q /run/bpf 2>/dev/null || { cd "$tree" && exec tools/lab run --timeout 900 -- "$here/$(basename "$0")" "$@"; }
for part in lib/net lib/xfrm lib/simnic lib/ledger simnic_cell; do
  # shellcheck disable=SC1090
  . "$here/$part.sh"
done
passed=0
failed=0
[ $# -gt 0 ] || set -- sas flood

# events DEVICE: what the shield has counted there, in events[NAME]; events_since[NAME]: since the call before.
declare -A events events_since
counted_events() {
  local device name count
  while read -r device name count; do
    [ "$device" = "$1" ] || continue
    events_since[$name]=$((count - ${events[$name]:-0}))
    events[$name]=$count
  done < <("$ledger_tool" "$bpffs" shield)
}
event() { REPLY=${events_since[$1]:-0}; }
must_event() { event "$1"; must "$1" "$REPLY" "$2" "$3"; }

# attached native|generic NS DEVICE
attached() {
  local line said=""
  ledger "$2" device "$3" "$1"
  line=$(ip -n "$2" -d link show dev "$3")
  case $line in *xdpgeneric*) said=generic ;; *" xdp "* | *xdpdrv* | *"/xdp"*) said=native ;; esac
  must_say "XDP on $3" "$said" "$1"
}

# Others' SAs pass whatever the mode, who decrypts and the family; unknown ones do not; what came out of an SA is left alone.
part_sas() {
  local mode how family
  simnic_load 1 || { echo "shield_xfrm: no simnic module" >&2; exit 1; }
  ns_add one two && net_two_hosts one simnic0 two simnic1 || exit 1
  coproc traffic_server { exec python3 "$here/simnic_traffic.py" one two; }
  ledger_start serve || exit 1
  for mode in native generic; do
    for how in sw hw; do
      for family in 4 6; do
        cell "$mode XDP, $how, IPv$family: others' SAs"
        attached $mode two simnic1
        ledger two shield drop 1
        hosts $how $how $family tunnel aes128gcm16
        counted_events simnic1
        traffic $family tunnel ping=10x200
        traffic $family tunnel tcp=200000
        counted_events simnic1
        must_event unknown-spi -eq 0
        no_errors
        end_cell

        cell "$mode XDP, $how, IPv$family: requests inside an SA"
        inner_requests $family
        end_cell

        cell "$mode XDP, $how, IPv$family: SAs gone on this side"
        ip -n two xfrm state flush
        counted_events simnic1
        traffic $family tunnel lost=3
        counted_events simnic1
        must_event unknown-dropped -ge 3
        xfrm_error two XfrmInNoStates
        must_say "got as far as xfrm" "$REPLY" 0
        errors_expected
        end_cell
      done
    done
  done
  ledger_stop
}

# All reach the daemon: they came in as ESP of an SA, not as what the shield limits.
inner_requests() {
  local received challenges rest
  net_inner "$1" 1 && local from=$REPLY
  net_inner "$1" 2
  counted_events simnic1
  read -r received challenges rest < <(cd "$here" && python3 shield_traffic.py one "$from" two "$REPLY" 500 20)
  counted_events simnic1
  must "requests received" "$received" -eq 20
  must "challenges" "$challenges" -eq 0
  must_event cookie-sent -eq 0
  must_event init-passed -eq 0
  fact "$rest"
}

# Requests over sockets, checksums left to the device: challenged, and the cookie lets the next one pass.
part_flood() {
  local mode family port received challenges wrong cookie
  ns_add three four && ip link add va type veth peer name vb && net_two_hosts three va four vb || exit 1
  rm -f "${bpffs:?}"/espgate/* 2>/dev/null
  ledger_start serve || exit 1
  ledger three device va native # a veth takes frames that its peer's XDP sends only if it has XDP, too
  for mode in native generic; do
    attached $mode four vb
    ledger four shield watch 1
    for family in 4 6; do
      for port in 500 4500; do
        cell "$mode XDP, IPv$family, port $port: flood"
        net_outer $family 1 && local from=$REPLY
        net_outer $family 2
        counted_events vb
        read -r received challenges wrong cookie < <(cd "$here" && python3 shield_traffic.py three "$from" four "$REPLY" $port 50)
        counted_events vb
        must "requests received" "$received" -lt 25
        must "and challenged" $((received + challenges)) -eq 50
        must "answers that are none" "$wrong" -eq 0
        must "request with the cookie" "$cookie" -eq 1
        must_event cookie-sent -eq "$challenges"
        must_event cookie-good -eq 1
        fact "$received passed, $challenges challenged"
        end_cell
      done
    done
  done
  ledger_stop
}

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
