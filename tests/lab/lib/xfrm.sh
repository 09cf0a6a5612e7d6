# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034,SC2154,SC2004,SC2015 # arrays filled by reference
# SAs and policies by `ip xfrm` for lab scenarios, and their counters. Sourced; needs net.sh and iproute2 >= 6.10.

# xfrm_key OCTETS SEED: REPLY is a key, the same for the same SEED (a number). For tests only.
xfrm_key() {
  local state=$(($2 * 2654435761 + 12345)) word
  REPLY=0x
  while [ ${#REPLY} -lt $((2 + 2 * $1)) ]; do
    state=$(((state * 1103515245 + 12345) & 0xffffffff))
    printf -v word %08x $state
    REPLY+=$word
  done
  REPLY=${REPLY:0:$((2 + 2 * $1))}
}

# xfrm_suite SUITE SEED: REPLY is the algorithm arguments of `ip xfrm state add`.
xfrm_suite() {
  local aead="aead rfc4106(gcm(aes))" key
  case "$1" in
    aes128gcm16) xfrm_key 20 "$2"; REPLY="$aead $REPLY 128" ;;
    aes192gcm16) xfrm_key 28 "$2"; REPLY="$aead $REPLY 128" ;;
    aes256gcm16) xfrm_key 36 "$2"; REPLY="$aead $REPLY 128" ;;
    aes128gcm12) xfrm_key 20 "$2"; REPLY="$aead $REPLY 96" ;;
    chacha20poly1305) xfrm_key 36 "$2"; REPLY="aead rfc7539esp(chacha20,poly1305) $REPLY 128" ;;
    aes256-sha256)
      xfrm_key 32 "$2"
      key=$REPLY
      xfrm_key 32 "$(($2 + 1))"
      REPLY="enc cbc(aes) $key auth-trunc hmac(sha256) $REPLY 128"
      ;;
    ah-sha256) xfrm_key 32 "$2"; REPLY="auth-trunc hmac(sha256) $REPLY 128" ;;
    *) echo "xfrm_suite: unknown suite $1" >&2; return 1 ;;
  esac
}

# xfrm_proto SUITE: REPLY is the protocol that it is for.
xfrm_proto() { REPLY=esp; [[ $1 != ah-* ]] || REPLY=ah; }

# xfrm_sa_line in|out SRC DST SPI SUITE MODE [OPTION...]: prints one line for `ip -batch`. Options: esn, dev DEVICE
# (crypto offload), packet DEVICE (packet offload), encap (ESP in UDP, port 4500), reqid N, window N, replay-[o]seq[-hi] N (each for its own direction), and flags as `ip` takes them.
xfrm_sa_line() {
  local dir=$1 src=$2 dst=$3 spi=$4 suite=$5 mode=$6 flags="" device="" offload=crypto reqid=1 window=128 rest="" proto
  shift 6
  while [ $# -gt 0 ]; do
    case "$1" in
      esn) flags="flag esn" ;;
      dev) device=$2; shift ;;
      packet) device=$2 offload=packet; shift ;;
      reqid) reqid=$2; shift ;;
      window) window=$2; shift ;;
      encap) rest+=" encap espinudp 4500 4500 0.0.0.0" ;;
      replay-seq | replay-seq-hi) [ "$dir" = out ] || rest+=" $1 $2"; shift ;;
      replay-oseq | replay-oseq-hi) [ "$dir" = in ] || rest+=" $1 $2"; shift ;;
      *) rest+=" $1" ;;
    esac
    shift
  done
  [ "$dir" = in ] || window=0
  xfrm_proto "$suite" && proto=$REPLY
  xfrm_suite "$suite" "$spi" || return 1
  echo "xfrm state add src $src dst $dst proto $proto spi $spi reqid $reqid mode $mode replay-window $window $flags$rest" \
    "$REPLY dir $dir ${device:+offload $offload dev $device dir $dir}"
}

# xfrm_sa NS in|out SRC DST SPI SUITE MODE [OPTION...]: adds one; what the kernel says is on stderr.
xfrm_sa() {
  local name=$1
  shift
  # shellcheck disable=SC2046
  ip -n "$name" $(xfrm_sa_line "$@")
}

# xfrm_policy_line out|in|fwd SRC DST OUTER-SRC OUTER-DST MODE [REQID [DEVICE [PROTOCOL]]]: with DEVICE it is offloaded, but for fwd.
xfrm_policy_line() {
  local offload=""
  [ -z "${8:-}" ] || [ "$1" = fwd ] || offload=" offload packet dev $8"
  echo "xfrm policy add src $2 dst $3$offload dir $1 tmpl src $4 dst $5 proto ${9:-esp} reqid ${7:-1} mode $6"
}

# xfrm_host_lines SIDE FAMILY MODE SUITE SPI-OUT SPI-IN [OPTION...]: both SAs and the policies of one of net.sh's two hosts.
xfrm_host_lines() {
  local side=$1 family=$2 mode=$3 suite=$4 spi_out=$5 spi_in=$6 far=$((3 - $1)) here there bits near beyond direction device="" proto
  shift 6
  [[ " $* " != *" packet "* ]] || { device="$*"; device=${device#*packet }; device=${device%% *}; }
  xfrm_proto "$suite" && proto=$REPLY
  net_bits "$family" && bits=$REPLY
  net_outer "$family" "$side" && here=$REPLY
  net_outer "$family" $far && there=$REPLY
  xfrm_sa_line out "$here" "$there" "$spi_out" "$suite" "$mode" "$@"
  xfrm_sa_line in "$there" "$here" "$spi_in" "$suite" "$mode" "$@"
  near=$here beyond=$there
  if [ "$mode" = tunnel ]; then
    net_inner "$family" "$side" && near=$REPLY
    net_inner "$family" $far && beyond=$REPLY
  fi
  xfrm_policy_line out "$near/$bits" "$beyond/$bits" "$here" "$there" "$mode" 1 "$device" "$proto"
  for direction in in fwd; do
    xfrm_policy_line $direction "$beyond/$bits" "$near/$bits" "$there" "$here" "$mode" 1 "$device" "$proto"
  done
}

# xfrm_host NS SIDE FAMILY MODE SUITE SPI-OUT SPI-IN [OPTION...]: what was there before is flushed.
xfrm_host() {
  local name=$1
  shift
  { echo "xfrm policy flush"; echo "xfrm state flush"; xfrm_host_lines "$@"; } | ip -n "$name" -batch -
}

# xfrm_flush NS...: no SA and no policy left.
xfrm_flush() {
  local name
  for name in "$@"; do printf 'xfrm policy flush\nxfrm state flush\n' | ip -n "$name" -batch -; done
}

# xfrm_read ARRAY NS: what GETSA says of all SAs, as ARRAY[SPI.packets], [SPI.bytes], [SPI.oseq] (low half), [SPI.offload]
# (crypto, packet or none: what the kernel made of the request) and [count]; SPI as 0x and 8 digits.
xfrm_read() {
  local -n xfrm_into=$1
  local line spi="" lifetime="" count=0
  xfrm_into=()
  while IFS= read -r line; do
    case $line in
      *"proto "*" spi 0x"*) spi=${line#* spi }; spi=${spi%%(*}; xfrm_into[$spi.offload]=none; count=$((count + 1)) ;;
      *"offload parameters:"*) xfrm_into[$spi.offload]=${line##*mode } xfrm_into[$spi.offload]=${xfrm_into[$spi.offload]%% *} ;;
      *oseq\ 0x*) line=${line##*oseq }; xfrm_into[$spi.oseq]=$((${line%%[, ]*})) ;;
      *"lifetime current"*) lifetime=next ;;
      *"(bytes)"*"(packets)"*)
        [ -n "$lifetime" ] || continue
        line=${line#"${line%%[![:space:]]*}"}
        xfrm_into[$spi.bytes]=${line%%(*}
        line=${line#*, }
        xfrm_into[$spi.packets]=${line%%(*}
        lifetime=""
        ;;
    esac
  done < <(ip -n "$2" -s xfrm state list)
  xfrm_into[count]=$count
}

# xfrm_errors NS: REPLY is the counters of /proc/net/xfrm_stat that are not zero, on one line.
xfrm_errors() {
  local name value all=""
  while read -r name value; do [ "$value" = 0 ] || all+="$name=$value "; done <"/proc/${ns_pid[$1]}/net/xfrm_stat"
  REPLY=$all
}

# xfrm_error NS NAME: REPLY is one of them.
xfrm_error() {
  local name value
  REPLY=0
  while read -r name value; do [ "$name" != "$2" ] || REPLY=$value; done <"/proc/${ns_pid[$1]}/net/xfrm_stat"
}
