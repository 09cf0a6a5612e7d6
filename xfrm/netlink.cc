// SPDX-License-Identifier: Apache-2.0
#include "xfrm/netlink.h"

#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>

#include "xfrm/attributes.h"

namespace espgate::xfrm {
namespace {

// Acks of one batch have to fit into the socket's receive buffer.
constexpr std::size_t kBatch = kRequestsPerSend;
constexpr std::size_t kReceiveOctets = 64 * 1024;
// The kernel answers while it is in sendmsg; silence means that something is broken.
constexpr timeval kPatience{5, 0};

base::Result<base::Fd> open_socket() {
  base::Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM));
  if (!fd) return std::unexpected(base::Error::last("open an XFRM netlink socket"));
  const int on = 1;
  // Extended acks carry the driver's words. CAP_ACK keeps the request, with its keys, out of the answers.
  if (setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on) != 0 ||
      setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on) != 0 ||
      setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience) != 0) {
    return std::unexpected(base::Error::last("set up an XFRM netlink socket"));
  }
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0) {
    return std::unexpected(base::Error::last("bind an XFRM netlink socket"));
  }
  return fd;
}

base::Result<void> send_all(int fd, base::ByteView octets) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (sendto(fd, octets.data(), octets.size(), 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0) {
    return std::unexpected(base::Error::last("send to XFRM"));
  }
  return {};
}

Result answer_of(const Request& request, const nlmsghdr& message) {
  if (auto ack = decode_ack(message)) {
    if (ack->code == 0) return Done{};
    return std::unexpected(base::Error{describe(request), ack->code, ack->words});
  }
  if (message.nlmsg_type == XFRM_MSG_NEWSA) {
    if (auto state = decode_sa(message)) return *state;
  }
  return std::unexpected(base::Error{describe(request), EPROTO, "an answer that makes no sense"});
}

}  // namespace

std::expected<NetlinkKernel, base::Error> NetlinkKernel::make() {
  auto socket = open_socket();
  if (!socket) return std::unexpected(socket.error());
  NetlinkKernel out(std::move(*socket));
  out.try_kernel();
  return out;
}

std::expected<NetlinkKernel, base::Error> NetlinkKernel::make_for_reading() {
  auto socket = open_socket();
  if (!socket) return std::unexpected(socket.error());
  return NetlinkKernel(std::move(*socket));
}

std::vector<Result> NetlinkKernel::execute(std::span<const Request> requests) {
  std::vector<Result> out;
  out.reserve(requests.size());
  while (!requests.empty()) {
    const auto batch = requests.first(std::min(kBatch, requests.size()));
    for (auto& result : execute_batch(batch)) out.push_back(std::move(result));
    requests = requests.subspan(batch.size());
  }
  return out;
}

std::vector<Result> NetlinkKernel::execute_batch(std::span<const Request> requests) {
  base::Secret buffer(kBatch * kMessageRoom);
  std::size_t used = 0;
  const std::uint32_t first = sequence_;
  for (const auto& request : requests) {
    used += encode(request, sequence_++, features_, buffer.bytes().subspan(used));
  }
  std::vector<std::optional<Result>> answers(requests.size());
  std::size_t missing = requests.size();
  auto sent = send_all(socket_.get(), buffer.part(0, used));
  auto received = sent;
  if (sent) {
    received = receive([&](const nlmsghdr& message) {
      const std::size_t which = message.nlmsg_seq - first;
      if (which < answers.size() && !answers[which]) {
        answers[which] = answer_of(requests[which], message);
        --missing;
      }
      return missing != 0;
    });
  }
  std::vector<Result> out;
  out.reserve(requests.size());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (answers[i]) {
      out.push_back(std::move(*answers[i]));
    } else {
      const int code = received ? EPROTO : received.error().code;
      out.push_back(std::unexpected(base::Error{describe(requests[i]), code, "no answer from the kernel"}));
    }
  }
  return out;
}

base::Result<void> NetlinkKernel::receive(const Handler& handler) {
  base::Secret buffer(kReceiveOctets);  // answers to GETSA hold keys
  for (;;) {
    const ssize_t got = recv(socket_.get(), buffer.bytes().data(), buffer.size(), MSG_TRUNC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(base::Error::last("receive from XFRM"));
    if (static_cast<std::size_t>(got) > buffer.size()) {
      return std::unexpected(base::Error{"receive from XFRM", EMSGSIZE, {}});
    }
    if (!for_each_message(buffer.part(0, static_cast<std::size_t>(got)), handler)) return {};
  }
}

base::Result<void> NetlinkKernel::dump(Table table, const Handler& each) {
  const std::uint32_t sequence = sequence_++;
  base::Secret buffer(kMessageRoom);
  const std::size_t used = encode_dump(table, sequence, buffer.bytes());
  if (auto sent = send_all(socket_.get(), buffer.part(0, used)); !sent) return sent;
  std::optional<base::Error> refused;
  auto received = receive([&](const nlmsghdr& message) {
    if (message.nlmsg_seq != sequence) return true;
    if (auto ack = decode_ack(message)) {
      refused = base::Error{"dump XFRM", ack->code, ack->words};
      return false;
    }
    return message.nlmsg_type != NLMSG_DONE && each(message);
  });
  if (refused) return std::unexpected(*refused);
  return received;
}

std::expected<std::vector<SaState>, base::Error> NetlinkKernel::dump_sas() {
  std::vector<SaState> out;
  auto done = dump(Table::sas, [&out](const nlmsghdr& message) {
    if (auto state = decode_sa(message)) out.push_back(*state);
    return true;
  });
  if (!done) return std::unexpected(done.error());
  return out;
}

base::Result<std::uint32_t> NetlinkKernel::sa_places() {
  const std::uint32_t sequence = sequence_++;
  base::Secret buffer(kMessageRoom);
  const std::size_t used = encode_sad_info(sequence, buffer.bytes());
  if (auto sent = send_all(socket_.get(), buffer.part(0, used)); !sent) return std::unexpected(sent.error());
  base::Result<std::uint32_t> out = std::unexpected(base::Error{"ask XFRM for its table of SAs", EPROTO, {}});
  auto received = receive([&](const nlmsghdr& message) {
    if (message.nlmsg_seq != sequence) return true;
    if (auto ack = decode_ack(message)) {
      out = std::unexpected(base::Error{"ask XFRM for its table of SAs", ack->code, ack->words});
    } else if (auto places = decode_sad_info(message)) {
      out = *places;
    }
    return false;
  });
  if (!received) return std::unexpected(received.error());
  return out;
}

std::expected<std::vector<PolicySpec>, base::Error> NetlinkKernel::dump_policies() {
  std::vector<PolicySpec> out;
  auto done = dump(Table::policies, [&out](const nlmsghdr& message) {
    if (auto policy = decode_policy(message)) out.push_back(*policy);
    return true;
  });
  if (!done) return std::unexpected(done.error());
  return out;
}

}  // namespace espgate::xfrm
