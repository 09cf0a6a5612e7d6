# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Clean Debian roots for the lab (tools/lab run --root), made by mmdebstrap and kept in the cache. Sourced; needs debian.sh, cache.sh.

# What a machine with systemd has, and what the package and its tests call for.
root_packages="systemd systemd-sysv dbus procps iproute2 iputils-ping kmod udev libmnl0 libssl3 libelf1 zlib1g libsystemd0
  strongswan-swanctl prometheus-node-exporter ca-certificates"

root_make() {
  local release=$1 directory=$2 work
  [ ! -e "$directory" ] || return 0
  mkdir -p "${directory%/*}"
  work=$(mktemp -d "${directory%/*}/making.XXXXXX")
  echo "tools/lab: making a clean root of Debian $release" >&2
  # shellcheck disable=SC2086
  mmdebstrap --quiet --variant=minbase --include="$(echo $root_packages | tr ' ' ',')" --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$release" "$work/root" "$(debian_mirror)" >&2 || return 1
  # charon is not wanted here, only its swanctl; nothing starts by itself in the lab.
  rm -f "$work/root/etc/machine-id"
  : >"$work/root/etc/machine-id"
  mv "$work/root" "$directory"
  rm -rf "$work"
}

# root_directory RELEASE: prints where that root is.
root_directory() {
  local directory
  directory=$(cache_dir)/roots/$1-$(sha256sum <<<"$root_packages" | cut -c1-8)
  [ -e "$directory" ] || cache_locked root root_make "$1" "$directory" || return 1
  echo "$directory"
}
