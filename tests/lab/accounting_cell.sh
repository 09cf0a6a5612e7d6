# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2079,SC2120  # keys of associative arrays, not decimals; arguments come from the caller
# shellcheck disable=SC2154,SC2034 # arrays filled by reference
# Parts of accounting_xfrm.sh. Needs net.sh, xfrm.sh, simnic.sh, simnic_cell.sh (hosts, traffic, measure, cells).
# Slots: 0 one out, 1 two in (both SPI 0x1001); 2 two out, 3 one in (0x2001).

bpffs=/run/bpf
ledger_tool=${ESPGATE_LEDGER_TOOL:-espgate-ledger-test}

# ledger_start serve|serve-inexact: the loader; ledger_stop ends it as kill -9 would.
ledger_start() {
  local pipes
  pipes=$(mktemp -d)
  mkfifo "$pipes/in" "$pipes/out"
  "$ledger_tool" $bpffs "$1" <"$pipes/in" >"$pipes/out" &
  ledger_pid=$!
  disown
  exec {ledger_in}>"$pipes/in" {ledger_out}<"$pipes/out"
  rm -r "$pipes"
  until [[ $REPLY = ready* ]]; do
    read -r -t 60 REPLY <&"$ledger_out" || { echo "accounting_xfrm: the loader said: $REPLY" >&2; return 1; }
    echo "   $REPLY"
  done
}
ledger_stop() {
  kill -9 "$ledger_pid"
  exec {ledger_in}>&- {ledger_out}<&-
  net_wait 10 eval "! kill -0 $ledger_pid 2>/dev/null"
}

# ledger COMMAND...: one command of the tool.
ledger() {
  echo "$*" >&"$ledger_in"
  REPLY=missing
  while [[ $REPLY = missing* ]]; do read -r -t 20 REPLY <&"$ledger_out" || REPLY="no answer"; done
  [ "$REPLY" = ok ] || wrong "$*: $REPLY"
}

# registered FAMILY MODE SUITE: the four SAs of `hosts` in the ledger, counted from zero.
registered() {
  local family=$1 mode=$2 suite=$3 one two slot
  net_outer "$family" 1 && one=$REPLY
  net_outer "$family" 2 && two=$REPLY
  [ -z "${ledger_used:-}" ] || for slot in "one release 0" "two release 1" "two release 2" "one release 3"; do ledger "$slot"; done
  ledger_used=yes
  ledger one assign 0 out 1001 "$one" "$two" "$mode" auto "$suite" there
  ledger two assign 1 in 1001 "$one" "$two" "$mode" auto "$suite" there
  ledger two assign 2 out 2001 "$two" "$one" "$mode" auto "$suite" back
  ledger one assign 3 in 2001 "$two" "$one" "$mode" auto "$suite" back
}

# counted: what the maps say, in counts[SLOT.hw.packets] ...; reasons[SLOT]
declare -A counts reasons
counted() {
  local slot direction exact hwp hwb swp swb why
  while read -r slot direction exact hwp hwb swp swb why; do
    counts[$slot.hw.packets]=$hwp counts[$slot.hw.bytes]=$hwb
    counts[$slot.sw.packets]=$swp counts[$slot.sw.bytes]=$swb
    counts[$slot.packets]=$((hwp + swp)) counts[$slot.bytes]=$((hwb + swb))
    counts[$slot.exact]=$exact reasons[$slot]=$why
  done < <("$ledger_tool" $bpffs show)
}

# identities SPI OUT-SLOT IN-SLOT OUT-NIC IN-NIC OUT-SAD IN-SAD [LOST]: the interface's, for one direction. LOST packets the
# NIC dropped after it had taken them.
identities() {
  local spi out=$2 in=$3 lost=${8:-0}
  local -n nic_out=$4 nic_in=$5 sad_out=$6 sad_in=$7
  printf -v spi 0x%08x "$1"
  must "$spi exact" "$([ "${counts[$out.exact]}${counts[$in.exact]}" = exactexact ] && echo 1 || echo 0)" -eq 1
  must "$spi in: packets, GETSA" "${counts[$in.packets]}" -eq "${sad_in[$spi.packets]}"
  must "$spi in: bytes, GETSA" "${counts[$in.bytes]}" -eq "${sad_in[$spi.bytes]}"
  must "$spi in: hw packets, NIC" "${counts[$in.hw.packets]}" -eq "${nic_in[hw_rx_packets]}"
  must "$spi in: hw bytes, NIC" "${counts[$in.hw.bytes]}" -eq "${nic_in[hw_rx_bytes]}"
  must "$spi out: hw packets, NIC" "${counts[$out.hw.packets]}" -eq "$((nic_out[hw_tx_packets] + lost))"
  [ "$lost" != 0 ] || must "$spi out: hw bytes, NIC" "${counts[$out.hw.bytes]}" -eq "${nic_out[hw_tx_bytes]}"
  must "$spi out: sw packets, NIC" "${counts[$out.sw.packets]}" -eq "${nic_out[sw_tx_esp]}"
  must "$spi out: packets, peer's GETSA" "${counts[$out.packets]}" -eq "$((sad_in[$spi.packets] + lost))"
  [ "$lost" != 0 ] || must "$spi out: bytes, peer's GETSA" "${counts[$out.bytes]}" -eq "${sad_in[$spi.bytes]}"
  must "$spi out: sequence numbers" "${counts[$out.packets]}" -eq "${sad_out[$spi.oseq]}"
  must "$spi counted" "${counts[$in.packets]}" -gt 0
  fact "out ${counts[$out.hw.packets]}+${counts[$out.sw.packets]} in ${counts[$in.hw.packets]}+${counts[$in.sw.packets]}"
  [ -z "${reasons[$out]}${reasons[$in]}" ] || fact "${reasons[$out]:-} | ${reasons[$in]:-}"
}

# accounted [LOST1 [LOST2]]: both directions.
accounted() {
  measured
  counted
  identities 0x1001 0 1 one two sad1 sad2 "${1:-0}"
  identities 0x2001 2 3 two one sad2 sad1 "${2:-0}"
}

# setup HOW1 HOW2 FAMILY MODE SUITE [OPTION...]
setup() {
  hosts "$@"
  registered "$3" "$4" "$5"
  measure
}

# side_counts SLOT HW|SW WANT: 0 or more.
all_hw() { must "slot $1 hw" "${counts[$1.hw.packets]}" -gt 0; must "slot $1 sw" "${counts[$1.sw.packets]}" -eq 0; }
all_sw() { must "slot $1 sw" "${counts[$1.sw.packets]}" -gt 0; must "slot $1 hw" "${counts[$1.hw.packets]}" -eq 0; }

begin_exact() {
  [ -n "${exact_running:-}" ] || { ledger_start serve && ledger one device simnic0 && ledger two device simnic1; } || exit 1
  exact_running=yes
}

part_matrix() {
  local family mode suite how
  begin_exact
  for family in ${ESPGATE_FAMILIES:-4 6}; do
    for mode in tunnel transport; do
      for how in hw-hw hw-sw cbc; do
        suite=aes128gcm16
        [ $how != cbc ] || suite=aes256-sha256
        cell "IPv$family $mode $suite $how"
        if [ $how = cbc ]; then setup sw sw $family $mode $suite; else setup ${how%-*} ${how#*-} $family $mode $suite; fi
        traffic $family $mode sweep
        accounted
        case $how in
          hw-*) all_hw 0; all_hw 3 ;;
          *) all_sw 0; all_sw 3 ;;
        esac
        no_errors
        end_cell
      done
    done
  done
}

nic_feature() { ns "$1" ethtool -K "$2" "$3" "$4" >/dev/null || wrong "ethtool $3 $4"; }

# A bulk TCP flow: GSO towards the NIC, GRO from it, each on and off; the stack or the NIC segments.
part_tcp() {
  local family mode gro segment batches
  begin_exact
  for family in ${ESPGATE_FAMILIES:-4 6}; do
    for mode in tunnel transport; do
      for gro in on off; do
        for segment in nic stack; do
          cell "IPv$family $mode TCP, GRO $gro, $segment segments"
          nic_feature one simnic0 gro $gro
          nic_feature two simnic1 gro $gro
          nic_feature one simnic0 tx-esp-segmentation "$([ $segment = nic ] && echo on || echo off)"
          setup hw hw $family $mode aes128gcm16
          traffic $family $mode tcp=1000000
          accounted
          all_hw 0
          all_hw 1
          batches=$((counts[0.packets] - sad1[0x00001001.packets]))
          must "GSO seen" $batches -gt 0
          must_say "segmented by" "$([ "${one[tx_esp_batches]}" -gt 0 ] && echo nic || echo stack)" $segment
          fact "$batches segments in batches"
          no_errors
          end_cell
        done
      done
    done
  done
  nic_feature one simnic0 tx-esp-segmentation on
  nic_feature one simnic0 gro on
  nic_feature two simnic1 gro on
}

# The NIC skips every third receive; its transmit offload is switched off half way.
part_mixed() {
  local mode
  begin_exact
  for mode in tunnel transport; do
    cell "$mode TCP, every third receive skipped"
    setup hw hw 4 $mode aes128gcm16
    simnic_knob simnic1 fault rx_skip=3
    traffic 4 $mode tcp=1000000
    accounted
    must "hw seen" "${counts[1.hw.packets]}" -gt 0
    must "sw seen" "${counts[1.sw.packets]}" -gt 0
    must_say "reason" "${reasons[1]}" "not-decrypted=${counts[1.sw.packets]}"
    simnic_knob simnic1 fault none
    no_errors
    end_cell

    cell "$mode TCP, then esp-hw-offload off"
    setup hw hw 4 $mode aes128gcm16
    traffic 4 $mode tcp=500000
    nic_feature one simnic0 esp-hw-offload off
    traffic 4 $mode tcp=500000
    nic_feature one simnic0 esp-hw-offload on
    accounted
    must "hw seen" "${counts[0.hw.packets]}" -gt 0
    must "sw seen" "${counts[0.sw.packets]}" -gt 0
    must_say "reason" "${reasons[0]}" "feature-off=${counts[0.sw.packets]}"
    no_errors
    end_cell
  done
}

# under_fault NAME FAULT: a cell up to its counts, a TCP flow through a NIC with this fault.
under_fault() {
  begin_exact
  cell "$1"
  setup hw hw 4 tunnel aes128gcm16
  simnic_knob simnic0 fault "$2"
  traffic 4 tunnel tcp=500000
  measured
  counted
  simnic_knob simnic0 fault none
  must "all in hardware" "${counts[0.sw.packets]}" -eq 0
}

# Late drops show as the difference between what was counted here and what the peer counted.
part_drop() {
  local lost
  under_fault "tunnel TCP, every 50th transmit lost by the NIC" tx_drop=50
  lost=${one[fault_tx_dropped]:-0}
  must "drops seen" "$lost" -gt 0
  must "difference" $((counts[0.packets] - sad2[0x00001001.packets])) -eq "$lost"
  must "own GETSA and in" "${counts[1.packets]}" -eq "${sad2[0x00001001.packets]}"
  fact "lost $lost of ${counts[0.packets]}"
  errors_expected
  end_cell
}

# What the NIC hands back for want of room comes again, and is one packet all the same.
part_busy() {
  local again
  under_fault "tunnel TCP, every 5th transmit handed back by the NIC" tx_busy=5
  again=${one[fault_tx_busy]:-0}
  must "handed back" "$again" -gt 0
  must "out and the peer's GETSA" "${counts[0.packets]}" -eq "${sad2[0x00001001.packets]}"
  must "out hw and the NIC" "${counts[0.hw.packets]}" -eq "${one[hw_tx_packets]}"
  fact "$again handed back of ${counts[0.packets]}"
  no_errors
  end_cell
}

# Programs are exchanged while packets run: each start of the tool is a loader that starts, as a new version would, and
# puts its own copy of every exact hook in the place of the one before.
part_exchange() {
  local how exchanger rounds
  begin_exact
  for how in hw sw; do
    cell "programs exchanged under traffic, $how"
    setup $how $how 4 tunnel aes128gcm16
    ledger_stop
    (for _ in 1 2 3 4; do "$ledger_tool" $bpffs serve </dev/null >/dev/null || exit 1; done) &
    exchanger=$!
    rounds=0
    while kill -0 $exchanger 2>/dev/null; do
      traffic 4 tunnel sweep
      rounds=$((rounds + 1))
    done
    wait $exchanger || wrong "the loader"
    must "rounds of traffic meanwhile" $rounds -gt 1
    traffic 4 tunnel sweep
    accounted
    no_errors
    ledger_start serve || exit 1
    end_cell
  done
}

# Without tracing tc counts: said to be inexact, and near the truth where nothing is merged.
part_inexact() {
  [ -z "${exact_running:-}" ] || ledger_stop
  exact_running="" ledger_used=""
  rm -f $bpffs/espgate/* 2>/dev/null
  cell "tc alone, pings"
  ledger_start serve-inexact && ledger one device simnic0 && ledger two device simnic1
  setup hw hw 4 tunnel aes128gcm16
  traffic 4 tunnel ping=20x64
  measured
  counted
  must_say "marked" "${counts[0.exact]} ${counts[1.exact]}" "inexact inexact"
  must "out" "${counts[0.hw.packets]}" -eq "${one[hw_tx_packets]}"
  must "in" "${counts[1.hw.packets]}" -eq "${two[hw_rx_packets]}"
  must "out bytes" "${counts[0.hw.bytes]}" -eq "${one[hw_tx_bytes]}"
  fact "out ${counts[0.hw.packets]} in ${counts[1.hw.packets]}"
  ledger one remove
  must_say "left behind" "$(ls $bpffs)" ""
  end_cell
  ledger_stop
}
