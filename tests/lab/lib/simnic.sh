# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034,SC2154,SC2004,SC2015 # arrays filled by reference
# The emulated NIC's counters and knobs for lab scenarios. Sourced. See tests/simnic/README.md. Devices go by the name they
# were created with, in whichever namespace they are.

simnic_debugfs=/sys/kernel/debug/simnic

# simnic_load PAIRS: simnic0-simnic1, simnic2-simnic3, ...
simnic_load() {
  mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug || return 1
  modprobe simnic pairs="$1"
}

# simnic_knob DEVICE KNOB [VALUE]: reads (into REPLY) or sets suites, modes, slots, esn, fault.
simnic_knob() {
  if [ $# = 2 ]; then read -r REPLY <"$simnic_debugfs/$1/$2"; else echo "$3" >"$simnic_debugfs/$1/$2"; fi
}

# simnic_read ARRAY DEVICE: all counters, as `ethtool -S` shows them.
simnic_read() {
  local -n simnic_into=$1
  local name value
  while read -r name value; do simnic_into[$name]=$value; done <"$simnic_debugfs/$2/stats"
}

# simnic_delta ARRAY BEFORE AFTER: their difference.
simnic_delta() {
  local -n simnic_difference=$1 simnic_before=$2 simnic_after=$3
  local name
  for name in "${!simnic_after[@]}"; do
    simnic_difference[$name]=$((simnic_after[$name] - ${simnic_before[$name]:-0}))
  done
}

# simnic_sa DEVICE in|out SPI: REPLY is "packets bytes" that the device did for the SA, or empty if it has no such SA.
simnic_sa() {
  local dir word spi rest
  REPLY=""
  while read -r dir word spi rest; do
    [ "$dir" = "$2" ] && [ $((spi)) = $(($3)) ] || continue
    rest=${rest##*packets }
    REPLY=${rest/bytes /}
  done <"$simnic_debugfs/$1/sas"
}

# simnic_sas DEVICE: REPLY is how many SAs it holds.
simnic_sas() {
  local -a lines
  mapfile -t lines <"$simnic_debugfs/$1/sas"
  REPLY=${#lines[@]}
}
