# SPDX-License-Identifier: Apache-2.0
# The command table; appended to the control room's sources.
list(APPEND ESPGATE_CONTROL_SOURCES command/help.cc command/parse.cc command/table.cc)
