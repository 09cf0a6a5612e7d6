// SPDX-License-Identifier: Apache-2.0
#include "control/vici/client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace espgate::control::vici {
namespace {

using Kind = ClientError::Kind;

std::unexpected<ClientError> failed(Kind kind, std::string text) {
  return std::unexpected(ClientError{kind, std::move(text)});
}

std::unexpected<ClientError> connect_failed(const std::string& path, int code) {
  if (code == ENOENT || code == ECONNREFUSED) {
    return failed(Kind::no_daemon, fmt::format("espgated does not listen on {}: is it running?", path));
  }
  if (code == EACCES || code == EPERM) {
    return failed(Kind::permission, fmt::format("no permission to use {}: be root, or in its group", path));
  }
  return failed(Kind::system, fmt::format("cannot connect to {}: {}", path, std::strerror(code)));
}

}  // namespace

std::expected<Client, ClientError> Client::connect(std::string_view uri) {
  constexpr std::string_view scheme = "unix://";
  std::string path(uri.starts_with(scheme) ? uri.substr(scheme.size()) : uri);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.find("://") != std::string::npos || path.size() >= sizeof(address.sun_path)) {
    return failed(Kind::system, fmt::format("{} is no control socket, expected unix:///PATH", uri));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return connect_failed(path, errno);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return connect_failed(path, errno);
  }
  return Client(std::move(fd));
}

std::expected<void, ClientError> Client::wait(short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd one{fd_.get(), events, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return failed(Kind::system, std::strerror(errno));
    if (Clock::now() >= deadline) return failed(Kind::timeout, "espgated does not answer in time");
  }
}

std::expected<void, ClientError> Client::send(const Packet& packet, Clock::time_point deadline) {
  const auto frame = encode_frame(packet);
  if (!frame) return failed(Kind::protocol, frame.error());
  base::ByteView left = *frame;
  while (!left.empty()) {
    if (auto ready = wait(POLLOUT, deadline); !ready) return ready;
    const auto count = ::send(fd_.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (count > 0) {
      left = left.subspan(static_cast<std::size_t>(count));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return failed(Kind::protocol, "espgated hung up");
    } else if (errno != EAGAIN && errno != EINTR) {
      return failed(Kind::system, std::strerror(errno));
    }
  }
  return {};
}

std::expected<Packet, ClientError> Client::receive(Clock::time_point deadline) {
  std::array<std::uint8_t, 65536> buffer;
  for (;;) {
    if (const auto octets = framer_.next()) {
      auto packet = decode_packet(*octets);
      if (!packet) return failed(Kind::protocol, "espgated sent " + packet.error());
      return std::move(*packet);
    }
    if (auto ready = wait(POLLIN, deadline); !ready) return std::unexpected(ready.error());
    const auto count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (count == 0) return failed(Kind::protocol, "espgated hung up");
    if (count < 0) {
      if (errno == EAGAIN || errno == EINTR) continue;
      if (errno == ECONNRESET) return failed(Kind::protocol, "espgated hung up");
      return failed(Kind::system, std::strerror(errno));
    }
    auto taken = framer_.feed({buffer.data(), static_cast<std::size_t>(count)});
    if (!taken) return failed(Kind::protocol, "espgated sent " + taken.error());
  }
}

std::expected<void, ClientError> Client::change_registration(PacketType type, std::string_view event,
                                                             Clock::time_point deadline) {
  if (auto sent = send({type, std::string(event), {}}, deadline); !sent) return sent;
  for (;;) {
    auto answer = receive(deadline);
    if (!answer) return std::unexpected(answer.error());
    if (answer->type == PacketType::event) continue;  // one that was under way
    if (answer->type == PacketType::event_confirm) return {};
    if (answer->type == PacketType::event_unknown) {
      return failed(Kind::unknown_command, fmt::format("espgated knows no event {}", event));
    }
    return failed(Kind::protocol, "espgated sent an answer to something else");
  }
}

std::expected<Message, ClientError> Client::request(std::string_view command, const Message& message,
                                                    std::chrono::milliseconds timeout) {
  return stream(command, message, {}, {}, timeout);
}

std::expected<Message, ClientError> Client::stream(std::string_view command, const Message& message,
                                                   std::string_view event, const OnEvent& on_event,
                                                   std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  if (!event.empty()) {
    if (auto done = change_registration(PacketType::register_event, event, deadline); !done) {
      return std::unexpected(done.error());
    }
  }
  if (auto sent = send({PacketType::request, std::string(command), message}, deadline); !sent) {
    return std::unexpected(sent.error());
  }
  std::expected<Message, ClientError> out;
  for (;;) {
    auto answer = receive(deadline);
    if (!answer) return std::unexpected(answer.error());
    if (answer->type == PacketType::event) {
      if (on_event && answer->name == event) on_event(answer->name, answer->message);
      continue;
    }
    if (answer->type == PacketType::response) {
      out = std::move(answer->message);
    } else if (answer->type == PacketType::unknown_command) {
      out = failed(Kind::unknown_command, fmt::format("espgated knows no command {}", command));
    } else {
      return failed(Kind::protocol, "espgated sent an answer to something else");
    }
    break;
  }
  if (!event.empty()) {
    if (auto done = change_registration(PacketType::unregister_event, event, deadline); !done) {
      return std::unexpected(done.error());
    }
  }
  return out;
}

std::expected<void, ClientError> Client::listen(std::string_view event,
                                                const std::function<bool(const Message&)>& on_event) {
  if (auto done = change_registration(PacketType::register_event, event, Clock::now() + std::chrono::seconds(10));
      !done) {
    return done;
  }
  for (;;) {
    auto packet = receive(Clock::time_point::max());
    if (!packet) return std::unexpected(packet.error());
    if (packet->type == PacketType::event && packet->name == event && !on_event(packet->message)) return {};
  }
}

}  // namespace espgate::control::vici
