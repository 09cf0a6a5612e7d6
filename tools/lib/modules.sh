# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Modules that Debian does not build, built out of tree against the lab's kernel, in the cache. Sourced; needs kernel.sh, toolchain.sh.
# Keyed by a hash of the sources: what was built once is not built again, and two trees do not disturb each other.

# module_hash DIR: of the names and contents of what a module is built from.
module_hash() {
  (cd "$1" && find . -type f \( -name '*.[chS]' -o -name Makefile -o -name Kbuild \) -print0 | LC_ALL=C sort -z |
    xargs -0 sha256sum | sha256sum | cut -c1-16)
}

module_make() {
  local source=$1 built=$2 work log
  shift 2
  [ ! -e "$built" ] || return 0
  work=$(mktemp -d "$(kernel_dir)/building.XXXXXX")
  log=$work.log
  cp -r "$source/." "$work/"
  echo "tools/lab: building ${built##*/} for $(kernel_version)" >&2
  if ! toolchain_run make -C "$(kernel_headers)" M="$work" -j2 "$@" modules >"$log" 2>&1; then
    sed "s|$work|$source|g" "$log" >&2
    rm -rf "$work" "$log"
    return 1
  fi
  grep -iE 'warning|error' "$log" | sed "s|$work|$source|g" >&2 || true
  mkdir -p "${built%/*}" "$work/result"
  find "$work" -name '*.ko' -exec mv -t "$work/result" {} +
  mv "$work/result" "$built"
  rm -rf "$work" "$log"
}

# kernel_build_module DIR [MAKE-ARGUMENT...]: builds the module in DIR (with its Kbuild or Makefile); prints the directory with the .ko files.
kernel_build_module() {
  local source=$1 built
  shift
  built=$(kernel_dir)/modules/$(basename "$source")-$(module_hash "$source")
  [ -e "$built" ] || cache_locked "module-$(basename "$source")-$(kernel_version)" module_make "$source" "$built" "$@" || return 1
  echo "$built"
}

# kernel_headers: where modules are built against.
kernel_headers() { echo "$(kernel_dir)/build/usr/src/linux-headers-$(kernel_version)"; }

# kernel_source_tree DIR...: fetches directories of the kernel's own source into $(kernel_dir)/source, once.
kernel_source_fetch() {
  local version package work=$1
  shift
  [ ! -e "$work" ] || return 0
  version=$(kernel_version)
  package=linux-source-$(cut -d. -f1,2 <<<"$version")
  rm -rf "$work.part"
  # shellcheck disable=SC2154 # set by kernel_prepare
  private_unpack "$(kernel_release "$kernel_name")" "$work.part/deb" "$package" || return 1
  echo "tools/lab: unpacking $package" >&2
  mkdir "$work.part/tree"
  tar -xf "$work.part/deb/usr/src/$package.tar.xz" -C "$work.part/tree" --strip-components=1 "${@/#/$package/}" || return 1
  mv "$work.part/tree" "$work"
  rm -rf "$work.part"
}

# netdevsim_build: prints the directory with netdevsim.ko.
netdevsim_build() {
  local source
  source=$(kernel_dir)/source
  [ -e "$source" ] || cache_locked fetch kernel_source_fetch "$source" drivers/net/netdevsim || return 1
  kernel_build_module "$source/drivers/net/netdevsim" CONFIG_NETDEVSIM=m
}

module_set_make() {
  local set=$1 work version directory
  shift
  [ ! -e "$set" ] || return 0
  version=$(kernel_version)
  work=$(mktemp -d "$(kernel_dir)/set.XXXXXX")
  chmod 755 "$work"
  directory=$work/usr/lib/modules/$version
  mkdir -p "$directory/updates"
  local built
  for built in "$@"; do cp "$built"/*.ko "$directory/updates/"; done
  # depmod has to see all modules; the layer must carry only ours.
  ln -s "$(kernel_layer)/usr/lib/modules/$version/kernel" "$directory/kernel"
  cp "$(kernel_layer)/usr/lib/modules/$version"/modules.{order,builtin*} "$directory/"
  ln -s usr/lib "$work/lib"
  depmod -b "$work" "$version" || return 1
  rm "$directory/kernel" "$work/lib"
  mkdir -p "${set%/*}"
  mv "$work" "$set"
}

# module_set BUILT-DIR...: prints the layer that adds those modules to the kernel's own.
module_set() {
  local set
  set=$(kernel_dir)/sets/$(printf '%s\n' "$@" | sha256sum | cut -c1-16)
  [ -e "$set" ] || cache_locked "set-$(kernel_version)" module_set_make "$set" "$@" || return 1
  echo "$set"
}
