# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The loader without a daemon, by espgate-ledger-test (tests/lab/tool). Sourced; needs net.sh and a function `wrong`.

bpffs=/run/bpf
ledger_tool=${ESPGATE_LEDGER_TOOL:-espgate-ledger-test}

# ledger_start serve|serve-inexact: the loader; ledger_stop ends it as kill -9 would.
ledger_start() {
  local pipes
  pipes=$(mktemp -d)
  mkfifo "$pipes/in" "$pipes/out"
  "$ledger_tool" $bpffs "$1" <"$pipes/in" >"$pipes/out" &
  ledger_pid=$!
  disown
  exec {ledger_in}>"$pipes/in" {ledger_out}<"$pipes/out"
  rm -r "$pipes"
  until [[ $REPLY = ready* ]]; do
    read -r -t 60 REPLY <&"$ledger_out" || { echo "ledger: the loader said: $REPLY" >&2; return 1; }
    echo "   $REPLY"
  done
}

ledger_stop() {
  kill -9 "$ledger_pid"
  exec {ledger_in}>&- {ledger_out}<&-
  net_wait 10 eval "! kill -0 $ledger_pid 2>/dev/null"
}

# ledger COMMAND...: one command of the tool.
ledger() {
  echo "$*" >&"$ledger_in"
  REPLY=missing
  while [[ $REPLY = missing* ]]; do read -r -t 20 REPLY <&"$ledger_out" || REPLY="no answer"; done
  [ "$REPLY" = ok ] || wrong "$*: $REPLY"
}
