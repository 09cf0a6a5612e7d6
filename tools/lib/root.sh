# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Clean Debian roots for the lab (tools/lab run --root), made by mmdebstrap and kept in the cache. Sourced; needs debian.sh, cache.sh.

# What a machine with systemd has that a gateway is to run on; whatever espgate's package wants comes with it, by apt.
root_packages="systemd systemd-sysv dbus procps iproute2 iputils-ping kmod udev ca-certificates curl gpgv"

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

# root_archive RELEASE DIRECTORY DEB PACKAGE...: makes DIRECTORY a flat archive for apt with DEB and all that apt would fetch in that
# clean root for it, for what it recommends and for PACKAGE... (not what those recommend in turn).
root_archive() {
  local release=$1 directory=$2 deb recommended
  deb=$(realpath "$3")
  shift 3
  mkdir -p "$directory/partial"
  directory=$(realpath "$directory")
  recommended=$(dpkg-deb -f "$deb" Recommends | tr -d ',')
  cache_locked fetch private_apt "$release" none apt-get update >/dev/null || return 1
  # shellcheck disable=SC2086
  cache_locked fetch private_apt "$release" "$(root_directory "$release")/var/lib/dpkg/status" apt-get install -y --download-only \
    --no-install-recommends -o Debug::NoLocking=1 -o "Dir::Cache::archives=$directory" "$deb" $recommended "$@" >/dev/null || return 1
  rm -rf "$directory/partial" "$directory/lock"
  cp "$deb" "$directory/"
  (cd "$directory" && dpkg-scanpackages --multiversion . /dev/null 2>/dev/null >Packages)
}
