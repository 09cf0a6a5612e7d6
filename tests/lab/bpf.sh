#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All BPF tests (tests/bpf) on a lab kernel, which takes what not every machine permits: tracing and extension programs. The
# shield's also through libxdp's dispatcher. None may be skipped here. On the host it starts the lab itself: bpf.sh [KERNEL [TEST...]];
# TEST: classes loader upgrade older_kernel shield dispatcher, and dispatched: the shield's through the dispatcher, but for
# spreading, which a dispatcher's program cannot do (docs/shield.md).
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(dirname "$(dirname "$here")")
kernel=${1:-6.12}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- classes shield upgrade loader older_kernel dispatched dispatcher
mountpoint -q /run/bpf 2>/dev/null || { cd "$tree" && exec tools/lab run --kernel "$kernel" --timeout 1800 -- "$here/$(basename "$0")" "$kernel" "$@"; }
tests=$tree/build/release/tests
failed=0
uname -r

# try NAME [VARIABLE=VALUE...]
try() {
  local name=$1 log status=0
  shift
  log=$(env "$@" "$tests/$name" 2>&1) || status=$?
  if [ "$status" = 0 ] && ! grep -q SKIPPED <<<"$log"; then
    echo "$name $*: $(grep -E '^.=+. .* ran' <<<"$log")"
  else
    echo "$log"
    echo "$name $*: status $status"
    failed=$((failed + 1))
  fi
}

for each in "$@"; do
  case $each in
    dispatched) try bpf_shield_test ESPGATE_TEST_DISPATCHER=1 'GTEST_FILTER=-Spread.*' ;;
    *) try "bpf_${each}_test" ;;
  esac
done
if dmesg | grep -E 'WARNING:|BUG:|Oops|Call Trace'; then
  failed=$((failed + 1))
fi
[ "$failed" = 0 ]
