#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The package as a new user has it, in a clean Debian root under systemd: package.sh [bookworm|trixie] [lab|native]
# lab: with systemd as init of the lab's guest, real ESP and traffic; native: in a container here, with --kernel null, in a minute.
# Made here, where there is a network: the packages, an archive with all that apt wants beside them, and a next version, whose
# espgated writes its records as the version after this one does (espgated-next, ike/record.h).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
release=${1:-bookworm} where=${2:-lab}
build=build/release
tools/setup package
for part in debian cache root; do
  # shellcheck disable=SC1090
  . "tools/lib/$part.sh"
done
tools/package "$build"
package=$(ls "$build"/packages/espgate_*.deb)
root_archive "$release" "$build/packages/$release" "$package" prometheus-node-exporter

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
dpkg-deb -R "$package" "$stage"
install -m 755 "$build/bin/espgated-next" "$stage/usr/sbin/espgated"
strip "$stage/usr/sbin/espgated"
sed -i 's/^Version: .*/Version: 0.1.99-1/' "$stage/DEBIAN/control"
(cd "$stage" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
dpkg-deb --root-owner-group --build "$stage" "$build/packages/next.deb" >/dev/null

root=$(root_directory "$release")
if [ "$where" = native ]; then
  exec tests/lab/package_native.sh "$root" "$build/packages" "$release"
fi
tools/lab run --timeout 2400 --init systemd --root "$root" -- sh tests/lab/package_inside.sh "$build/packages" "$release"
