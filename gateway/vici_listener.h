// SPDX-License-Identifier: Apache-2.0
// The control socket: accepts vici clients and moves their octets to and from control::vici::Server.
#pragma once

#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <memory>
#include <string>

#include "base/error.h"
#include "control/vici/server.h"

namespace espgate::gateway {

class ViciListener {
 public:
  // `uri`: "unix:///PATH". The socket is made with mode 0660, group espgate where that group exists; a stale one is
  // replaced. EADDRINUSE: somebody answers there already.
  static base::Result<std::unique_ptr<ViciListener>> open(asio::io_context& io, const std::string& uri,
                                                          control::vici::Server& server);
  ~ViciListener();  // removes the socket
  ViciListener(const ViciListener&) = delete;
  ViciListener& operator=(const ViciListener&) = delete;

 private:
  class Client;
  ViciListener(asio::io_context& io, control::vici::Server& server, std::string path)
      : acceptor_(io), server_(server), path_(std::move(path)) {}
  void accept();

  asio::local::stream_protocol::acceptor acceptor_;
  control::vici::Server& server_;
  std::string path_;
};

}  // namespace espgate::gateway
