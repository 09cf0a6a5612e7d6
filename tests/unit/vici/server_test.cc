// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "control/vici/server.h"

namespace espgate::control::vici {
namespace {

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    server.declare_event("tick");
    server.on("echo", [](const Message& request, const auto& reply) { reply->finish(request); });
    server.on("count", [](const Message& request, const auto& reply) {
      for (int i = 0; i < std::stoi(request.text("to")); ++i) {
        reply->event("tick", Message().number("n", static_cast<std::uint64_t>(i)));
      }
      reply->finish({});
    });
    server.on("later", [this](const Message&, const auto& reply) { held = reply; });
    session = server.open([this] { ++woken; });
  }

  void send(const Packet& packet) { session->receive(*encode_frame(packet)); }
  void request(std::string name, Message message = {}) {
    send({PacketType::request, std::move(name), std::move(message)});
  }
  std::vector<Packet> answers() {
    Framer framer;
    EXPECT_TRUE(framer.feed(session->pending()));
    session->sent(session->pending().size());
    std::vector<Packet> out;
    while (const auto packet = framer.next()) out.push_back(*decode_packet(*packet));
    return out;
  }
  std::vector<PacketType> types() {
    std::vector<PacketType> out;
    for (const auto& packet : answers()) out.push_back(packet.type);
    return out;
  }

  Server server{Limits{max_packet + 1024, 100'000}};
  std::shared_ptr<Session> session;
  std::shared_ptr<Reply> held;
  int woken = 0;
};

TEST_F(ServerTest, AnswersAndUnknownCommands) {
  request("echo", Message().set("a", "b"));
  request("nonsense");
  EXPECT_EQ(woken, 1);  // nothing was taken in between
  const auto out = answers();
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].message.text("a"), "b");
  EXPECT_EQ(out[1].type, PacketType::unknown_command);
}

TEST_F(ServerTest, EventsOnlyAfterRegistration) {
  request("count", Message().set("to", "2"));
  EXPECT_EQ(types(), std::vector{PacketType::response});
  send({PacketType::register_event, "tick", {}});
  request("count", Message().set("to", "2"));
  EXPECT_EQ(types(),
            (std::vector{PacketType::event_confirm, PacketType::event, PacketType::event, PacketType::response}));
  server.raise("tick", {});
  server.raise("tock", {});
  send({PacketType::unregister_event, "tick", {}});
  server.raise("tick", {});
  send({PacketType::register_event, "tock", {}});
  EXPECT_EQ(types(), (std::vector{PacketType::event, PacketType::event_confirm, PacketType::event_unknown}));
}

TEST_F(ServerTest, LaterAnswersHoldUpWhatFollows) {
  request("later");
  request("echo", Message().set("n", "1"));
  EXPECT_TRUE(answers().empty());
  EXPECT_TRUE(held->alive());
  held->finish(Message().set("n", "0"));
  held->finish(Message().set("n", "twice"));
  const auto out = answers();
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].message.text("n"), "0");
  EXPECT_EQ(out[1].message.text("n"), "1");
}

TEST_F(ServerTest, AnAnswerAfterTheClientIsGoneDoesNothing) {
  request("later");
  session->close();
  session.reset();
  EXPECT_FALSE(held->alive());
  held->event("tick", {});
  held->finish({});
}

TEST_F(ServerTest, AForgottenReplySaysSo) {
  request("later");
  held.reset();
  const auto out = answers();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].message.text("success"), "no");
}

TEST_F(ServerTest, GarbageClosesTheConnection) {
  const auto closed_by = [this](std::string_view hex) {
    auto one = server.open({});
    one->receive(*base::from_hex(hex));
    return one->closed() && !one->why().empty() && one->pending().empty();
  };
  EXPECT_TRUE(closed_by("00000000"));
  EXPECT_TRUE(closed_by("ffffffff"));
  EXPECT_TRUE(closed_by("0000000109"));
  EXPECT_TRUE(closed_by("0000000101"));    // a response from a client
  EXPECT_TRUE(closed_by("000000020000"));  // a request without a name
  EXPECT_TRUE(closed_by("0000000500026563ff"));
  EXPECT_TRUE(
      closed_by("000000080004"
                "6563686f"
                "02"
                "ff"));
  // Broken only behind a good packet.
  EXPECT_TRUE(
      closed_by("00000006"
                "00046563686f"
                "ffffffff"));
  EXPECT_FALSE(
      closed_by("00000006"
                "00046563686f"
                "000000"));
}

TEST_F(ServerTest, OctetByOctet) {
  const auto frame = *encode_frame({PacketType::request, "echo", Message().set("a", "b")});
  for (const auto octet : frame) session->receive({&octet, 1});
  EXPECT_EQ(types(), std::vector{PacketType::response});
}

TEST_F(ServerTest, AClientThatDoesNotReadIsDropped) {
  send({PacketType::register_event, "tick", {}});
  request("count", Message().set("to", "100000"));
  EXPECT_TRUE(session->closed());
  EXPECT_EQ(session->why(), "the client does not read what it asked for");
  EXPECT_TRUE(session->pending().empty());
}

TEST_F(ServerTest, AClientThatDoesNotWaitIsDropped) {
  request("later");
  const auto frame = *encode_frame({PacketType::request, "echo", Message().set("a", std::string(60000, 'x'))});
  for (int i = 0; i < 9 && !session->closed(); ++i) session->receive(frame);
  EXPECT_TRUE(session->closed());
  EXPECT_EQ(session->why(), "too much input waits to be handled");
}

TEST_F(ServerTest, AnAnswerTooLargeForAPacketSaysSo) {
  server.on("large", [](const Message&, const auto& reply) {
    Message out;
    for (int i = 0; i < 9; ++i) out.set("k", std::string(65000, 'v'));
    reply->finish(out);
  });
  request("large");
  const auto out = answers();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].message.text("success"), "no");
}

TEST(Server, WhoDoesNotReadIsWaitedFor) {
  Server server;
  server.declare_event("more");
  int told = 0;
  std::shared_ptr<Reply> waiting;
  server.on("list", [&](const Message&, const std::shared_ptr<Reply>& reply) {
    waiting = reply;
    const std::string text(60'000, 'x');
    for (int i = 0; i < 10; ++i) reply->event("more", Message().set("text", text));
    reply->when_read([&] { ++told; });
  });
  const auto session = server.open({});
  session->receive(*encode_frame({PacketType::register_event, "more", {}}));
  session->receive(*encode_frame({PacketType::request, "list", {}}));
  EXPECT_EQ(told, 0);
  session->sent(100'000);
  EXPECT_EQ(told, 0);
  session->sent(session->pending().size());
  EXPECT_EQ(told, 1);
  waiting->when_read([&] { ++told; });
  EXPECT_EQ(told, 2);
  EXPECT_TRUE(server.anybody_wants("more"));
  waiting->hang_up("enough");
  EXPECT_TRUE(session->closed());
  EXPECT_EQ(session->why(), "enough");
  EXPECT_FALSE(server.anybody_wants("more"));
  waiting->when_read([&] { ++told; });
  EXPECT_EQ(told, 2);
}

TEST(Server, KeysDoNotStayBehindInWhatWasLoaded) {
  Server server;
  const Message* seen = nullptr;
  std::string at_first;
  server.on("load-key", [&](const Message& request, const std::shared_ptr<Reply>& reply) {
    seen = &request;
    at_first = request.text("data");
    reply->finish({});
  });
  auto message = Message().set("data", "a very secret key, longer than a short string");
  const auto session = server.open({});
  session->receive(*encode_frame({PacketType::request, "load-key", message}));
  EXPECT_NE(seen, nullptr);
  EXPECT_EQ(at_first, "a very secret key, longer than a short string");
  message.wipe();
  EXPECT_EQ(message.text("data"), std::string(45, '\0'));
}

}  // namespace
}  // namespace espgate::control::vici
