// SPDX-License-Identifier: Apache-2.0
// The server's side of vici, sans-IO: octets of a connection in, octets out. gateway/ owns the sockets.
//
// A session serves one request at a time: while a handler has not answered, later packets wait in a bounded buffer.
//
//   idle --request, handler known--> busy --Reply::finish--> idle
//   idle --request, unknown--> idle (unknown_command)      any --malformed, too much--> closed
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "control/vici/codec.h"

namespace espgate::control::vici {

class Session;

// The answer to one request, now or later; may outlive the session, and then does nothing. Not thread-safe.
class Reply {
 public:
  explicit Reply(std::weak_ptr<Session> session) : session_(std::move(session)) {}
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  ~Reply();  // answered by nobody: an empty response with success = no

  // Whether the client registered for `name`.
  [[nodiscard]] bool wants(std::string_view name) const;
  void event(std::string_view name, const Message& message);  // streamed; only if the client registered for it
  void finish(const Message& message);                        // exactly once; later calls do nothing
  void fail(std::string_view errmsg);                         // success = no, errmsg
  [[nodiscard]] bool alive() const;                           // the client is still there and waits
  // Calls `next` once few octets wait for the client to read them: at once, or when it has read. If it goes before:
  // never.
  void when_read(std::function<void()> next);
  void hang_up(std::string_view why);  // closes the connection

 private:
  std::weak_ptr<Session> session_;
  bool done_ = false;
};

using Handler = std::function<void(const Message& request, std::shared_ptr<Reply> reply)>;

struct Limits {
  std::size_t input = max_packet + 64U * 1024U;  // octets waiting to be read by us
  std::size_t output = 64U << 20U;               // octets waiting to be read by the client
};

// Commands and event names, shared by all sessions, and the sessions that listen.
class Server {
 public:
  explicit Server(Limits limits = {}) : limits_(limits) {}
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void on(std::string name, Handler handler) { handlers_[std::move(name)] = std::move(handler); }
  void declare_event(std::string name) { events_.insert(std::move(name)); }
  // Called with the name of each command before its handler is.
  void before_each(std::function<void(std::string_view)> hook) { before_ = std::move(hook); }
  [[nodiscard]] bool anybody_wants(std::string_view event) const;

  // A new connection. `writable` is called when output appeared that was not there before: also from within receive().
  std::shared_ptr<Session> open(std::function<void()> writable);
  // To every session that registered for `name`.
  void raise(std::string_view name, const Message& message);

  [[nodiscard]] const Limits& limits() const { return limits_; }

 private:
  friend class Session;
  Limits limits_;
  std::map<std::string, Handler, std::less<>> handlers_;
  std::set<std::string, std::less<>> events_;
  std::function<void(std::string_view)> before_;
  std::vector<std::weak_ptr<Session>> sessions_;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Server& server, std::function<void()> writable) : server_(server), writable_(std::move(writable)) {}

  void receive(base::ByteView octets);                           // from the socket
  [[nodiscard]] base::ByteView pending() const;                  // to be written to the socket
  void sent(std::size_t octets);                                 // so many of them were
  void close() { closed_ = true; }                               // the socket is gone
  [[nodiscard]] bool closed() const { return closed_; }          // the socket is to be closed
  [[nodiscard]] const std::string& why() const { return why_; }  // why we closed it; for the log

 private:
  friend class Reply;
  friend class Server;
  void drain();  // handles packets while no request is open
  void handle(Packet packet);
  void dispatch(Packet& packet);
  void send(const Packet& packet);
  void fail(std::string why);

  Server& server_;
  std::function<void()> writable_;
  Framer framer_;
  base::Bytes out_;
  std::size_t out_at_ = 0;
  std::set<std::string, std::less<>> registered_;
  std::function<void()> when_read_;
  bool busy_ = false, draining_ = false, closed_ = false;
  std::string why_;
};

}  // namespace espgate::control::vici
