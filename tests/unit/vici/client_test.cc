// SPDX-License-Identifier: Apache-2.0
// The client against the real server over a socket.
#include "control/vici/client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <thread>

#include "control/vici/server.h"

namespace espgate::control::vici {
namespace {

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "espgate-vici-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    uri = "unix://" + (folder / "s").string();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, (folder / "s").c_str());
    listener = base::Fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener.get(), 5), 0);
    server.declare_event("tick");
    server.on("count", [](const Message&, const auto& reply) {
      for (std::uint64_t i = 0; i < 300; ++i)
        reply->event("tick", Message().number("n", i).set("x", std::string(5000, 'x')));
      reply->finish(Message().set("done", true));
    });
    server.on("never", [this](const Message&, const auto& reply) { held = reply; });
  }
  ~ClientTest() override {
    if (thread.joinable()) thread.join();
    std::filesystem::remove_all(folder);
  }

  // One client, until it hangs up; `garbage` is sent instead of any answer.
  void serve(std::string garbage = "") {
    thread = std::thread([this, garbage] {
      const base::Fd fd(::accept(listener.get(), nullptr, nullptr));
      auto session = server.open({});
      std::array<std::uint8_t, 4096> buffer;
      for (ssize_t count = 0; (count = ::read(fd.get(), buffer.data(), buffer.size())) > 0;) {
        session->receive({buffer.data(), static_cast<std::size_t>(count)});
        if (!garbage.empty()) {
          (void)!::write(fd.get(), garbage.data(), garbage.size());
          return;
        }
        while (!session->pending().empty()) {
          const auto sent = ::send(fd.get(), session->pending().data(), session->pending().size(), MSG_NOSIGNAL);
          if (sent <= 0) return;
          session->sent(static_cast<std::size_t>(sent));
        }
      }
    });
  }

  std::filesystem::path folder;
  std::string uri;
  base::Fd listener;
  Server server;
  std::shared_ptr<Reply> held;
  std::thread thread;
};

TEST_F(ClientTest, StreamsEventsThenTheResponse) {
  serve();
  auto client = Client::connect(uri);
  ASSERT_TRUE(client) << client.error().text;
  std::uint64_t events = 0;
  const auto response = client->stream("count", {}, "tick", [&](std::string_view, const Message& message) {
    EXPECT_EQ(message.text("n"), std::to_string(events++));
  });
  ASSERT_TRUE(response) << response.error().text;
  EXPECT_EQ(events, 300U);
  EXPECT_EQ(response->text("done"), "yes");
  // The connection serves on, and events are not registered any more.
  EXPECT_TRUE(client->request("count", {}));
  const auto unknown = client->request("nonsense", {});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ClientError::Kind::unknown_command);
}

TEST_F(ClientTest, TimesOut) {
  serve();
  auto client = Client::connect(uri);
  ASSERT_TRUE(client);
  const auto response = client->request("never", {}, std::chrono::milliseconds(50));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ClientError::Kind::timeout);
}

TEST_F(ClientTest, GarbageAndHangUp) {
  serve("this is no vici at all");
  auto client = Client::connect(uri);
  ASSERT_TRUE(client);
  const auto response = client->request("count", {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ClientError::Kind::protocol);
}

TEST_F(ClientTest, NobodyThere) {
  const auto none = Client::connect("unix://" + (folder / "none").string());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ClientError::Kind::no_daemon);
  EXPECT_EQ(Client::connect("tcp://127.0.0.1:4502").error().kind, ClientError::Kind::system);
  EXPECT_EQ(Client::connect("unix://" + std::string(200, 'x')).error().kind, ClientError::Kind::system);
}

}  // namespace
}  // namespace espgate::control::vici
