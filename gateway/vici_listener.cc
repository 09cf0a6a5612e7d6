// SPDX-License-Identifier: Apache-2.0
#include "gateway/vici_listener.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <asio/buffer.hpp>
#include <asio/write.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <memory>

#include "base/fd.h"
#include "base/secret.h"
#include "gateway/log.h"
#include "gateway/privilege.h"

namespace espgate::gateway {

using Socket = asio::local::stream_protocol::socket;

// One connected client; keeps itself alive while an operation is under way.
class ViciListener::Client : public std::enable_shared_from_this<Client> {
 public:
  explicit Client(Socket socket) : socket_(std::move(socket)) {}
  ~Client() {
    if (session_) session_->close();
  }

  void start(control::vici::Server& server) {
    session_ = server.open([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->write();
    });
    read();
  }

 private:
  void read() {
    socket_.async_read_some(asio::buffer(in_), [self = shared_from_this()](std::error_code error, std::size_t count) {
      if (error) return self->hang_up();
      self->session_->receive({self->in_.data(), count});
      base::wipe(self->in_.data(), count);  // there may have been keys in it
      self->write();
      if (!self->session_->closed()) self->read();
    });
  }

  void write() {
    if (writing_) return;
    if (session_->pending().empty()) {
      if (session_->closed()) hang_up();
      return;
    }
    writing_ = true;
    // The session's buffer may grow (and move) while the write is under way, so a part of it is copied out.
    const auto part = session_->pending().first(std::min<std::size_t>(session_->pending().size(), kWriteAtOnce));
    out_.assign(part.begin(), part.end());
    session_->sent(out_.size());
    asio::async_write(socket_, asio::buffer(out_), [self = shared_from_this()](std::error_code error, std::size_t) {
      self->writing_ = false;
      if (error) return self->hang_up();
      self->write();
    });
  }

  void hang_up() {
    if (!session_->why().empty()) log_warn("vici: closed a client: " + printable(session_->why()));
    session_->close();
    std::error_code ignored;
    socket_.close(ignored);
  }

  static constexpr std::size_t kWriteAtOnce = 65536;
  Socket socket_;
  std::shared_ptr<control::vici::Session> session_;
  std::array<std::uint8_t, 16384> in_{};
  base::Bytes out_;
  bool writing_ = false;
};

namespace {
std::expected<std::string, base::Error> path_of(const std::string& uri) {
  constexpr std::string_view kScheme = "unix://";
  if (!uri.starts_with(kScheme) || uri.size() == kScheme.size()) {
    return std::unexpected(base::Error{"open " + uri, EINVAL, "expected unix:///PATH"});
  }
  return uri.substr(kScheme.size());
}

base::Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return std::unexpected(base::Error{"open " + path, ENAMETOOLONG, ""});
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

bool somebody_answers(const sockaddr_un& address) {
  const base::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return fd && connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

base::Result<base::Fd> listen_at(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return std::unexpected(address.error());
  std::error_code error;
  const auto directory = std::filesystem::path(path).parent_path();
  std::filesystem::create_directories(directory, error);
  // Two that start at once must not both find nobody, and the later one take the place of the first.
  const base::Fd turn(::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (turn) (void)::flock(turn.get(), LOCK_EX);
  if (somebody_answers(*address))
    return std::unexpected(base::Error{"open " + path, EADDRINUSE, "somebody answers there"});
  std::filesystem::remove(path, error);
  base::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return std::unexpected(base::Error::last("open " + path));
  const mode_t before = umask(0117);
  const int bound = bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  umask(before);
  if (bound != 0 || listen(fd.get(), SOMAXCONN) != 0) return std::unexpected(base::Error::last("listen on " + path));
  if (const auto group = control_group()) {
    if (chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0)
      log_warn(base::Error::last("give " + path + " to group espgate").text());
  }
  return fd;
}
}  // namespace

base::Result<std::unique_ptr<ViciListener>> ViciListener::open(asio::io_context& io, const std::string& uri,
                                                               control::vici::Server& server) {
  auto path = path_of(uri);
  if (!path) return std::unexpected(path.error());
  auto fd = listen_at(*path);
  if (!fd) return std::unexpected(fd.error());
  std::unique_ptr<ViciListener> out(new ViciListener(io, server, *path));
  out->acceptor_.assign(asio::local::stream_protocol(), fd->release());
  out->accept();
  return out;
}

bool ViciListener::answered(const std::string& uri) {
  const auto path = path_of(uri);
  if (!path) return false;
  const auto address = address_of(*path);
  return address && somebody_answers(*address);
}

ViciListener::~ViciListener() { ::unlink(path_.c_str()); }

void ViciListener::accept() {
  acceptor_.async_accept([this](std::error_code error, Socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (error) return rest(error);
    std::make_shared<Client>(std::move(socket))->start(server_);
    accept();
  });
}

// Out of descriptors or memory the one who waits stays in the queue: to ask again at once would turn round and round.
void ViciListener::rest(std::error_code error) {
  log_warn("vici: cannot accept a client, trying again in a second: " + error.message());
  rest_.expires_after(std::chrono::seconds(1));
  rest_.async_wait([this](std::error_code aborted) {
    if (!aborted) accept();
  });
}

}  // namespace espgate::gateway
