# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Prometheus, its promtool and node_exporter, for tests: unpacked in the cache, never installed (their maintainer scripts would
# start daemons). Sourced; needs debian.sh, cache.sh.

observer_packages="prometheus prometheus-node-exporter"

observers_make() {
  local directory=$1 work
  [ ! -e "$directory" ] || return 0
  mkdir -p "${directory%/*}"
  work=$(mktemp -d "${directory%/*}/making.XXXXXX")
  # The package lists may be older than the archive, or not there yet: the second try is with new ones.
  # shellcheck disable=SC2086
  if ! private_unpack "$(debian_codename)" "$work/root" $observer_packages; then
    rm -rf "$work/root"
    private_apt "$(debian_codename)" none apt-get update >/dev/null || return 1
    # shellcheck disable=SC2086
    private_unpack "$(debian_codename)" "$work/root" $observer_packages || return 1
  fi
  rm -rf "$work/root/usr/share"/{doc,man,lintian}
  mv "$work/root" "$directory"
  rm -rf "$work"
}

# observers_directory: prints where their usr/bin is.
observers_directory() {
  local directory
  directory=$(cache_dir)/observers/$(sha256sum <<<"$(debian_codename) $observer_packages" | cut -c1-8)
  [ -e "$directory" ] || cache_locked fetch observers_make "$directory" || return 1
  echo "$directory/usr/bin"
}

# observers_page: prints where what Prometheus' own page is made of is unpacked, to be laid over a root.
observers_page() {
  local directory packages="prometheus fonts-glyphicons-halflings libjs-bootstrap4 libjs-eonasdan-bootstrap-datetimepicker libjs-jquery
    libjs-jquery-hotkeys libjs-moment libjs-moment-timezone libjs-mustache libjs-popper.js libjs-rickshaw libjs-d3 libjs-bootstrap libjs-jquery-ui"
  directory=$(cache_dir)/observers/page-$(sha256sum <<<"$(debian_codename) $packages" | cut -c1-8)
  # shellcheck disable=SC2086
  [ -e "$directory" ] || { cache_locked fetch private_unpack "$(debian_codename)" "$directory.making" $packages && mv "$directory.making" "$directory"; } || return 1
  echo "$directory"
}
