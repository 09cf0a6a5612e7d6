#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The alert rules, with promtool: they are well-formed, and each fires when it should.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
for part in debian cache observers; do
  # shellcheck disable=SC1090
  . "tools/lib/$part.sh"
done
promtool=$(observers_directory)/promtool
"$promtool" check rules packaging/prometheus/espgate.rules.yml
"$promtool" test rules packaging/prometheus/espgate.rules.test.yml
