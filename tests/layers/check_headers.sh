#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every public header compiles on its own, with g++ and with clang++-19. One that a source file of its name includes first
# has been compiled so by the build, and by clang-tidy. Usage: check_headers.sh ROOT BUILD
set -u
root=$1 build=$2
cd "$root" || exit 1
# CMake knows the include paths of the libraries; the compile commands have them all.
flags=$(python3 - "$build/compile_commands.json" <<'PY'
import json, shlex, sys
flags = []
for entry in json.load(open(sys.argv[1])):
    words = shlex.split(entry["command"])
    for i, word in enumerate(words):
        pair = [word, words[i + 1]] if word == "-isystem" else [word]
        if word.startswith(("-I", "-isystem", "-D")) and pair not in flags:
            flags.append(pair)
print(" ".join(shlex.quote(word) for pair in flags for word in pair if "FORTIFY" not in word))
PY
)
export flags
check() {
  local header=$1 compiler
  for compiler in g++ clang++-19; do
    command -v "$compiler" >/dev/null || { echo "$compiler is missing (tools/setup lint)"; return 1; }
    # shellcheck disable=SC2086
    eval "$compiler -std=c++23 -Wall -Wextra -Werror -Wno-deprecated-declarations $flags -x c++ -fsyntax-only -include '$header' /dev/null" || {
      echo "$header: does not compile on its own with $compiler"
      return 1
    }
  done
}
export -f check
alone() {
  local header source
  while read -r header; do
    source=${header%.h}.cc
    [ -e "$source" ] && [ "$(grep -m 1 '^#include' "$source")" = "#include \"$header\"" ] || echo "$header"
  done
}
git ls-files 'base/*.h' 'maps/*.h' 'loader/*.h' 'xfrm/*.h' 'ike/*.h' 'sad/*.h' 'steer/*.h' 'control/*.h' 'gateway/*.h' | alone |
  xargs -P "$(nproc)" -I{} bash -c 'check {}' || exit 1
echo "headers: all compile on their own with both compilers"
