# SPDX-License-Identifier: Apache-2.0
# What is wrong with the machine or with a tunnel, and what to do; appended to the control room's sources.
list(APPEND ESPGATE_CONTROL_SOURCES doctor/advice.cc doctor/diagnose.cc doctor/finding.cc doctor/gather.cc doctor/gather_config.cc
     doctor/machine.cc doctor/tunnels.cc)
