# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the lab's guest stands on. Sourced; needs kernel.sh, modules.sh, peers.sh.

# lab_modules TREE: prints the directories of those modules that could be built. A lab without one is of use, too: why it is
# missing is said on stderr, and who needs it hears of it from modprobe.
lab_modules() {
  netdevsim_build || echo "tools/lab: netdevsim does not build for $(kernel_version); going on without it" >&2
  [ ! -e "$1/tests/simnic/Kbuild" ] || kernel_build_module "$1/tests/simnic" ||
    echo "tools/lab: tests/simnic does not build for $(kernel_version); going on without it" >&2
}

# lab_layers TREE: the directories laid over the root, the uppermost first.
lab_layers() {
  local modules
  peers_layer || return 1
  mapfile -t modules < <(lab_modules "$1")
  [ ${#modules[@]} = 0 ] || module_set "${modules[@]}" || return 1
  kernel_layer
}
