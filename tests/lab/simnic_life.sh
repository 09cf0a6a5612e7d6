# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # arrays of simnic_cell.sh
# The oracle's comings and goings: link down, rename, namespaces deleted, rekey under load, the module unloaded with live SAs.

life_link_down() {
  cell "link down: the kernel drops the SAs; carrier follows the peer"
  hosts hw hw 4 tunnel aes128gcm16
  simnic_sas simnic0
  must "held" "$REPLY" -eq 2
  ip -n one link set simnic0 down
  simnic_sas simnic0
  must "held after down" "$REPLY" -eq 0
  must_say "SAs after down" "$(ip -n one xfrm state count | tr -dc 0-9)" 0
  must_say "carrier of the peer" "$(ns two ethtool simnic1 | awk '/Link detected/ { print $3 }')" no
  ip -n one link set simnic0 up
  net_join one simnic0 1 two simnic1
  must_say "carrier again" "$(ns two ethtool simnic1 | awk '/Link detected/ { print $3 }')" yes
  hosts hw hw 4 tunnel aes128gcm16
  traffic 4 tunnel ping=3x56
  no_errors
  end_cell
}

life_rename() {
  cell "renamed: debugfs keeps the name"
  ip -n one link set simnic0 down
  ip -n one link set simnic0 name nic0
  ip -n one link set nic0 up
  net_join one nic0 1 two simnic1
  xfrm_flush one
  must_do xfrm_sa one out 10.0.0.1 10.0.0.2 0x1001 aes128gcm16 tunnel dev nic0
  simnic_sas simnic0
  must "held" "$REPLY" -eq 1
  ip -n one link set nic0 down
  ip -n one link set nic0 name simnic0
  ip -n one link set simnic0 up
  net_join one simnic0 1 two simnic1
  end_cell
}

# New SAs beside the old ones, old ones deleted at once, 20 times under a bulk flow: nothing lost or left.
life_rekey() {
  local round spi
  cell "20 rekeys under a bulk flow"
  hosts hw hw 4 tunnel aes128gcm16
  measure
  traffic_start 4 tunnel tcp=6000000
  for ((round = 1; round <= 20; round++)); do
    spi=$((0x4000 + round))
    xfrm_sa two in 10.0.0.1 10.0.0.2 $spi aes128gcm16 tunnel dev simnic1 || wrong "inbound of round $round"
    xfrm_sa one out 10.0.0.1 10.0.0.2 $spi aes128gcm16 tunnel dev simnic0 || wrong "outbound of round $round"
    ip -n one xfrm state delete src 10.0.0.1 dst 10.0.0.2 proto esp spi $((round == 1 ? 0x1001 : spi - 1)) ||
      wrong "old outbound of round $round"
    sleep 0.05
    ip -n two xfrm state delete src 10.0.0.1 dst 10.0.0.2 proto esp spi $((round == 1 ? 0x1001 : spi - 1)) ||
      wrong "old inbound of round $round"
  done
  traffic_end
  measured
  must "encrypted without an SA" "${one[tx_no_sa]}" -eq 0
  must "all decrypted" "${two[hw_rx_packets]}" -eq "${one[hw_tx_packets]}"
  fact "${one[hw_tx_packets]} packets"
  no_errors
  end_cell
}

life_namespace_gone() {
  cell "a namespace deleted with SAs: the device comes home"
  ip netns add third
  ip link set simnic2 netns third
  ip -n third address add 10.9.0.1/24 dev simnic2
  ip -n third link set simnic2 up
  must_do xfrm_sa third out 10.9.0.1 10.9.0.2 0x51 aes128gcm16 tunnel dev simnic2
  must_do xfrm_sa third in 10.9.0.2 10.9.0.1 0x52 aes128gcm16 tunnel dev simnic2
  simnic_sas simnic2
  must "held" "$REPLY" -eq 2
  ip netns delete third
  net_wait 10 ip link show simnic2 >/dev/null 2>&1 || wrong "simnic2 is not back"
  simnic_sas simnic2
  must "held after" "$REPLY" -eq 0
  end_cell
}

# Unloaded with SAs held and a flow under way, then loaded again: the kernel's complaints are looked for at the end.
# At least 500 packets since `measure`.
life_flows() {
  simnic_read end1 simnic0
  [ $((end1[hw_tx_packets] - start1[hw_tx_packets])) -gt 500 ]
}

life_unload() {
  local server load
  cell "unloaded under load with live SAs, loaded again"
  hosts hw hw 4 tunnel aes128gcm16
  # Not by ns(): a function's process is a shell around the program, and the program has to go.
  nsenter --net=/run/netns/two -- timeout 60 iperf3 -s -1 -B 10.2.0.1 >/dev/null 2>&1 &
  server=$!
  # Port 5201, state LISTEN.
  net_wait 20 grep -q ':1451 .* 0A ' "/proc/${ns_pid[two]}/net/tcp" || wrong "no iperf3 server"
  nsenter --net=/run/netns/one -- timeout 60 iperf3 -c 10.2.0.1 -B 10.1.0.1 -t 50 >/dev/null 2>&1 &
  load=$!
  measure
  net_wait 20 life_flows
  measured
  must "under load" "${one[hw_tx_packets]}" -gt 500
  must_do rmmod simnic
  kill $load $server
  wait $load $server 2>/dev/null
  must_say "SAs left" "$(ip -n one xfrm state count | tr -dc 0-9)" 0
  [ ! -e "$simnic_debugfs" ] || wrong "debugfs left"
  must_do simnic_load 2
  must_do net_two_hosts one simnic0 two simnic1
  # The flow's ends would go on retransmitting into the next cells.
  ns one ss -K dst 10.2.0.1 >/dev/null
  ns two ss -K dst 10.1.0.1 >/dev/null
  hosts hw hw 6 tunnel aes256gcm16 esn
  traffic 6 tunnel ping=3x56
  errors_expected
  end_cell
}

part_life() {
  life_link_down
  life_rename
  life_rekey
  life_namespace_gone
  life_unload
}
