#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The package as a new user has it, in a clean Debian root under systemd: package.sh [bookworm|trixie]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
release=${1:-bookworm}
tools/setup package
for part in debian cache root; do
  # shellcheck disable=SC1090
  . "tools/lib/$part.sh"
done
tools/package
exec tools/lab run --timeout 500 --init systemd --root "$(root_directory "$release")" -- sh tests/lab/package_inside.sh build/release/packages
