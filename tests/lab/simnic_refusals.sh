# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # arrays of simnic_cell.sh
# The oracle's refusals: what the NIC does not take, in which words; slots; and a foreign device beside it.

# refused NAME WORDS COMMAND...: fails, with these words, and leaves nothing in the SAD; the NIC has counted it.
refused() {
  local name=$1 words=$2 said before after
  shift 2
  cell "refused: $name"
  simnic_read end1 simnic0 && before=${end1[refused]}
  if said=$("$@" 2>&1); then wrong "was taken"; fi
  [[ $said == *"$words"* ]] || wrong "said '$said'"
  must_say "SAs" "$(ip -n one xfrm state count | tr -dc 0-9)" 0
  simnic_read end1 simnic0 && after=${end1[refused]}
  must "counted" "$after" -eq $((before + ${refused_count:-1}))
  fact "${said//$'\n'/ }"
  end_cell
  ip -n one xfrm state flush
}

try_sa() {
  local suite=$1
  shift
  xfrm_sa one out 10.0.0.1 10.0.0.2 0x1001 "$suite" tunnel "$@"
}

# raw WORDS...: an SA that xfrm_sa has no word for.
try_raw() { ip -n one xfrm state add src 10.0.0.1 dst 10.0.0.2 spi 0x1001 "$@" offload dev simnic0 dir out; }

refusals_by_suite() {
  refused "CBC with HMAC" "Cannot offload authenticated xfrm states" try_sa aes256-sha256 dev simnic0
  refused "ChaCha20-Poly1305" "Only AES-GCM" try_sa chacha20poly1305 dev simnic0
  refused "192-bit key" "key length other than 128/256bit" try_sa aes192gcm16 dev simnic0
  refused "12-octet ICV" "ICV length other than 128bit" try_sa aes128gcm12 dev simnic0
  simnic_knob simnic0 suites aes128gcm16
  refused "256-bit key on a 128-bit NIC" "key length other than 128bit" try_sa aes256gcm16 dev simnic0
  simnic_knob simnic0 suites none
  refused "no suite" "disabled" try_sa aes128gcm16 dev simnic0
  simnic_knob simnic0 suites "aes128gcm16 aes256gcm16"
}

refusals_by_kind() {
  local key
  xfrm_key 20 1 && key=$REPLY
  simnic_knob simnic0 esn 0
  refused "ESN where it is off" "Device doesn't support offload with ESN" try_sa aes128gcm16 esn dev simnic0
  simnic_knob simnic0 esn 1
  simnic_knob simnic0 modes none
  refused "crypto mode where it is off" "Crypto offload mode is not supported" try_sa aes128gcm16 dev simnic0
  simnic_knob simnic0 modes crypto
  refused "packet mode" "Packet offload mode is not supported" ip -n one xfrm state add src 10.0.0.1 dst 10.0.0.2 \
    proto esp spi 0x1001 reqid 1 mode tunnel aead 'rfc4106(gcm(aes))' "$key" 128 dir out \
    offload packet dev simnic0 dir out
  refused "ESP in UDP" "Encapsulated" try_raw proto esp mode tunnel reqid 1 aead 'rfc4106(gcm(aes))' \
    "$key" 128 encap espinudp 4500 4500 0.0.0.0
  refused_count=0 # these the stack refuses by itself, without asking the NIC
  refused "AH" "Type doesn't support offload" try_raw proto ah mode transport auth 'hmac(sha256)' "${key}112233445566778899aabbcc"
  refused_count=1
}

refusals_injected() {
  simnic_knob simnic0 fault add_errno=5
  refused "injected EIO" "Device command failed (injected)" try_sa aes128gcm16 dev simnic0
  cell "accept_silent: taken, and silently software"
  simnic_knob simnic0 fault accept_silent
  must_do try_sa aes128gcm16 dev simnic0
  xfrm_read sad1 one
  must_say "readback" "${sad1[0x00001001.offload]:-}" none
  simnic_sas simnic0
  must "held by the NIC" "$REPLY" -eq 0
  end_cell
  ip -n one xfrm state flush
  cell "add_errno=28,after=2"
  simnic_knob simnic0 fault add_errno=28,after=2
  many 2 out || wrong "the first two were refused"
  if many 1 out 3; then wrong "the third was taken"; fi
  end_cell
  simnic_knob simnic0 fault none
  ip -n one xfrm state flush
}

# many COUNT in|out [FIRST]: so many SAs on simnic0.
many() {
  local spi first=${3:-1} src=10.0.0.1 dst=10.0.0.2
  [ "$2" = out ] || { src=10.0.0.2 dst=10.0.0.1; }
  for ((spi = first; spi < first + $1; spi++)); do
    xfrm_sa_line "$2" $src $dst $((0x3000 + spi)) aes128gcm16 tunnel dev simnic0
  done | ip -n one -batch - >"$work/many" 2>&1
}

holds_none() { simnic_sas simnic0 && [ "$REPLY" = 0 ]; }

refusals_slots() {
  local direction other
  simnic_knob simnic0 slots "tx=5 rx=3"
  for direction in "out Tx 5" "in Rx 3"; do
    # shellcheck disable=SC2086
    set -- $direction
    cell "slots: $1 $3"
    many "$3" "$1" || wrong "within the slots: $(cat "$work/many")"
    if many 1 "$1" 9; then wrong "one more was taken"; fi
    grep -q "No space for SA in $2 table!" "$work/many" || wrong "said $(cat "$work/many")"
    simnic_sas simnic0
    must "held" "$REPLY" -eq "$3"
    other=$([ "$1" = out ] && echo "10.0.0.2" || echo "10.0.0.1")
    must_do ip -n one xfrm state delete dst "$other" proto esp spi $((0x3002))
    many 1 "$1" 9 || wrong "the freed slot is not free: $(cat "$work/many")"
    fact "$(tail -n 1 "$work/many")"
    end_cell
    ip -n one xfrm state flush
    net_wait 5 holds_none || wrong "SAs left"
  done
  simnic_knob simnic0 slots 1024
}

part_refusals() {
  xfrm_flush one two
  refusals_by_suite
  refusals_by_kind
  refusals_injected
  refusals_slots
  cell "ethtool -S: the promised names, and what debugfs says"
  simnic_read end1 simnic0
  said=$(ns one ethtool -S simnic0)
  for name in hw_tx_packets hw_tx_bytes hw_rx_packets hw_rx_bytes sw_tx_esp sw_rx_esp refused; do
    [[ $said == *" $name: ${end1[$name]}"* ]] || wrong "$name is not ${end1[$name]}"
  done
  must "refused" "${end1[refused]}" -gt 10
  end_cell
  cell "knobs refuse nonsense"
  for bad in "suites des" "modes turbo" "slots many" "slots 70000" "esn perhaps" "fault rx_skip=x" "fault frob"; do
    # shellcheck disable=SC2086
    if (simnic_knob simnic0 $bad) 2>/dev/null; then wrong "took $bad"; fi
  done
  simnic_knob simnic0 suites
  must_say "suites" "$REPLY" "aes128gcm16 aes256gcm16"
  simnic_knob simnic0 fault
  must_say "fault" "$REPLY" none
  simnic_knob simnic0 slots
  must_say "slots" "$REPLY" "tx=1024 rx=1024"
  end_cell
}

# netdevsim: another driver's answers to the same questions. It says it takes AES-256, which it does not know.
part_foreign() {
  local device
  cell "netdevsim is there"
  must_do modprobe netdevsim
  echo "7 1" >/sys/bus/netdevsim/new_device || wrong "no device"
  for device in /sys/bus/netdevsim/devices/netdevsim7/net/*; do device=${device##*/}; done
  end_cell
  ip -n one xfrm state flush # what the parts before have left
  ip link set dev "$device" netns one
  ip -n one link set dev "$device" up
  for suite in aes128gcm16 aes256gcm16; do
    cell "netdevsim takes $suite"
    must_do try_sa $suite dev "$device"
    xfrm_read sad1 one
    must_say "readback" "${sad1[0x00001001.offload]:-}" crypto
    end_cell
    ip -n one xfrm state flush
  done
  cell "netdevsim refuses CBC with HMAC"
  if said=$(try_sa aes256-sha256 dev "$device" 2>&1); then wrong "was taken"; fi
  fact "${said//$'\n'/ }"
  end_cell
  echo 7 >/sys/bus/netdevsim/del_device
}
