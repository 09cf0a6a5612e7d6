# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the lab's guest stands on. Sourced; needs kernel.sh, modules.sh, peers.sh.

# lab_layers TREE: the directories laid over the root, the uppermost first.
lab_layers() {
  local tree=$1 modules=() built
  peers_layer || return 1
  built=$(netdevsim_build) || return 1
  modules+=("$built")
  if [ -e "$tree/tests/simnic/Kbuild" ] || [ -e "$tree/tests/simnic/Makefile" ]; then
    # A lab without it is of use, too; who needs it hears of it from modprobe.
    if built=$(kernel_build_module "$tree/tests/simnic"); then
      modules+=("$built")
    else
      echo "tools/lab: tests/simnic does not build; going on without it" >&2
    fi
  fi
  module_set "${modules[@]}" || return 1
  kernel_layer
}
