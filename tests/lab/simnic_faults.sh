# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # arrays of simnic_cell.sh
# The oracle's injected faults, and native XDP: each shows in the counters as what it is, and nowhere else.

# Every third receive is left to the stack, in the middle of a bulk flow: one SA, both ways of decrypting mixed.
fault_skip() {
  local family=$1 mode=$2 packets bytes skipped
  cell "rx_skip=3 ipv$family $mode"
  hosts hw hw "$family" "$mode" aes128gcm16 esn
  simnic_knob simnic1 fault rx_skip=3
  simnic_knob simnic1 fault
  must_say "fault reads back" "$REPLY" rx_skip=3
  measure
  traffic "$family" "$mode" tcp=2000000 sweep
  measured
  simnic_knob simnic1 fault none
  packets=${sad2[0x00001001.packets]} bytes=${sad2[0x00001001.bytes]}
  skipped=${two[sw_rx_esp]}
  must "sent in hardware" "${one[hw_tx_packets]}" -eq "$packets"
  must "octets sent in hardware" "${one[hw_tx_bytes]}" -eq "$bytes"
  must "hardware and software together" $((two[hw_rx_packets] + skipped)) -eq "$packets"
  must "skipped" "${two[fault_rx_skipped]}" -eq "$skipped"
  must "every third" "$skipped" -eq $((packets / 3))
  must "hw" "${two[hw_rx_packets]}" -gt 0
  fact "$packets = ${two[hw_rx_packets]} hw + $skipped sw"
  no_errors
  end_cell
}

fault_late_drop() {
  local packets dropped
  cell "tx_drop=50: lost after the stack has counted"
  hosts hw hw 4 tunnel aes128gcm16
  simnic_knob simnic0 fault tx_drop=50
  measure
  traffic 4 tunnel tcp=2000000
  measured
  simnic_knob simnic0 fault none
  packets=${sad2[0x00001001.packets]}
  dropped=${one[fault_tx_dropped]}
  must "dropped" "$dropped" -gt 20
  must "on the wire" "${one[hw_tx_packets]}" -eq "$packets"
  must "sequence numbers used" "${sad1[0x00001001.oseq]}" -eq $((packets + dropped))
  must "every fiftieth" "$dropped" -eq $(((packets + dropped) / 50))
  fact "$packets arrived, $dropped dropped"
  no_errors
  end_cell
}

# A wrong ICV is found by hardware and by software alike.
fault_icv() {
  local how=$1 packets bad counted
  cell "corrupt_icv=40, receiver $how"
  hosts hw "$how" 6 tunnel aes256gcm16
  simnic_knob simnic0 fault corrupt_icv=40
  xfrm_error two XfrmInStateProtoError && counted=$REPLY
  measure
  traffic 6 tunnel tcp=1000000
  measured
  simnic_knob simnic0 fault none
  packets=${sad2[0x00001001.packets]}
  bad=${one[fault_icv_corrupted]}
  must "corrupted" "$bad" -gt 10
  must "sent" "${one[hw_tx_packets]}" -eq $((packets + bad))
  xfrm_error two XfrmInStateProtoError
  must "XfrmInStateProtoError" $((REPLY - counted)) -eq "$bad"
  if [ "$how" = hw ]; then
    must "found by hardware" "${two[hw_rx_icv_fail]}" -eq "$bad"
    must "opened by hardware" "${two[hw_rx_packets]}" -eq "$packets"
  else
    must "found by hardware" "${two[hw_rx_icv_fail]}" -eq 0
  fi
  fact "$packets good, $bad bad"
  errors_expected
  end_cell
}

fault_drop_all() {
  cell "drop_all: a NIC that takes SAs and loses their packets"
  simnic_knob simnic0 fault drop_all
  hosts hw sw 4 tunnel aes128gcm16
  measure
  traffic 4 tunnel lost=3
  measured
  must "dropped going out" "${one[fault_tx_dropped]}" -eq 3
  must "dropped coming in" "${one[fault_rx_dropped]}" -eq 3
  must "on the wire" "${one[hw_tx_packets]}" -eq 0
  simnic_knob simnic0 fault none
  traffic 4 tunnel ping=3x56
  no_errors
  end_cell
}

# The feature switched off under SAs that are held: they stay, and every packet is software's, until it is on again.
fault_feature_off() {
  cell "esp-hw-offload off under held SAs"
  hosts hw hw 4 tunnel aes128gcm16
  ns one ethtool -K simnic0 esp-hw-offload off >/dev/null
  ns two ethtool -K simnic1 esp-hw-offload off >/dev/null
  measure
  traffic 4 tunnel sweep tcp=300000
  measured
  held hw sad1
  held hw sad2
  must "hardware out" "${one[hw_tx_packets]}" -eq 0
  must "hardware in" "${two[hw_rx_packets]}" -eq 0
  must "software out" "${one[sw_tx_esp]}" -gt 300
  must "software in" "${two[sw_rx_esp]}" -eq "${one[sw_tx_esp]}"
  for device in "one simnic0" "two simnic1"; do
    # shellcheck disable=SC2086
    set -- $device
    ns "$1" ethtool -K "$2" esp-hw-offload on esp-tx-csum-hw-offload on tx-esp-segmentation on >/dev/null
  done
  measure
  traffic 4 tunnel sweep tcp=300000
  measured
  must "hardware out again" "${one[hw_tx_packets]}" -gt 300
  must "software out again" "${one[sw_tx_esp]}" -eq 0
  must "hardware in again" "${two[hw_rx_packets]}" -eq "${one[hw_tx_packets]}"
  no_errors
  end_cell
}

part_faults() {
  local family mode
  for family in 4 6; do
    for mode in tunnel transport; do fault_skip $family $mode; done
  done
  fault_late_drop
  fault_icv hw
  fault_icv sw
  fault_drop_all
  fault_feature_off
}

# xdp_attach SECTION|off
xdp_attach() {
  if [ "$1" = off ]; then ip -n two link set dev simnic1 xdpdrv off; else
    ns two ip link set dev simnic1 xdpdrv obj "$work/simnic_xdp.o" sec "xdp/$1"; fi
}

# A program that drops all but ESP: traffic gets through only if it is in front of the decryption.
xdp_passes() {
  local section=$1 gro=$2 all0 merged0 all merged
  cell "native XDP '$section', GRO $gro"
  ns two ethtool -K simnic1 gro "$gro" >/dev/null
  hosts hw hw 4 tunnel aes128gcm16
  must_do xdp_attach "$section"
  ip -n two link show simnic1 | grep -q 'xdp ' || wrong "not attached natively: $(ip -n two link show simnic1)"
  net_gro two 4
  read -r all0 merged0 <<<"$REPLY"
  measure
  traffic 4 tunnel sweep tcp=1000000
  measured
  net_gro two 4
  read -r all merged <<<"$REPLY"
  xdp_attach off
  flow 0x1001 1 hw hw
  must "passed by the program" "${two[xdp_pass]}" -eq "${two[hw_rx_packets]}"
  all=$((all - all0)) merged=$((merged - merged0))
  [ "$gro" = off ] || must "GRO seen (on the wire $all)" $((merged * 3)) -lt $((all * 2))
  fact "on the wire $all, to the stack $merged"
  no_errors
  ns two ethtool -K simnic1 gro on >/dev/null
  end_cell
}

# A program that lets no ESP through; what the NIC counts as decrypted must stay 0.
xdp_stops() {
  local section=$1 counter=$2
  cell "native XDP '$section'"
  hosts hw hw 4 tunnel aes128gcm16
  must_do xdp_attach "$section"
  measure
  traffic 4 tunnel lost=3
  measured
  xdp_attach off
  must "$counter" "${two[$counter]}" -ge 3
  must "decrypted" "${two[hw_rx_packets]}" -eq 0
  # Sent back, the frame is in front of the sender's own NIC: nobody there has a receiving SA with this SPI.
  [ "$section" != tx ] || must "came back" "${one[sw_rx_esp]}" -eq "${two[$counter]}"
  traffic 4 tunnel ping=2x56
  errors_expected
  end_cell
}

part_xdp() {
  if ! clang-19 -O2 -g -target bpf -I"/usr/include/$(gcc -dumpmachine)" -c "$here/simnic_xdp.bpf.c" -o "$work/simnic_xdp.o"; then
    cell "XDP programs compile"
    wrong "clang-19 failed"
    end_cell
    return
  fi
  xdp_passes esp on
  xdp_passes esp off
  xdp_passes shift on
  xdp_stops drop xdp_drop
  xdp_stops abort xdp_drop
  xdp_stops tx xdp_tx
}
