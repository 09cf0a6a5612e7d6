# SPDX-License-Identifier: Apache-2.0
# vici: codec, server, commands and client; appended to the control room's sources.
list(APPEND ESPGATE_CONTROL_SOURCES vici/client.cc vici/codec.cc vici/commands.cc vici/conn_message.cc vici/credential_commands.cc vici/devices.cc
     vici/events.cc vici/load_again.cc vici/loading.cc vici/log_commands.cc vici/message.cc vici/queries.cc vici/sa_message.cc vici/sa_queries.cc vici/selector_text.cc vici/server.cc vici/tree_of.cc)
