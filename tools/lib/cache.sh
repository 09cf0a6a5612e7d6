# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The cache outside the tree, and private apt roots in it: packages are fetched and unpacked there, never installed. Sourced.
# Needs debian.sh.

cache_dir() { echo "${ESPGATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/espgate}"; }

# cache_locked NAME COMMAND...: one at a time, also across processes. `fetch` is the name for all that uses apt.
cache_locked() {
  local name=$1 fd
  shift
  mkdir -p "$(cache_dir)/locks"
  exec {fd}>"$(cache_dir)/locks/$name"
  flock "$fd"
  "$@" {fd}>&-
  local status=$?
  exec {fd}>&-
  return $status
}

# private_apt RELEASE STATUS TOOL ARGUMENT...: an apt tool with sources RELEASE and RELEASE-backports of this machine's mirror,
# that takes the dpkg status file STATUS for what is installed.
private_apt() {
  local release=$1 status=$2 tool=$3 root mirror
  shift 3
  root=$(cache_dir)/apt/$release
  if [ ! -f "$root/sources.list" ]; then
    mirror=$(debian_mirror)
    [ -n "$mirror" ] || { echo "tools/lab: no Debian mirror is configured for apt here" >&2; return 1; }
    mkdir -p "$root/state/lists/partial" "$root/cache/archives/partial"
    : >"$root/none"
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
      "$mirror" "$release" "$mirror" "$release-backports" >"$root/sources.list"
  fi
  [ "$status" != none ] || status=$root/none
  "$tool" -o Dir::State="$root/state" -o Dir::State::status="$status" -o Dir::Cache="$root/cache" \
    -o Dir::Etc::sourcelist="$root/sources.list" -o Dir::Etc::sourceparts=- -o APT::Sandbox::User="$(id -un)" \
    -o Acquire::Languages=none -o APT::Architecture=amd64 -o APT::Architectures=amd64 -q "$@"
}

# private_unpack RELEASE DIR PACKAGE...: fetches the packages (not what they depend on) and unpacks them in DIR.
private_unpack() {
  local release=$1 directory=$2 debs deb
  shift 2
  mkdir -p "$directory"
  debs=$(mktemp -d "$directory/.debs.XXXXXX")
  echo "tools/lab: fetching" "$@" >&2
  (cd "$debs" && private_apt "$release" none apt-get download "$@" >/dev/null) || return 1
  for deb in "$debs"/*.deb; do dpkg -x "$deb" "$directory" || return 1; done
  rm -rf "$debs"
}

# merge_usr DIR: moves bin, sbin, lib, lib64 into usr/, as on the root that the layer is laid upon.
merge_usr() {
  local part
  for part in bin sbin lib lib64; do
    [ -d "$1/$part" ] || continue
    mkdir -p "$1/usr/$part"
    cp -a --remove-destination "$1/$part/." "$1/usr/$part/"
    rm -rf "${1:?}/$part"
  done
}
