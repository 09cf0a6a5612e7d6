# SPDX-License-Identifier: Apache-2.0
# The engine's part of the room; ike/CMakeLists.txt takes it in.
set(IKE_ENGINE_SOURCES
  commands.cc
  context.cc
  engine.cc
  ike_sa.cc
  peer_select.cc
  receive.cc
  ts_select.cc
  task/auth.cc
  task/auth_initiator.cc
  task/auth_proof.cc
  task/auth_responder.cc
  task/auth_signature.cc
  task/certs.cc
  task/child_create.cc
  task/child_install.cc
  task/child_negotiate.cc
  task/exchange.cc
  task/informational.cc
  task/init_initiator.cc
  task/init_keys.cc
  task/init_responder.cc
  task/nat_detection.cc
  task/reasons.cc
  task/retransmit.cc
  task/teardown.cc)
