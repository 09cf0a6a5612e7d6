# SPDX-License-Identifier: Apache-2.0
# Grammar, key table and model; appended to the control room's sources.
list(APPEND ESPGATE_CONTROL_SOURCES config/credential_set.cc config/credentials.cc config/files.cc config/grammar.cc config/key_docs.cc config/keys.cc config/keys_children.cc
     config/keys_connections.cc config/keys_gateway.cc config/keys_others.cc config/model.cc
     config/model_authentication.cc config/model_children.cc config/model_connections.cc
     config/model_gateway.cc config/model_handling.cc config/model_lifetimes.cc config/model_others.cc config/parse_values.cc config/resolve.cc config/store.cc config/store_credentials.cc config/tree.cc config/values.cc)
