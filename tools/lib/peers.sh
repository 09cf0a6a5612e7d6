# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Programs for the guest alone: the stock peers that espgate is tried against, and tools newer than the host's. Installed on
# the host, the peers' maintainer scripts would start daemons; here they are only unpacked, into a layer of the guest's root.
# Sourced; needs debian.sh, cache.sh.

# One set a line: the two peers' packages do not go together, so each set is fetched for itself.
peer_sets="charon-systemd strongswan-swanctl libstrongswan-standard-plugins libcharon-extra-plugins
libreswan libnss3-tools"
# `ip xfrm ... offload packet` and the state's direction are understood from here on.
peer_iproute2=6.13
# Wanted by the packages' scripts only, which do not run here.
peer_ignored="udev tpm-udev adduser debconf"

# peers_wanted: the sets as apt's command line wants them.
peers_wanted() {
  echo "$peer_sets"
  debian_has iproute2 "$peer_iproute2" || echo "iproute2/$(debian_codename)-backports"
}

# peers_fetch DIR PACKAGE...: fetches the packages and what they depend on, so far as this machine lacks it.
peers_fetch() {
  local release status=/var/lib/dpkg/status debs=$1
  shift
  release=$(debian_codename)
  set -- -y --no-install-recommends --download-only -o Debug::NoLocking=true -o Dir::Cache::archives="$debs" install "$@"
  mkdir -p "$debs/partial"
  # The package lists may be older than the archive: the second try is with new ones.
  private_apt "$release" "$status" apt-get "$@" >"$debs/log" 2>&1 && return 0
  private_apt "$release" "$status" apt-get update >/dev/null || return 1
  private_apt "$release" "$status" apt-get "$@" >"$debs/log" 2>&1 || { cat "$debs/log" >&2; return 1; }
}

peers_make() {
  local layer=$1 work deb packages
  [ ! -e "$layer" ] || return 0
  mkdir -p "${layer%/*}"
  work=$(mktemp -d "${layer%/*}/making.XXXXXX")
  # shellcheck disable=SC2046
  echo "tools/lab: fetching for the guest:" $(peers_wanted) >&2
  while read -r packages; do
    # shellcheck disable=SC2086
    peers_fetch "$work/debs" $packages || return 1
  done < <(peers_wanted)
  mkdir "$work/layer"
  for deb in "$work/debs"/*.deb; do
    case " $peer_ignored " in *" $(dpkg-deb -f "$deb" Package) "*) continue ;; esac
    dpkg -x "$deb" "$work/layer" || return 1
  done
  merge_usr "$work/layer"
  rm -rf "$work/layer/usr/share"/{doc,man,lintian,locale}
  mv "$work/layer" "$layer"
  rm -rf "$work"
}

# peers_layer: prints the layer. Made anew only when the list here or the host's packages change.
peers_layer() {
  local layer
  layer=$(cache_dir)/peers/$({ peers_wanted; echo "$peer_ignored"; dpkg-query -W; } | sha256sum | cut -c1-16)
  [ -e "$layer" ] || cache_locked fetch peers_make "$layer" || return 1
  echo "$layer"
}
