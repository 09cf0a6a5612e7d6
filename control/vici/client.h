// SPDX-License-Identifier: Apache-2.0
// A small blocking vici client for the CLI. One request at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"
#include "control/vici/codec.h"

namespace espgate::control::vici {

struct ClientError {
  enum class Kind : std::uint8_t {
    no_daemon,        // nobody listens there
    permission,       // the socket is not for us
    system,           // another error of the operating system
    timeout,          // no answer in time
    protocol,         // the other side does not speak vici, or hung up
    unknown_command,  // it does not know this command or event
  };
  Kind kind{};
  std::string text;  // one sentence
};

class Client {
 public:
  using OnEvent = std::function<void(std::string_view event, const Message& message)>;

  // `uri`: "unix:///run/espgate/espgated.vici" (or a bare path).
  static std::expected<Client, ClientError> connect(std::string_view uri);

  // Sends a request and waits for its response. A response with success = no is a response, not an error.
  std::expected<Message, ClientError> request(std::string_view command, const Message& message,
                                              std::chrono::milliseconds timeout = std::chrono::seconds(10));
  // The same, with `event` registered meanwhile: each one that comes before the response goes to `on_event`.
  std::expected<Message, ClientError> stream(std::string_view command, const Message& message, std::string_view event,
                                             const OnEvent& on_event,
                                             std::chrono::milliseconds timeout = std::chrono::seconds(10));
  // Registers for `event` and passes each one on until `on_event` returns false or the server hangs up.
  std::expected<void, ClientError> listen(std::string_view event,
                                          const std::function<bool(const Message& message)>& on_event);

 private:
  using Clock = std::chrono::steady_clock;
  explicit Client(base::Fd fd) : fd_(std::move(fd)) {}
  std::expected<void, ClientError> send(const Packet& packet, Clock::time_point deadline);
  std::expected<Packet, ClientError> receive(Clock::time_point deadline);
  std::expected<void, ClientError> wait(short events, Clock::time_point deadline);
  std::expected<void, ClientError> change_registration(PacketType type, std::string_view event,
                                                       Clock::time_point deadline);

  base::Fd fd_;
  Framer framer_;
};

}  // namespace espgate::control::vici
