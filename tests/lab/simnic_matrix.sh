# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # arrays of simnic_cell.sh
# The oracle's matrix: {hardware, software} x {hardware, software}, families, modes, keys, ESN, sizes, segmentation.

# One cell: payloads up to the tunnel's MTU, then beyond it. What does not fit is fragmented: in front of ESP in IPv6 tunnels,
# behind it elsewhere, where the stack must encrypt by itself and the NIC must leave the fragments alone.
matrix_cell() {
  local how1=$1 how2=$2 family=$3 mode=$4 suite=$5 esn=$6 sizes=$7
  cell "$how1-$how2 ipv$family $mode $suite${esn:+ esn}"
  # shellcheck disable=SC2086
  hosts "$how1" "$how2" "$family" "$mode" "$suite" $esn
  measure
  traffic "$family" "$mode" "$sizes" tcp=200000 ping=3x56
  measured
  held "$how1" sad1
  held "$how2" sad2
  flow 0x1001 1 "$how1" "$how2"
  flow 0x2001 2 "$how2" "$how1"
  matrix_oversized "$how1" "$how2" "$family" "$mode"
  no_errors
  end_cell
}

matrix_oversized() {
  local how1=$1 how2=$2 family=$3 mode=$4 before=${sad2[0x00001001.packets]} arrived
  measure
  traffic "$family" "$mode" sizes=1441,1500,3000,8000 ping=2x3000
  measured
  arrived=$((${sad2[0x00001001.packets]} - before))
  must "oversized, sent" $((one[hw_tx_packets] + one[sw_tx_esp])) -eq $arrived
  must "oversized, received" $((two[hw_rx_packets] + two[sw_rx_esp])) -eq $arrived
  if [ "$mode" = transport ] || [ "$family" = 4 ]; then
    must "fragments left to the stack" "${two[sw_rx_esp]}" -gt 0
  elif [ "$how1$how2" = hwhw ]; then
    must "inner fragments in hardware" "${two[hw_rx_packets]}" -gt 0
  fi
}

# matrix_skipped FAMILY MODE SUITE ESN: with `quick`, four of the sixteen combinations stand for all: each value of each
# column, and each pair of family and mode.
matrix_skipped() {
  [ -n "$quick" ] || return 1
  case $1$2$3$4 in
    4tunnelaes128gcm16 | 4transportaes256gcm16esn | 6tunnelaes128gcm16esn | 6transportaes256gcm16) return 1 ;;
  esac
}

part_matrix() {
  local how1 how2 family mode suite esn sizes
  for how1 in hw sw; do
    for how2 in hw sw; do
      for family in 4 6; do
        for mode in tunnel transport; do
          for suite in aes128gcm16 aes256gcm16; do
            for esn in "" esn; do
              matrix_skipped $family $mode $suite "$esn" && continue
              sizes=sweep
              [ "$how1$how2$suite$esn" != hwswaes128gcm16 ] || sizes=every
              matrix_cell $how1 $how2 $family $mode $suite "$esn" $sizes
            done
          done
        done
      done
    done
  done
}

# gso_set ESP-SEGMENTATION BATCHES GRO: on or off, on both devices. TCP batches whatever the features say, unless a batch
# has one segment.
gso_set() {
  local segments=65535
  [ "$2" = on ] || segments=1
  ns one ethtool -K simnic0 tx-esp-segmentation "$1" gro "$3" >/dev/null
  ns two ethtool -K simnic1 tx-esp-segmentation "$1" gro "$3" >/dev/null
  ip -n one link set dev simnic0 gso_max_segs $segments
  ip -n two link set dev simnic1 gso_max_segs $segments
}

# A bulk flow. Batches: `nic` segments in the device, `stack` in front of it, `no` there are none.
gso_cell() {
  local how1=$1 how2=$2 family=$3 mode=$4 batches=$5 gro=$6 esp=off gso=on sent received all merged all0 merged0
  cell "$how1-$how2 ipv$family $mode batches=$batches gro=$gro"
  case $batches in nic) esp=on ;; no) gso=off ;; esac
  gso_set $esp $gso "$gro"
  hosts "$how1" "$how2" "$family" "$mode" aes128gcm16 esn
  net_gro two "$family"
  read -r all0 merged0 <<<"$REPLY"
  measure
  traffic "$family" "$mode" tcp=2000000
  measured
  net_gro two "$family"
  read -r all merged <<<"$REPLY"
  flow 0x1001 1 "$how1" "$how2"
  flow 0x2001 2 "$how2" "$how1"
  # Outbound, GETSA counts a batch that is left to the device once; that is how to see that there were any.
  sent=${sad1[0x00001001.packets]} received=${sad2[0x00001001.packets]}
  if [ "$batches" != no ] && [ "$how1" = hw ]; then
    must "GSO seen (GETSA out against in)" $((sent * 2)) -lt "$received"
  elif [ "$batches" = no ]; then
    must "no GSO (GETSA out against in)" "$sent" -eq "$received"
  fi
  if [ "$batches$how1" = nichw ]; then must "batches in the NIC" "${one[tx_esp_batches]}" -gt 0; else
    must "batches in the NIC" "${one[tx_esp_batches]}" -eq 0; fi
  all=$((all - all0)) merged=$((merged - merged0))
  # Packets that come one by one leave GRO nothing to merge.
  if [ "$gro" = on ] && [ "$batches" != no ]; then must "GRO seen (on the wire $all)" $((merged * 3)) -lt $((all * 2)); fi
  fact "out GETSA $sent, GRO $all to $merged"
  no_errors
  end_cell
}

part_gso() {
  local family mode batches gro how
  for family in 4 6; do
    for mode in tunnel transport; do
      [ -n "$quick" ] && [ $family$mode != 4tunnel ] && [ $family$mode != 6transport ] && continue
      for batches in nic stack no; do
        for gro in on off; do gso_cell hw hw $family $mode $batches $gro; done
      done
      for how in "hw sw" "sw hw"; do
        # shellcheck disable=SC2086
        for batches in nic stack; do gso_cell $how $family $mode $batches on; done
      done
    done
  done
  gso_set on on on
  gso_jumbo
}

# 9,000-octet frames, the whole way.
gso_jumbo() {
  cell "hw-hw ipv4 tunnel, MTU 9000"
  ip -n one link set simnic0 mtu 9000
  ip -n two link set simnic1 mtu 9000
  hosts hw hw 4 tunnel aes256gcm16
  measure
  traffic 4 tunnel sizes=1400,4000,8000,8900 tcp=4000000
  measured
  flow 0x1001 1 hw hw
  flow 0x2001 2 hw hw
  must "octets a packet" $((one[hw_tx_bytes] / one[hw_tx_packets])) -gt 6000
  no_errors
  end_cell
  ip -n one link set simnic0 mtu 1500
  ip -n two link set simnic1 mtu 1500
}

# ESN around 2^32: single packets and batches; the last 100 numbers of the first half, then beyond.
# A batch across 2^32 is segmented and encrypted by the stack, which then gives number 0xffffffff the high half of the next
# (esp_xmit raises xo->seq.hi before it uses it): its ICV is wrong at any receiver, and TCP sends it again. Seen with
# software on both sides, so it is not the NIC's; where the NIC encrypts that packet, there is no such loss.
esn_cell() {
  local how1=$1 how2=$2 family=$3 batches=$4 packets lost
  cell "$how1-$how2 ipv$family tunnel esn across 2^32 batches=$batches"
  gso_set "$([ "$batches" = nic ] && echo on || echo off)" "$([ "$batches" = no ] && echo off || echo on)" on
  hosts "$how1" "$how2" "$family" tunnel aes128gcm16 esn \
    replay-seq 0xffffff9b replay-seq-hi 6 replay-oseq 0xffffff9b replay-oseq-hi 6
  measure
  traffic "$family" tunnel tcp=400000 sizes=10,1400 tcp=400000
  measured
  packets=${sad2[0x00001001.packets]}
  must "packets received" "$packets" -gt 300
  lost=$((one[hw_tx_packets] + one[sw_tx_esp] - packets))
  if [ "$batches" = no ] || [ "$how1$batches" = hwstack ]; then must "lost" $lost -eq 0; else
    must "lost" $lost -ge 0
    must "lost" $lost -le 1
  fi
  must "received" $((two[hw_rx_packets] + two[hw_rx_icv_fail] + two[sw_rx_esp])) -eq $((packets + lost))
  must "last sequence number" "${sad1[0x00001001.oseq]}" -eq $((packets + lost - 101))
  must "wrong ICVs found by hardware" "${two[hw_rx_icv_fail]}" -eq "$([ "$how2" = hw ] && echo $lost || echo 0)"
  fact "$packets received, $lost lost by the stack at 2^32"
  errors_expected
  end_cell
}

part_esn() {
  local how batches
  for how in "hw hw" "hw sw" "sw hw" "sw sw"; do
    # shellcheck disable=SC2086
    for batches in nic stack no; do esn_cell $how 4 $batches; done
  done
  esn_cell hw hw 6 nic
  gso_set on on on
}
