#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The commands of docs/steering.md, with a file and a number where it has words for them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Ten SAs, of which the first sends most.
for t in 0 10 20 30; do for sa in 0 1 2 3 4 5 6 7 8 9; do echo "$t,$sa,$((1000000 / (sa + 1)))"; done; done >"$scratch/trace"
# doc COMMAND
doc() {
  local line=${1/FILE/$scratch/trace}
  line=${line/--slots N/--slots 4}
  echo "\$ $line"
  bash -c "$line" || { echo "status $?: $1"; exit 1; }
}
doc 'tools/steer-sim --trace FILE --slots N --json' | tee "$scratch/out"
tail -n +2 "$scratch/out" | python3 -c 'import json, sys; json.load(sys.stdin)'
doc 'tools/steer-sim --generate storm --alpha 1.2 --sas 100000 --slots 1000 --rounds 600'
doc 'tools/steer-sim --bench'
