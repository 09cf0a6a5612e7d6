// SPDX-License-Identifier: Apache-2.0
// A session with every command, whose daemon only answers.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "control/vici/commands.h"
#include "tests/unit/vici/fake_daemon.h"

namespace espgate::control::vici {

class Commands : public ::testing::Test {
 protected:
  Commands() {
    add_commands(server, daemon);
    session = server.open({});
  }

  // The response; events that came before it are in `events`.
  Message ask(const std::string& command, const Message& message = {}, const std::string& event = "") {
    if (!event.empty()) session->receive(*encode_frame({PacketType::register_event, event, {}}));
    session->receive(*encode_frame({PacketType::request, command, message}));
    Framer framer;
    EXPECT_TRUE(framer.feed(session->pending()));
    session->sent(session->pending().size());
    events.clear();
    Message response;
    while (const auto octets = framer.next()) {
      auto packet = *decode_packet(*octets);
      EXPECT_NE(packet.type, PacketType::unknown_command) << command;
      EXPECT_NE(packet.type, PacketType::event_unknown) << event;
      if (packet.type == PacketType::event) events.push_back(packet.message);
      if (packet.type == PacketType::response) response = packet.message;
    }
    return response;
  }

  testing::FakeDaemon daemon;
  Server server;
  std::shared_ptr<Session> session;
  std::vector<Message> events;
};

}  // namespace espgate::control::vici
