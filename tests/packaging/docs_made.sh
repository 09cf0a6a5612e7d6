#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is made from a table, and what names the table's rows, agrees with it. docs_made.sh DOCGEN ESPGATED
set -euo pipefail
export LC_ALL=C.UTF-8
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
docgen=$1 espgated=$2
failed=0
fail() { echo "docs_made: $*" >&2; failed=1; }

diff -u docs/configuration.md <("$docgen" configuration.md) >&2 ||
  fail "docs/configuration.md is not what the key table says: $docgen configuration.md > docs/configuration.md"

# Metrics: the names in the code and the rows of the page.
diff <(grep -oE '"espgate_[a-z_]+"' control/report/prometheus.cc | tr -d '"' | sort -u) \
     <(sed -n 's/^| `\(espgate_[a-z_]*\)`.*/\1/p' docs/metrics.md | sort -u) >&2 || fail "docs/metrics.md and control/report/prometheus.cc differ (< code, > page)"
for name in $(grep -ohE 'espgate_[a-z_]+' packaging/prometheus/*.yml packaging/grafana/espgate.json | sort -u); do
  grep -q "\"$name\"" control/report/prometheus.cc || fail "a rule or the dashboard asks for $name, which there is not"
done

# espgated(8) by hand: every option, and no other.
diff <("$espgated" --help | grep -aoE -- '--[a-z-]+' | sort -u) \
     <(sed 's/\\-/-/g' packaging/man/espgated.8 | grep -aoE -- '--[a-z-]+' | sort -u | grep -v -- '--uri') >&2 ||
  fail "packaging/man/espgated.8 and espgated --help differ (< program, > page)"

# Every page and both completions are well-formed.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for page in espgate.8 espgate.conf.5 bash zsh; do "$docgen" "$page" >"$scratch/$page"; done
cp packaging/man/espgated.8 "$scratch"
if command -v man >/dev/null; then
  for page in espgate.8 espgate.conf.5 espgated.8; do
    said=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=120 man --warnings -E UTF-8 -l -Tutf8 -Z "$scratch/$page" 2>&1 >/dev/null) || true
    [ -z "$said" ] || fail "man $page: $said"
  done
fi
bash -n "$scratch/bash" || fail "bash cannot read its completion"
# What it offers, by asking it as bash does.
offers() { # WORD...: the last one is being typed
  # shellcheck disable=SC1091
  (. "$scratch/bash"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _espgate; echo "${COMPREPLY[*]}")
}
[ "$(offers espgate conn re)" = "rekey reload" ] || fail "completion of 'conn re': $(offers espgate conn re)"
[[ " $(offers espgate '') " == *" support-bundle "* ]] || fail "completion of nothing: $(offers espgate '')"
[ "$(offers espgate -j sa show k)" = kernel ] || fail "completion of 'sa show k': $(offers espgate -j sa show k)"
[ "$(offers espgate --color al)" = always ] || fail "completion of '--color al'"
exit $failed
