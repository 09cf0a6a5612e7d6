# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # arrays of simnic_cell.sh
# Packet mode beyond the matrix: what is too big, what is forwarded, what is dropped, and the changes that lose nothing.

# The way to the inner networks 10.1.9.0/24 (namespace `lan`, behind one) and 10.2.0.1: forwarded packets have no Ethernet header.
packet_lan() {
  ns_add lan
  ip link set dev simnic2 netns one && ip link set dev simnic3 netns lan
  ip -n one address add 10.1.9.1/24 dev simnic2
  ip -n one address add fd01:9::1/64 dev simnic2
  ip -n lan address add 10.1.9.2/24 dev simnic3
  ip -n lan address add fd01:9::2/64 dev simnic3
  ip -n one link set simnic2 up
  ip -n lan link set simnic3 up
  ip -n lan route add 10.2.0.1 via 10.1.9.1
  ip -n lan -6 route add fd02::1 via fd01:9::1
  ip -n two route replace 10.1.9.0/24 via 10.0.0.1 dev simnic1 src 10.2.0.1
  ip -n two -6 route replace fd01:9::/64 via fd00::1 dev simnic1 src fd02::1
  # As in packet_neighbours: what two sends itself is resolved by its inner destination.
  local mac
  mac=$(ip -n one -br link show dev simnic0 | awk '{ print $3 }')
  ip -n two neighbour replace 10.1.9.2 lladdr "$mac" dev simnic1 nud permanent
  ip -n two neighbour replace fd01:9::2 lladdr "$mac" dev simnic1 nud permanent
}

# packet_lan_sas HOW1 HOW2 FAMILY: as `hosts`, with the network behind one in the selectors.
packet_lan_sas() {
  local family=$3 near=10.1.9.0/24 far=10.2.0.1/32 device
  [ "$family" = 4 ] || { near=fd01:9::/64 far=fd02::1/128; }
  hosts "$1" "$2" "$family" tunnel aes128gcm16
  packet_lan_policies one 1 "$1" simnic0 "$near" "$far" "$family"
  packet_lan_policies two 2 "$2" simnic1 "$far" "$near" "$family"
}

packet_lan_policies() {
  local name=$1 side=$2 device="" near=$5 far=$6 here there direction
  [ "$3" != packet ] || device=$4
  net_outer "$7" "$side" && here=$REPLY
  net_outer "$7" $((3 - side)) && there=$REPLY
  {
    xfrm_policy_line out "$near" "$far" "$here" "$there" tunnel 1 "$device"
    for direction in in fwd; do xfrm_policy_line $direction "$far" "$near" "$there" "$here" tunnel 1 "$device"; done
  } | ip -n "$name" -batch - || wrong "policies of $name"
}

# packet_ping NS ADDRESS WORD [OPTION...]: pings; WORD is in what ping says.
packet_ping() {
  local name=$1 address=$2 word=$3 said
  shift 3
  said=$(ns "$name" ping -n -c 2 -i 0.2 -W 1 "$@" "$address" 2>&1)
  [[ $said == *"$word"* ]] || wrong "ping $* $address: no '$word' in ${said//$'\n'/ | }"
}

packet_forwarded() {
  local family far src fits
  for family in 4 6; do
    cell "forwarded, ipv$family tunnel packet-packet"
    far=10.2.0.1 src=10.1.9.2 fits=1390
    [ $family = 4 ] || { far=fd02::1 src=fd01:9::2 fits=1370; }
    packet_lan_sas packet packet $family
    measure
    packet_ping lan $far " 0% packet loss"
    packet_ping lan $far " 0% packet loss" -s 1300
    packet_ping two $src " 0% packet loss" -I "$far"
    measured
    flow 0x1001 1 packet packet
    flow 0x2001 2 packet packet
    no_errors
    end_cell
    cell "forwarded, too big, ipv$family: the sender is told"
    packet_ping lan $far "mtu" -M "do" -s 1440
    packet_ping lan $far " 0% packet loss" -s $fits -M "do"
    end_cell
  done
  # The kernel asks for room before the NIC sees the packet, and fragments nothing for it: known, counted, and why MTU matters.
  cell "forwarded, too big, DF clear: dropped by the stack, counted"
  packet_lan_sas packet packet 4
  ns lan ip route flush cache
  xfrm_error one XfrmOutError
  local before=$REPLY
  packet_ping lan 10.2.0.1 "100% packet loss" -M dont -s 1440
  xfrm_error one XfrmOutError
  must "XfrmOutError" "$REPLY" -eq $((before + 2))
  errors_expected
  end_cell
}

packet_oversized() {
  cell "sent from here, too big: DF set is refused, DF clear dropped and counted"
  hosts packet packet 4 tunnel aes128gcm16
  packet_ping one 10.2.0.1 " 0% packet loss" -I 10.1.0.1 -M "do" -s 1418
  packet_ping one 10.2.0.1 "message too long, mtu=1446" -I 10.1.0.1 -M "do" -s 1419
  xfrm_error one XfrmOutError
  local before=$REPLY
  packet_ping one 10.2.0.1 "100% packet loss" -I 10.1.0.1 -M dont -s 1419
  xfrm_error one XfrmOutError
  must "XfrmOutError" "$REPLY" -eq $((before + 2))
  errors_expected
  end_cell
  cell "IPv6 tunnel, too big: in fragments, each in hardware"
  hosts packet packet 6 tunnel aes128gcm16
  measure
  traffic 6 tunnel sizes=1441,3000,8000
  measured
  flow 0x1001 1 packet packet
  no_errors
  end_cell
}

packet_drops() {
  cell "replayed packets: dropped, and in GETSA"
  hosts packet sw 4 tunnel aes128gcm16
  measure
  local sent
  sent=$(python3 "$here/simnic_replay.py" two simnic1 again ping -n -c 3 -i 0.2 -I 10.2.0.1 10.1.0.1)
  measured
  must "sent again" "$sent" -eq 3
  must "rx_packet_replay" "${one[rx_packet_replay]}" -eq 3
  must "hw_rx_packets" "${one[hw_rx_packets]}" -eq 3
  [[ $(ip -n one -s xfrm state list) == *"replay 3 failed"* ]] || wrong "GETSA has no replay 3"
  end_cell
  cell "in the clear where ESP is wanted: dropped by the NIC"
  measure
  python3 "$here/simnic_replay.py" two simnic1 plain 10.2.0.1 10.1.0.1 >/dev/null
  measured
  must "rx_packet_plain" "${one[rx_packet_plain]}" -eq 1
  end_cell
  cell "decrypted, but of another reqid than the policy's: dropped"
  ip -n one xfrm policy flush
  {
    xfrm_policy_line out 10.1.0.1/32 10.2.0.1/32 10.0.0.1 10.0.0.2 tunnel 1 simnic0
    xfrm_policy_line in 10.2.0.1/32 10.1.0.1/32 10.0.0.2 10.0.0.1 tunnel 7 simnic0
  } | ip -n one -batch -
  measure
  packet_ping two 10.1.0.1 "100% packet loss" -I 10.2.0.1
  measured
  must "rx_packet_policy" "${one[rx_packet_policy]}" -eq 2
  end_cell
  cell "corrupted ICVs: dropped, and in GETSA"
  hosts packet packet 4 transport aes128gcm16
  simnic_knob simnic1 fault corrupt_icv=1
  measure
  packet_ping two 10.0.0.1 "100% packet loss"
  simnic_knob simnic1 fault none
  measured
  must "hw_rx_icv_fail" "${one[hw_rx_icv_fail]}" -eq 2
  [[ $(ip -n one -s xfrm state list) == *"failed 2"* ]] || wrong "GETSA has no failed 2"
  errors_expected
  end_cell
}

packet_larval() {
  local tries=0
  cell "ACQUIRE: a larval SA, of no device's business"
  xfrm_flush one
  ns one ip xfrm monitor acquire >"$work/acquire" 2>&1 &
  local monitor=$!
  sleep 1
  { xfrm_policy_line out 10.1.0.1/32 10.2.0.1/32 10.0.0.1 10.0.0.2 tunnel 1 simnic0; } | ip -n one -batch -
  packet_ping one 10.2.0.1 "100% packet loss" -I 10.1.0.1
  until [ -s "$work/acquire" ] || [ $tries = 20 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill $monitor
  grep -q acquire "$work/acquire" || wrong "no ACQUIRE"
  ns one ip xfrm state | grep -q "spi 0x00000000" || wrong "no larval SA"
  simnic_sas simnic0
  must "SAs in the NIC" "$REPLY" -eq 0
  xfrm_flush one
  errors_expected
  end_cell
}

packet_limits() {
  cell "limits: told from the driver's counts"
  hosts packet packet 4 transport aes128gcm16
  ns one ip xfrm monitor expire >"$work/expire" 2>&1 &
  local monitor=$!
  sleep 1
  ip -n one xfrm state delete src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x1001
  must_do xfrm_sa one out 10.0.0.1 10.0.0.2 0x1001 aes128gcm16 transport packet simnic0 limit packet-soft 2 limit packet-hard 4
  packet_ping one 10.0.0.2 " 0% packet loss"
  sleep 0.5
  grep -q "hard 0" "$work/expire" || wrong "no soft EXPIRE"
  ns one ping -n -c 4 -i 0.2 -W 1 10.0.0.2 >/dev/null
  sleep 0.5
  kill $monitor
  grep -q "hard 1" "$work/expire" || wrong "no hard EXPIRE"
  errors_expected
  end_cell
}

# The kernel drops SAs and policies of a link that goes down; the block policy beneath keeps packets in.
packet_flap() {
  local held
  cell "link down: SAs and policies are gone, and nothing leaves in the clear"
  hosts packet packet 4 tunnel aes128gcm16
  ip -n one xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/24 dir out priority 9000 action block
  mapfile -t held <"$simnic_debugfs/simnic0/policies"
  must "policies held" ${#held[@]} -eq 2
  traffic 4 tunnel ping=2x56
  ip -n one link set simnic0 down
  mapfile -t held <"$simnic_debugfs/simnic0/policies"
  must "policies held after down" ${#held[@]} -eq 0
  simnic_sas simnic0
  must "SAs held after down" "$REPLY" -eq 0
  ip -n one link set simnic0 up
  net_join one simnic0 1 two simnic1
  packet_neighbours
  measure
  packet_ping one 10.2.0.1 "" -I 10.1.0.1
  measured
  must "plain packets at the far end" "${two[rx_packet_plain]}" -eq 0
  xfrm_error one XfrmOutPolBlock
  must "XfrmOutPolBlock" "$REPLY" -gt 0
  errors_expected
  end_cell
}

# packet_new HOW SPI-BASE: a new pair of inbound SAs, then on each side outbound SA and policies.
packet_new() {
  local out=$((0x5000 + $2)) in=$((0x6000 + $2)) how1 how2
  how1=$(offload_words "$1" simnic0)
  how2=$(offload_words "$1" simnic1)
  # shellcheck disable=SC2086
  {
    xfrm_sa two in 10.0.0.1 10.0.0.2 $out aes128gcm16 tunnel $how2
    xfrm_sa one in 10.0.0.2 10.0.0.1 $in aes128gcm16 tunnel $how1
    packet_at_once one "$(xfrm_sa_line out 10.0.0.1 10.0.0.2 $out aes128gcm16 tunnel $how1)" \
      "${how1#packet }" 10.1.0.1/32 10.2.0.1/32 10.0.0.1 10.0.0.2
    packet_at_once two "$(xfrm_sa_line out 10.0.0.2 10.0.0.1 $in aes128gcm16 tunnel $how2)" \
      "${how2#packet }" 10.2.0.1/32 10.1.0.1/32 10.0.0.2 10.0.0.1
  } || wrong "SAs and policies of $1 $2"
}

# packet_at_once NS SA-LINE DEVICE NEAR FAR HERE THERE: all lines in one write, as a line is carried out when it is read.
packet_at_once() {
  local name=$1 sa=$2 device=$3 near=$4 far=$5 here=$6 there=$7 lines
  lines=$(
    xfrm_policy_line out "$near" "$far" "$here" "$there" tunnel 1 "$device"
    xfrm_policy_line in "$far" "$near" "$there" "$here" tunnel 1 "$device"
  )
  ip -n "$name" -batch - <<<"$sa"$'\n'"${lines//policy add/policy update}"
}

packet_old_gone() {
  local out=$1 in=$2 name
  for name in one two; do
    ip -n $name xfrm state delete src 10.0.0.1 dst 10.0.0.2 proto esp spi "$out"
    ip -n $name xfrm state delete src 10.0.0.2 dst 10.0.0.1 proto esp spi "$in"
  done
}

# Under pings. 6.12 puts a software SA in front of packet-mode ones where there is no other software SA in their place of the table
# (XFRM_STATE_INSERT; both directions of a reqid share it), and a policy of the device then finds none. So on the way back packets
# are lost from the first new SA to the last policy. Not so with an SA that nobody uses, in software, there before.
# packet_moves [anchor]
packet_moves() {
  local round how out=0x1001 in=0x2001 sent got lost
  cell "ten moves between software and packet mode, and back, under traffic${1:+, with an anchor}"
  hosts sw sw 4 tunnel aes128gcm16
  if [ -n "${1:-}" ]; then
    xfrm_sa one in 10.0.0.2 10.0.0.1 0x7777 aes128gcm16 tunnel
    xfrm_sa two in 10.0.0.1 10.0.0.2 0x7777 aes128gcm16 tunnel
  fi
  errors_expected
  xfrm_error one XfrmOutNoStates && lost=$REPLY
  xfrm_error two XfrmOutNoStates && lost=$((lost + REPLY))
  measure
  ns one ping -n -q -i 0.05 -c 500 -W 1 -I 10.1.0.1 10.2.0.1 >"$work/moves" 2>&1 &
  for round in 1 2 3 4 5 6 7 8 9 10; do
    how=packet
    [ $((round % 2)) = 1 ] || how=sw
    packet_new $how $round
    sleep 0.2
    packet_old_gone $out $in
    out=$((0x5000 + round)) in=$((0x6000 + round))
  done
  wait $!
  measured
  read -r sent _ _ got _ < <(grep transmitted "$work/moves")
  xfrm_error one XfrmOutNoStates && lost=$((REPLY - lost))
  xfrm_error two XfrmOutNoStates && lost=$((lost + REPLY))
  must "lost, without a state" $((sent - got)) -eq "$lost"
  if [ -n "${1:-}" ]; then must "lost" "$lost" -eq 0; fi
  must "packets in hardware" "${one[hw_tx_packets]}" -gt 50
  must "packets in software" "${one[sw_tx_esp]}" -gt 50
  fact "$got of $sent, $lost without a state"
  simnic_sas simnic0
  must "SAs in the NIC" "$REPLY" -eq 0
  errors_expected
  end_cell
}

packet_ways() {
  packet_oversized
  packet_drops
  packet_larval
  packet_limits
  packet_flap
  packet_moves
  packet_moves anchor
  packet_lan
  packet_forwarded
}
