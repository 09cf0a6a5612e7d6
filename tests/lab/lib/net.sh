# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Namespaces and wires for lab scenarios. Sourced, in the lab only: it makes namespaces and addresses at will.
# A process costs a quarter of a second in an emulated machine, so what is read often is read without one, and many functions
# here and in xfrm.sh leave their answer in REPLY or in an array.
#
# Two hosts joined by one wire, side 1 and side 2:
#   outer  10.0.0.1/24 fd00::1/64   --- wire ---   10.0.0.2/24 fd00::2/64
#   inner  10.1.0.1/32 fd01::1/128                 10.2.0.1/32 fd02::1/128   (on lo, behind the tunnel)

# ns NAME COMMAND...: runs in the namespace. Not `ip netns exec`, which hides debugfs and bpffs under a new /sys.
ns() {
  local name=$1
  shift
  nsenter --net="/run/netns/$name" -- "$@"
}

# A sleeping process of each namespace: through its /proc/PID/net, files are read without another process.
declare -A ns_pid

# ns_add NAME...: namespaces with lo up, no duplicate address detection and forwarding on.
ns_add() {
  local name
  for name in "$@"; do
    ip netns add "$name" || return 1
    nsenter --net="/run/netns/$name" -- sleep infinity >/dev/null 2>&1 &
    ns_pid[$name]=$!
    disown
    ip -n "$name" link set lo up
    ns "$name" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
      net.ipv6.conf.all.keep_addr_on_down=1 net.ipv6.conf.default.keep_addr_on_down=1 \
      net.ipv6.conf.default.router_solicitations=0 net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  done
}

# ns_delete NAME...
ns_delete() {
  local name
  for name in "$@"; do
    kill "${ns_pid[$name]}"
    unset "ns_pid[$name]"
    ip netns delete "$name"
  done
}

# net_outer FAMILY SIDE, net_inner FAMILY SIDE, net_bits FAMILY: addresses and host prefix length, in REPLY; FAMILY is 4 or 6.
net_outer() { if [ "$1" = 4 ]; then REPLY=10.0.0.$2; else REPLY=fd00::$2; fi; }
net_inner() { if [ "$1" = 4 ]; then REPLY=10.$2.0.1; else REPLY=fd0$2::1; fi; }
net_bits() { if [ "$1" = 4 ]; then REPLY=32; else REPLY=128; fi; }

# net_two_hosts NS1 DEV1 NS2 DEV2: moves the ends of a wire there and gives them addresses, fixed neighbours
# (no ARP or ND among the packets a test counts) and routes to each other's inner address.
net_two_hosts() {
  ip link set dev "$2" netns "$1" && ip link set dev "$4" netns "$3" &&
    net_addresses "$1" "$2" 1 && net_addresses "$3" "$4" 2 &&
    net_join "$1" "$2" 1 "$3" "$4" && net_join "$3" "$4" 2 "$1" "$2"
}

# net_addresses NS DEV SIDE
net_addresses() {
  local family bits
  {
    for family in 4 6; do
      net_bits $family && bits=$REPLY
      net_outer $family "$3"
      echo "address add $REPLY/$((bits == 32 ? 24 : 64)) dev $2"
      net_inner $family "$3"
      echo "address replace $REPLY/$bits dev lo"
    done
    echo "link set dev $2 up"
  } | ip -n "$1" -batch -
}

# net_join NS DEV SIDE FAR-NS FAR-DEV: neighbours and routes of one side; again after its link was down.
net_join() {
  local family far=$((3 - $3)) mac near bits there
  mac=$(ip -n "$4" -br link show dev "$5" | awk '{ print $3 }')
  for family in 4 6; do
    net_bits $family && bits=$REPLY
    net_outer $family $far && there=$REPLY
    net_inner $family "$3" && near=$REPLY
    net_inner $family $far
    ip -n "$1" neighbour replace "$there" lladdr "$mac" dev "$2" nud permanent &&
      ip -n "$1" "-$family" route replace "$REPLY/$bits" via "$there" dev "$2" src "$near" || return 1
  done
}

# net_wait SECONDS COMMAND...: until COMMAND succeeds; fails after SECONDS.
net_wait() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.1
  done
}

# net_gro NS FAMILY: REPLY is "packets merged", the IP packets the stack received: on the wire, and after GRO merged them.
net_gro() {
  local all=0 merged=0 line name value i
  local -a names values
  if [ "$2" = 6 ]; then
    while read -r name value; do
      case $name in
        Ip6InReceives) merged=$value ;;
        Ip6InNoECTPkts | Ip6InECT0Pkts | Ip6InECT1Pkts | Ip6InCEPkts) all=$((all + value)) ;;
      esac
    done <"/proc/${ns_pid[$1]}/net/snmp6"
  else
    while read -r name line; do
      case $name in Ip: | IpExt:) ;; *) continue ;; esac
      read -ra names <<<"$line"
      read -r name line
      read -ra values <<<"$line"
      for i in "${!names[@]}"; do
        case $name${names[i]} in
          Ip:InReceives) merged=${values[i]} ;;
          IpExt:InNoECTPkts | IpExt:InECT0Pkts | IpExt:InECT1Pkts | IpExt:InCEPkts) all=$((all + values[i])) ;;
        esac
      done
    done < <(cat "/proc/${ns_pid[$1]}/net/snmp" "/proc/${ns_pid[$1]}/net/netstat")
  fi
  REPLY="$all $merged"
}
