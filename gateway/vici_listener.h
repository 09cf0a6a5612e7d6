// SPDX-License-Identifier: Apache-2.0
// The control socket: accepts vici clients and moves their octets to and from control::vici::Server.
#pragma once

#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <system_error>

#include "base/error.h"
#include "control/vici/server.h"

namespace espgate::gateway {

class ViciListener {
 public:
  // `uri`: "unix:///PATH". The socket is made with mode 0660, group espgate where that group exists; a stale one is
  // replaced. EADDRINUSE: somebody answers there already.
  static base::Result<std::unique_ptr<ViciListener>> open(asio::io_context& io, const std::string& uri,
                                                          control::vici::Server& server);
  // Whether somebody answers there. For a daemon that wants to know before it touches anything.
  static bool answered(const std::string& uri);
  ~ViciListener();  // removes the socket
  ViciListener(const ViciListener&) = delete;
  ViciListener& operator=(const ViciListener&) = delete;

 private:
  class Client;
  ViciListener(asio::io_context& io, control::vici::Server& server, std::string path)
      : acceptor_(io), rest_(io), server_(server), path_(std::move(path)) {}
  void accept();
  void rest(std::error_code error);

  asio::local::stream_protocol::acceptor acceptor_;
  asio::steady_timer rest_;
  control::vici::Server& server_;
  std::string path_;
};

}  // namespace espgate::gateway
