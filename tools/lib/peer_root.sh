# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Roots of other Debian releases with the strongSwan and OpenSSL of that release in them, for tests that run a charon in one by
# chroot, without a virtual machine. Kept in the cache. Sourced; needs debian.sh, cache.sh.

peer_root_packages="charon-systemd,strongswan-swanctl,libstrongswan-standard-plugins,libcharon-extra-plugins,iproute2"

peer_root_make() {
  local release=$1 directory=$2 work
  [ ! -e "$directory" ] || return 0
  mkdir -p "${directory%/*}"
  work=$(mktemp -d "${directory%/*}/making.XXXXXX")
  echo "making a root of Debian $release with strongSwan" >&2
  # A mirror that stands still is as good as another here.
  mmdebstrap --quiet --variant=minbase --include="$peer_root_packages" --aptopt='Acquire::Languages "none"' \
    --aptopt='Acquire::Check-Valid-Until "false"' --dpkgopt='path-exclude=/usr/share/locale/*' "$release" "$work/root" \
    "$(debian_mirror)" >&2 || return 1
  mv "$work/root" "$directory"
  rm -rf "$work"
}

# peer_root RELEASE: prints where that root is.
peer_root() {
  local directory
  directory=$(cache_dir)/peer-roots/$1-$(sha256sum <<<"$peer_root_packages" | cut -c1-8)
  [ -e "$directory" ] || cache_locked peer-root peer_root_make "$1" "$directory" || return 1
  echo "$directory"
}
