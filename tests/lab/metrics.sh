#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The metrics in the lab, with Debian's Prometheus and node_exporter: fetched here, where there is a network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
for part in debian cache observers; do
  # shellcheck disable=SC1090
  . "tools/lib/$part.sh"
done
ESPGATE_OBSERVERS=$(observers_directory)
export ESPGATE_OBSERVERS
exec tools/lab run --timeout 400 -- python3 tests/lab/metrics.py
