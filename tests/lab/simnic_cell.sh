# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # arrays filled by reference, and shared with the other parts
# A cell of the oracle: a name, some facts, and what was wrong. Sourced by simnic_oracle.sh; `one` has simnic0, `two` simnic1.

declare -A start1 start2 end1 end2 one two sad1 sad2
cell_name="" cell_facts="" cell_wrong=""

cell() { cell_name=$1 cell_facts="" cell_wrong=""; }
fact() { cell_facts+="${cell_facts:+, }$*"; }
wrong() { cell_wrong+="${cell_wrong:+; }$*"; }

# must WHAT A OP B: an integer test that has to hold.
must() { test "$2" "$3" "$4" 2>/dev/null || wrong "$1: $2 should be $3 $4"; }

# must_say WHAT GOT WANTED
must_say() { [ "$2" = "$3" ] || wrong "$1: '$2' should be '$3'"; }

# must_do COMMAND...: has to succeed.
must_do() {
  local said
  said=$("$@" 2>&1) || wrong "$*: $said"
}

end_cell() {
  if [ -z "$cell_wrong" ]; then
    passed=$((passed + 1))
    printf 'ok    %-52s %s\n' "$cell_name" "$cell_facts"
  else
    failed=$((failed + 1))
    printf 'FAIL  %-52s %s  <<< %s\n' "$cell_name" "$cell_facts" "$cell_wrong"
  fi
}

# measure, measured: what the NICs counted between the two, in the arrays one and two; GETSA's words afterwards in sad1 and sad2.
measure() {
  simnic_read start1 simnic0
  simnic_read start2 simnic1
}

measured() {
  sleep 0.1 # the last acknowledgement may still be in a queue
  simnic_read end1 simnic0
  simnic_read end2 simnic1
  simnic_delta one start1 end1
  simnic_delta two start2 end2
  xfrm_read sad1 one
  xfrm_read sad2 two
}

# traffic_start FAMILY MODE WHAT...: between the addresses that the mode's policies cover; traffic_end waits for it.
traffic_start() {
  local address=net_outer from family=$1
  [ "$2" = transport ] || address=net_inner
  shift 2
  $address "$family" 1 && from=$REPLY
  $address "$family" 2
  echo "$from $REPLY $*" >&"${traffic_server[1]}"
}

traffic_end() {
  read -r -t 120 REPLY <&"${traffic_server[0]}" || REPLY="no answer"
  [ "$REPLY" = ok ] || wrong "$REPLY"
}

traffic() {
  traffic_start "$@"
  traffic_end
}

# offload_words HOW DEVICE: hw (crypto mode), packet, or sw.
offload_words() { case $1 in hw) echo dev "$2" ;; packet) echo packet "$2" ;; esac }

# hosts HOW1 HOW2 FAMILY MODE SUITE [OPTION...]: SAs 0x1001 (1 to 2) and 0x2001 on both sides; HOW as offload_words has it.
hosts() {
  local how1=$1 how2=$2 family=$3 mode=$4 suite=$5
  shift 5
  # shellcheck disable=SC2046
  xfrm_host one 1 "$family" "$mode" "$suite" 0x1001 0x2001 "$@" $(offload_words "$how1" simnic0) || wrong "SAs of side 1"
  # shellcheck disable=SC2046
  xfrm_host two 2 "$family" "$mode" "$suite" 0x2001 0x1001 "$@" $(offload_words "$how2" simnic1) || wrong "SAs of side 2"
}

# held HOW ARRAY: the kernel says of both SAs what was asked for.
held() {
  local -n held_sad=$2
  local spi want=none
  case $1 in hw) want=crypto ;; packet) want=packet ;; esac
  for spi in 0x00001001 0x00002001; do must_say "readback of $spi in $2" "${held_sad[$spi.offload]:-}" $want; done
}

# flow SPI 1|2 HOW HOW: one direction of what `measured` found, from side 1 or 2, against GETSA of the receiver.
flow() {
  local spi=$1 from=$2 from_how=$3 to_how=$4
  if [ "$from" = 1 ]; then flow_of "$spi" one simnic0 sad1 "$from_how" two simnic1 sad2 "$to_how"; else
    flow_of "$spi" two simnic1 sad2 "$from_how" one simnic0 sad1 "$to_how"; fi
}

flow_of() {
  local spi=$1 from_device=$3 from_how=$5 to_device=$7 to_how=$9 packets bytes
  local -n tx=$2 tx_sad=$4 rx=$6 rx_sad=$8
  printf -v spi 0x%08x "$spi"
  packets=${rx_sad[$spi.packets]} bytes=${rx_sad[$spi.bytes]}
  must "$spi received" "$packets" -gt 0
  if [ "$from_how" != sw ]; then
    must "$spi hw_tx_packets" "${tx[hw_tx_packets]}" -eq "$packets"
    must "$spi hw_tx_bytes" "${tx[hw_tx_bytes]}" -eq "$bytes"
    must "$spi sw_tx_esp" "${tx[sw_tx_esp]}" -eq 0
    simnic_sa "$from_device" out "$spi"
    must_say "$spi of $from_device" "$REPLY" "$packets $bytes"
  else
    must "$spi hw_tx_packets" "${tx[hw_tx_packets]}" -eq 0
    must "$spi sw_tx_esp" "${tx[sw_tx_esp]}" -eq "$packets"
  fi
  if [ "$to_how" != sw ]; then
    must "$spi hw_rx_packets" "${rx[hw_rx_packets]}" -eq "$packets"
    must "$spi hw_rx_bytes" "${rx[hw_rx_bytes]}" -eq "$bytes"
    must "$spi sw_rx_esp" "${rx[sw_rx_esp]}" -eq 0
    simnic_sa "$to_device" in "$spi"
    must_say "$spi of $to_device" "$REPLY" "$packets $bytes"
  else
    must "$spi hw_rx_packets" "${rx[hw_rx_packets]}" -eq 0
    must "$spi sw_rx_esp" "${rx[sw_rx_esp]}" -eq "$packets"
  fi
  if [ "$from_how" = packet ]; then
    # The stack never saw a sequence number; the sender's GETSA is what the driver told.
    must "$spi sent, packets" "${tx_sad[$spi.packets]}" -eq "$packets"
    must "$spi sent, octets" "${tx_sad[$spi.bytes]}" -eq "$bytes"
  else
    must "$spi sequence numbers used" "${tx_sad[$spi.oseq]}" -eq "$packets"
  fi
  fact "$packets/$bytes"
}

# no_errors: nothing in xfrm_stat since the last call of it.
declare -A errors_before=([one]="" [two]="")
no_errors() {
  local name now
  for name in one two; do
    xfrm_errors $name
    now=$REPLY
    must_say "xfrm_stat of $name" "$now" "${errors_before[$name]}"
    errors_before[$name]=$now
  done
}

# errors_expected: after a cell that made some on purpose.
errors_expected() {
  local name
  for name in one two; do
    xfrm_errors $name
    errors_before[$name]=$REPLY
  done
}
