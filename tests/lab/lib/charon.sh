# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# strongSwan in the lab: any number of charons, each in a network namespace and a directory of its own. Sourced, in the guest.

# charon_start NETNS DIR [FRAGMENT-SIZE]: starts charon-systemd in NETNS and loads DIR/swanctl.conf. DIR also gets strongswan.conf (kept if
# it is there), charon.log, the socket `vici` and `pid`. Returns 1, with the log shown, if it is not up within 30 s.
charon_start() {
  local netns=$1 dir=$2 fragment_size=${3:-1280} tries=0
  dir=$(realpath "$dir")
  # swanctl complains of those that lack.
  mkdir -p "$dir"/{x509,x509ca,x509ocsp,x509aa,x509ac,x509crl,pubkey,private,rsa,ecdsa,bliss,pkcs8,pkcs12}
  [ -e "$dir/strongswan.conf" ] || cat >"$dir/strongswan.conf" <<CONF
charon-systemd {
  load = random nonce openssl pem pkcs1 pkcs8 x509 pubkey constraints kdf kernel-netlink socket-default vici
  fragment_size = $fragment_size
  plugins {
    vici {
      socket = unix://$dir/vici
    }
  }
  filelog {
    log {
      path = $dir/charon.log
      flush_line = yes
      default = 1
      knl = 2
    }
  }
}
swanctl {
  load = random openssl pem pkcs1 pkcs8 x509 pubkey constraints
}
CONF
  STRONGSWAN_CONF=$dir/strongswan.conf ip netns exec "$netns" charon-systemd >"$dir/charon.out" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  until [ -S "$dir/vici" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 150 ] || ! kill -0 "$(cat "$dir/pid")" 2>/dev/null; then
      echo "charon in $netns did not start:" >&2
      cat "$dir/charon.out" "$dir/charon.log" >&2
      return 1
    fi
    sleep 0.2
  done
  charon_ctl "$dir" --load-all --file "$dir/swanctl.conf"
}

# charon_ctl DIR ARGUMENT...: swanctl, talking to the charon of DIR. The arguments begin with the command.
charon_ctl() {
  local dir=$1
  shift
  STRONGSWAN_CONF=$dir/strongswan.conf SWANCTL_DIR=$dir swanctl "$@" --uri "unix://$dir/vici"
}

# charon_stop DIR: ends it and waits until it has cleaned up after itself.
charon_stop() {
  local pid
  pid=$(cat "$1/pid")
  kill "$pid"
  wait "$pid" || true
}
