# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Debian kernels for the lab, in the cache: image, headers, initramfs, and modules built out of tree. Sourced; needs debian.sh, cache.sh.
#
# $(kernel_dir)/  = <cache>/kernels/<version>/
#   vmlinux       the image, decompressed (booted as it is: the guest need not unpack it)
#   layer/        usr/lib/modules/<version>, a layer of the guest's root
#   build/        usr/src/linux-headers-*, usr/lib/linux-kbuild-*
#   initramfs-H   by the hash of what it is made of
#   modules/N-H   one built module directory, by the hash of its sources
#   sets/H        a layer: the built modules of one run, with their depmod files

# What the guest needs before it has a root.
kernel_boot_modules="virtio_pci virtio_console 9p 9pnet_virtio overlay virtio_rng"

# kernel_release NAME: the Debian release whose backports have that kernel.
kernel_release() {
  case "$1" in
    6.12) debian_codename ;;
    newest) echo trixie ;;
    *) echo "tools/lab: unknown kernel '$1'; one of 6.12, newest" >&2; return 1 ;;
  esac
}

# kernel_pick NAME: the version (as uname -r says it) that the archive has now.
kernel_pick() {
  local pattern
  case "$1" in
    6.12) pattern='^linux-headers-6\.12\.[0-9+a-z.]*-amd64$' ;;
    newest) pattern='^linux-headers-[0-9][0-9+a-z.]*-amd64$' ;;
  esac
  # An image without its headers is of no use: choose by the headers.
  private_apt "$(kernel_release "$1")" none apt-cache --names-only search "$pattern" |
    awk '{ sub(/^linux-headers-/, "", $1); print $1 }' | sort -V | tail -n 1
}

# kernel_image_packages RELEASE VERSION: the image, and since 7.x the packages of that version that it is divided into.
kernel_image_packages() {
  echo "linux-image-$2"
  private_apt "$1" none apt-cache depends "linux-image-$2" | awk '$1 == "Depends:" && /linux-(base|binary|modules)-[0-9]/ { print $2 }'
}

# kernel_extract VMLINUZ VMLINUX: what a bzImage carries, whichever compression it was made with.
kernel_extract() {
  python3 - "$1" "$2" <<'PY'
import subprocess, sys
data = open(sys.argv[1], "rb").read()
for magic, tool in ((b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"\x1f\x8b\x08", "gzip"), (b"\x02\x21\x4c\x18", "lz4")):
    at = data.find(magic)
    while at >= 0:
        # The tools complain of what follows the stream, so the result tells, not the status.
        image = subprocess.run([tool, "-dc"], input=data[at:], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        if image.startswith(b"\x7fELF"):
            open(sys.argv[2], "wb").write(image)
            sys.exit(0)
        at = data.find(magic, at + 1)
sys.exit("tools/lab: no kernel found in " + sys.argv[1])
PY
}

# kernel_relocate DIR VERSION: the headers' makefiles name /usr/src; let them name DIR.
kernel_relocate() {
  local headers=$1/usr/src/linux-headers-$2
  sed -i "s|\([ =]\)/usr/src/|\1$1/usr/src/|" "$headers/Makefile"
  # The headers ask for the compiler that Debian built with; any that builds is good enough for a lab.
  local compiler
  compiler=$(sed -n 's/^CC *=.*(CROSS_COMPILE)//p' "$headers/.kernelvariables")
  command -v "x86_64-linux-gnu-$compiler" >/dev/null || toolchain_wanted || sed -i "s|\$(CROSS_COMPILE)$compiler|gcc|" "$headers/.kernelvariables"
}

kernel_fetch() {
  local name=$1 release version base work packages vmlinuz
  base=$(cache_dir)/kernels
  [ ! -e "$base/$name/complete" ] || return 0
  release=$(kernel_release "$name") || return 1
  echo "tools/lab: asking Debian $release for its kernels" >&2
  private_apt "$release" none apt-get update >/dev/null || return 1
  version=$(kernel_pick "$name")
  [ -n "$version" ] || { echo "tools/lab: Debian $release has no kernel $name" >&2; return 1; }
  if [ ! -e "$base/$version/complete" ]; then
    work=$base/$version
    rm -rf "$work"
    mkdir -p "$work"
    mapfile -t packages < <(kernel_image_packages "$release" "$version")
    private_unpack "$release" "$work/layer" "${packages[@]}" || return 1
    merge_usr "$work/layer"
    vmlinuz=$(find "$work/layer" -type f -name 'vmlinuz*' | head -n 1)
    kernel_extract "${vmlinuz:-vmlinuz of $version}" "$work/vmlinux" || return 1
    rm -rf "$vmlinuz" "$work/layer/boot" "$work/layer/usr/share"
    rm -f "$work/layer/usr/lib/modules/$version/"{build,source}
    private_unpack "$release" "$work/build" "linux-headers-$version" "linux-headers-${version%-amd64}-common" \
      "linux-kbuild-${version%-amd64}" || return 1
    kernel_relocate "$work/build" "$version"
    ln -s usr "$work/layer/.usr" && ln -s usr/lib "$work/layer/lib"
    depmod -b "$work/layer" "$version" || return 1
    rm "$work/layer/.usr" "$work/layer/lib"
    echo "$version" >"$work/version"
    touch "$work/complete"
  fi
  ln -sfn "$version" "$base/$name"
}

# kernel_prepare NAME: sees to it that the kernel 6.12 or newest is in the cache; sets kernel_name for the functions below.
kernel_prepare() {
  kernel_name=$1
  kernel_release "$1" >/dev/null || return 1
  [ -e "$(cache_dir)/kernels/$1/complete" ] || cache_locked fetch kernel_fetch "$1"
}

# One kernel under one path, whether asked for by name or by version.
kernel_dir() { realpath "$(cache_dir)/kernels/$kernel_name"; }
kernel_version() { cat "$(kernel_dir)/version"; }
kernel_image() { echo "$(kernel_dir)/vmlinux"; }
kernel_layer() { echo "$(kernel_dir)/layer"; }

# kernel_hash FILE...: of names' order and contents.
kernel_hash() { cat -- "$@" | sha256sum | cut -c1-16; }

kernel_make_initramfs() {
  local init=$1 image=$2 work module number=10
  [ ! -e "$image" ] || return 0
  work=$(mktemp -d)
  chmod 755 "$work"
  mkdir -p "$work/bin" "$work/modules"
  ln "$(command -v busybox)" "$work/bin/busybox" 2>/dev/null || cp "$(command -v busybox)" "$work/bin/busybox"
  ln -s busybox "$work/bin/sh"
  cp "$init" "$work/init"
  chmod 755 "$work/init"
  # In the order that they depend on each other, once each.
  # shellcheck disable=SC2086
  kernel_modprobe --show-depends --all $kernel_boot_modules | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
    while read -r module; do
      number=$((number + 1))
      case "$module" in
        *.xz) xz -dc "$module" ;;
        *.zst) zstd -dc "$module" ;;
        *) cat "$module" ;;
      esac >"$work/modules/$number-$(basename "${module%%.ko*}").ko"
    done
  (cd "$work" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >"$image.part"
  rm -rf "$work"
  mv "$image.part" "$image"
}

# kernel_modprobe ARGUMENT...: modprobe, looking into the kernel's layer only.
kernel_modprobe() {
  local root status
  root=$(mktemp -d)
  ln -s "$(kernel_layer)/usr/lib" "$root/lib"
  modprobe --dirname "$root" --set-version "$(kernel_version)" --config /dev/null "$@" | sed "s|$root/lib|$(kernel_layer)/usr/lib|"
  status=${PIPESTATUS[0]}
  rm -rf "$root"
  return "$status"
}

# kernel_initramfs INIT: prints the path of the initramfs whose first process is the script INIT.
kernel_initramfs() {
  local image
  image=$(kernel_dir)/initramfs-$({ cat "$1" "$(command -v busybox)"; echo "$kernel_boot_modules"; } | sha256sum | cut -c1-16)
  [ -e "$image" ] || cache_locked "kernel-$(kernel_version)" kernel_make_initramfs "$1" "$image" || return 1
  echo "$image"
}
