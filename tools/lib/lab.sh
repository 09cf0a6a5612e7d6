# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the lab's guest stands on. Sourced; needs kernel.sh, peers.sh.

# lab_layers TREE: the directories laid over the root, the uppermost first.
lab_layers() {
  kernel_layer
}
