# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A root with the compiler that a kernel was built with, for kernels newer than this machine's release: packages unpacked in
# the cache, never installed. Sourced; needs debian.sh, cache.sh, kernel.sh.

toolchain_packages="gcc-14 make libc6-dev libelf-dev libssl-dev dwarves coreutils findutils grep sed gawk dash bash diffutils"

# toolchain_wanted: whether the kernel's own release has another compiler than the host.
# shellcheck disable=SC2154 # set by kernel_prepare
toolchain_wanted() { [ "$(kernel_release "$kernel_name")" != "$(debian_codename)" ]; }

toolchain_root() { echo "$(cache_dir)/toolchains/$(kernel_release "$kernel_name")-$(sha256sum <<<"$toolchain_packages" | cut -c1-8)"; }

toolchain_fetch() {
  local root=$1 release work deb
  [ ! -e "$root" ] || return 0
  release=$(kernel_release "$kernel_name")
  mkdir -p "${root%/*}"
  work=$(mktemp -d "${root%/*}/making.XXXXXX")
  mkdir -p "$work/debs/partial" "$work/root/usr/"{bin,sbin,lib,lib64} "$work/root/"{dev,proc,tmp}
  for part in bin sbin lib lib64; do ln -s "usr/$part" "$work/root/$part"; done
  echo "tools/lab: fetching a compiler of Debian $release" >&2
  # shellcheck disable=SC2086
  private_apt "$release" none apt-get -y --no-install-recommends --download-only -o Debug::NoLocking=true \
    -o Dir::Cache::archives="$work/debs" install $toolchain_packages >"$work/log" 2>&1 || { cat "$work/log" >&2; return 1; }
  # tar, so that a package's own /lib goes through our link.
  for deb in "$work/debs"/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$work/root" || return 1; done
  ln -sf gcc-14 "$work/root/usr/bin/gcc"
  ln -sf dash "$work/root/usr/bin/sh"
  ln -sf gawk "$work/root/usr/bin/awk"
  rm -rf "$work/root/usr/share"/{doc,man,locale}
  mv "$work/root" "$root"
  rm -rf "$work"
}

# toolchain_inside ROOT CACHE COMMAND...: the command with ROOT for its /, and CACHE where it is outside. The mounts end
# with the command.
toolchain_inside() {
  # shellcheck disable=SC2016 # for the inner shell
  unshare --mount bash -c '
    root=$1 cache=$2; shift 2
    mkdir -p "$root$cache" && mount --bind "$cache" "$root$cache" && mount --bind /dev "$root/dev" &&
      mount -t proc proc "$root/proc" || exit 1
    exec chroot "$root" /usr/bin/env -i PATH=/usr/bin:/usr/sbin LC_ALL=C "$@"' bash "$@"
}

# toolchain_run COMMAND...: the command, with the compiler of the kernel's release; as it is if that is the host's.
toolchain_run() {
  local root
  if ! toolchain_wanted; then "$@"; return; fi
  root=$(toolchain_root)
  [ -e "$root" ] || cache_locked fetch toolchain_fetch "$root" || return 1
  toolchain_inside "$root" "$(cache_dir)" "$@"
}
