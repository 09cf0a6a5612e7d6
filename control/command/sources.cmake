# SPDX-License-Identifier: Apache-2.0
# The command table; appended to the control room's sources.
list(APPEND ESPGATE_CONTROL_SOURCES command/completion.cc command/help.cc command/man.cc command/parse.cc command/table.cc)
