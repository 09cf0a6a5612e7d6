# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# strongSwan's own vici client for Python, with its tests, out of Debian's source package: no binary package has it. Unpacked in
# the cache, for tests alone. Sourced; needs debian.sh, cache.sh.

vici_client_make() {
  local directory=$1 release work
  [ ! -e "$directory" ] || return 0
  release=$(debian_codename)
  mkdir -p "${directory%/*}"
  work=$(mktemp -d "${directory%/*}/making.XXXXXX")
  private_apt "$release" none true || return 1  # writes the list of sources
  sed -n "s/^deb \(.* $release main\)$/deb-src \1/p" "$(cache_dir)/apt/$release/sources.list" >"$work/sources.list"
  mkdir -p "$work/lists/partial" "$work/package"
  set -- -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::State::lists="$work/lists"
  private_apt "$release" none apt-get "$@" update >"$work/log" 2>&1 &&
    (cd "$work/package" && private_apt "$release" none apt-get "$@" source --download-only strongswan) >>"$work/log" 2>&1 &&
    tar -xf "$(find "$work/package" -name '*.orig.tar.*' ! -name '*.asc')" -C "$work" --wildcards '*/plugins/vici/python/*' >>"$work/log" 2>&1 ||
    { cat "$work/log" >&2; rm -rf "$work"; return 1; }
  mv "$work"/strongswan-*/src/libcharon/plugins/vici/python "$directory"
  rm -rf "$work"
}

# vici_client: prints the folder with the package `vici` and its `test`.
vici_client() {
  local directory
  directory=$(cache_dir)/vici-client/$(debian_codename)
  [ -e "$directory" ] || cache_locked fetch vici_client_make "$directory" || return 1
  echo "$directory"
}
