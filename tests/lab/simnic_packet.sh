# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # arrays of simnic_cell.sh
# The oracle's packet mode: the NIC puts headers on and takes them off, holds the policies and keeps the counts.

# A packet that is sent from here through a tunnel is resolved by its inner destination (the stack leaves the outer header to
# the NIC), so that a peer on the same wire must be known by its inner addresses, too.
packet_neighbours() {
  local family side name device far mac
  for family in 4 6; do
    for side in 1 2; do
      if [ $side = 1 ]; then name=one device=simnic0 far=two; else name=two device=simnic1 far=one; fi
      mac=$(ip -n $far -br link show dev "simnic$((2 - side))" | awk '{ print $3 }')
      net_inner $family $((3 - side))
      ip -n $name neighbour replace "$REPLY" lladdr "$mac" dev $device nud permanent
    done
  done
}

packet_modes() {
  simnic_knob simnic0 modes "$1"
  simnic_knob simnic1 modes "$1"
}

packet_cell() {
  local how1=$1 how2=$2 family=$3 mode=$4 suite=$5 esn=$6
  cell "$how1-$how2 ipv$family $mode $suite${esn:+ esn}"
  # shellcheck disable=SC2086
  hosts "$how1" "$how2" "$family" "$mode" "$suite" $esn
  measure
  traffic "$family" "$mode" sweep tcp=300000 both=100000 ping=3x56
  measured
  held "$how1" sad1
  held "$how2" sad2
  flow 0x1001 1 "$how1" "$how2"
  flow 0x2001 2 "$how2" "$how1"
  no_errors
  end_cell
}

# quick: each pair of ways once with each family and mode, suites and ESN in turn.
packet_matrix() {
  local how family mode turn=0 suite esn
  for how in "packet packet" "packet sw" "sw packet" "packet hw"; do
    for family in 4 6; do
      for mode in tunnel transport; do
        turn=$((turn + 1))
        for suite in aes128gcm16 aes256gcm16; do
          for esn in "" esn; do
            [ -z "$quick" ] || [ $((turn % 4)) = $((${#esn} * 2 / 3 + (${#suite} + ${suite:3:1}) % 2)) ] || continue
            # shellcheck disable=SC2086
            packet_cell $how $family $mode $suite "$esn"
          done
        done
      done
    done
  done
}

packet_try() {
  local direction=$1 suite=$2 src=10.0.0.1 dst=10.0.0.2
  shift 2
  [ "$direction" = out ] || { src=10.0.0.2 dst=10.0.0.1; }
  xfrm_sa one "$direction" $src $dst 0x1001 "$suite" tunnel "$@" packet simnic0
}

packet_policy() { ip -n one xfrm policy add "$@"; }

packet_refusals() {
  local inside="src 10.1.0.1/32 dst 10.2.0.1/32" template="tmpl src 10.0.0.1 dst 10.0.0.2 proto esp mode tunnel" key
  xfrm_key 20 1 && key=$REPLY
  refused "packet: CBC with HMAC" "Cannot offload authenticated xfrm states" packet_try out aes256-sha256
  refused "packet: 192-bit key" "key length other than 128/256bit" packet_try out aes192gcm16
  refused "packet: 12-octet ICV" "ICV length other than 128bit" packet_try out aes128gcm12
  refused "packet: reqid 0" "Cannot offload without reqid" packet_try out aes128gcm16 reqid 0
  refused "packet: replay window 100" "Unsupported replay window size" packet_try in aes128gcm16 window 100
  refused "packet: no replay window" "Unsupported replay window size" packet_try in aes128gcm16 window 0
  refused "packet: limits" "Hard byte limit must be greater than soft one" packet_try out aes128gcm16 limit byte-soft 9 limit byte-hard 8
  simnic_knob simnic0 esn 0
  refused "packet: ESN where it is off" "Device doesn't support offload with ESN" packet_try out aes128gcm16 esn
  simnic_knob simnic0 esn 1
  refused "packet: ESP in UDP" "Encapsulated" packet_try out aes128gcm16 encap
  refused "packet: an upper protocol" "upper protocol other than TCP/UDP" packet_try out aes128gcm16 sel proto icmp
  refused_count=0 # by the stack itself
  refused "packet: TFC padding" "TFC padding can't be offloaded" packet_try out aes128gcm16 tfcpad 64
  refused_count=1
  simnic_knob simnic0 slots "tx=0 rx=0"
  refused "packet: no slot" "No space for SA in Tx table!" packet_try out aes128gcm16
  simnic_knob simnic0 slots 1024
  # shellcheck disable=SC2086
  {
    refused "policy: forward" "Cannot offload forward policy" packet_policy $inside offload packet dev simnic0 dir fwd $template reqid 1
    refused "policy: reqid 0" "reqid 0" packet_policy $inside offload packet dev simnic0 dir out $template
    refused "policy: ICMP" "upper protocol other than TCP/UDP" packet_policy $inside proto icmp offload packet dev simnic0 dir out $template reqid 1
    simnic_knob simnic0 modes crypto
    refused "policy: without packet mode" "Packet offload mode is not supported" packet_policy $inside offload packet dev simnic0 dir out $template reqid 1
    refused "packet: without packet mode" "Packet offload mode is not supported" packet_try out aes128gcm16
    simnic_knob simnic0 modes "crypto packet"
  }
  ip -n one xfrm policy flush
}

# The counters of a device since `measure`, by name: drops that have a reason.
packet_dropped() { measured; must "$1 of $2" "$3" -eq "$4"; }

# The changes between software and packet mode alone.
part_moves() {
  packet_modes "crypto packet"
  packet_neighbours
  packet_moves
  packet_moves anchor
  xfrm_flush one two
  packet_modes crypto
}

part_packet() {
  xfrm_flush one two
  packet_modes "crypto packet"
  packet_neighbours
  packet_refusals
  packet_matrix
  packet_ways
  xfrm_flush one two
  packet_modes crypto
}
