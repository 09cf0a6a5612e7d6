// SPDX-License-Identifier: Apache-2.0
#include "control/vici/server.h"

#include <algorithm>
#include <utility>

namespace espgate::control::vici {

namespace {
constexpr std::size_t kFewOctets = 256U << 10U;
}

Reply::~Reply() {
  if (!done_) fail("the command was given up");
}

bool Reply::alive() const {
  const auto session = session_.lock();
  return !done_ && session && !session->closed();
}

void Reply::when_read(std::function<void()> next) {
  const auto session = session_.lock();
  if (done_ || !session || session->closed()) return;
  if (session->pending().size() < kFewOctets) return next();
  session->when_read_ = std::move(next);
}

void Reply::hang_up(std::string_view why) {
  done_ = true;
  if (const auto session = session_.lock()) session->fail(std::string(why));
}

bool Reply::wants(std::string_view name) const {
  const auto session = session_.lock();
  return session && session->registered_.contains(name);
}

void Reply::event(std::string_view name, const Message& message) {
  const auto session = session_.lock();
  if (done_ || !session || !session->registered_.contains(name)) return;
  session->send({PacketType::event, std::string(name), message});
}

void Reply::finish(const Message& message) {
  if (done_) return;
  done_ = true;
  const auto session = session_.lock();
  if (!session) return;
  session->send({PacketType::response, {}, message});
  session->busy_ = false;
  session->drain();
}

void Reply::fail(std::string_view errmsg) { finish(Message().set("success", false).set("errmsg", errmsg)); }

std::shared_ptr<Session> Server::open(std::function<void()> writable) {
  std::erase_if(sessions_, [](const auto& weak) { return weak.expired(); });
  auto session = std::make_shared<Session>(*this, std::move(writable));
  sessions_.push_back(session);
  return session;
}

bool Server::anybody_wants(std::string_view event) const {
  return std::ranges::any_of(sessions_, [&](const auto& weak) {
    const auto session = weak.lock();
    return session && !session->closed() && session->registered_.contains(event);
  });
}

void Server::raise(std::string_view name, const Message& message) {
  // A session's writable() may open or close others: walk a copy.
  const auto sessions = sessions_;
  for (const auto& weak : sessions) {
    const auto session = weak.lock();
    if (!session || session->closed() || !session->registered_.contains(name)) continue;
    session->send({PacketType::event, std::string(name), message});
  }
}

void Session::receive(base::ByteView octets) {
  if (closed_) return;
  if (framer_.buffered() + octets.size() > server_.limits().input) return fail("too much input waits to be handled");
  if (auto taken = framer_.feed(octets); !taken) return fail(taken.error());
  drain();
}

// A handler that answers at once calls back into here through Reply::finish; the loop then goes on by itself.
void Session::drain() {
  if (draining_) return;
  draining_ = true;
  const auto self = shared_from_this();
  while (!busy_ && !closed_) {
    const auto octets = framer_.next();
    if (!octets) break;
    auto packet = decode_packet(*octets);
    if (!packet) {
      fail(packet.error());
      break;
    }
    handle(std::move(*packet));
    // The length behind this packet was not seen when it came.
    if (auto good = framer_.feed({}); !good) fail(good.error());
  }
  draining_ = false;
}

void Session::handle(Packet packet) {
  switch (packet.type) {
    case PacketType::request:
      return dispatch(packet);
    case PacketType::register_event:
    case PacketType::unregister_event: {
      if (!server_.events_.contains(packet.name)) return send({PacketType::event_unknown, {}, {}});
      if (packet.type == PacketType::register_event) {
        registered_.insert(packet.name);
      } else {
        registered_.erase(packet.name);
      }
      return send({PacketType::event_confirm, {}, {}});
    }
    default:
      return fail("a packet that only a server sends");
  }
}

void Session::dispatch(Packet& packet) {
  const auto found = server_.handlers_.find(packet.name);
  if (found == server_.handlers_.end()) return send({PacketType::unknown_command, {}, {}});
  busy_ = true;
  if (server_.before_) server_.before_(packet.name);
  found->second(packet.message, std::make_shared<Reply>(weak_from_this()));
  if (packet.name.starts_with("load-")) packet.message.wipe();
}

void Session::send(const Packet& packet) {
  if (closed_) return;
  const auto frame = encode_frame(packet);
  if (!frame) {
    if (packet.type == PacketType::response) {
      return send({PacketType::response, {}, Message().set("success", false).set("errmsg", frame.error())});
    }
    return;  // an event nobody could have read
  }
  if (out_.size() - out_at_ + frame->size() > server_.limits().output) {
    return fail("the client does not read what it asked for");
  }
  const bool was_empty = out_at_ == out_.size();
  out_.insert(out_.end(), frame->begin(), frame->end());
  if (was_empty && writable_) writable_();
}

base::ByteView Session::pending() const { return base::ByteView(out_).subspan(out_at_); }

void Session::sent(std::size_t octets) {
  out_at_ += std::min(octets, out_.size() - out_at_);
  if (out_at_ == out_.size()) {
    out_.clear();
    out_at_ = 0;
  } else if (out_at_ > out_.size() / 2) {
    out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(out_at_));
    out_at_ = 0;
  }
  if (when_read_ && pending().size() < kFewOctets) std::exchange(when_read_, {})();
}

void Session::fail(std::string why) {
  if (closed_) return;
  closed_ = true;
  why_ = std::move(why);
  out_.clear();
  out_at_ = 0;
  if (writable_) writable_();
}

}  // namespace espgate::control::vici
