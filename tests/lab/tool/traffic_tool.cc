// SPDX-License-Identifier: Apache-2.0
// Traffic that an emulated machine has the time for, IPv4 only. Each ends when its standard input does, and then says
// what it saw:
//   espgate-traffic-test send RATE PORT SOURCE DESTINATION [SOURCE DESTINATION]...
//         UDP from each SOURCE to its DESTINATION by turns, RATE packets a second in all, until the input ends; then
//         waits for answers until none came for ten seconds: "sent N answered N twice N seconds S worst N", the last
//         one being what the pair with the most lost has lost
//   espgate-traffic-test echo PORT ADDRESS...     sends back what comes to each ADDRESS
//   espgate-traffic-test nonces DEVICE            "packets N spis N dropped N repeated N": ESP packets on DEVICE, both
//         ways; how many the capture lost; how many had source, SPI and sequence number of an earlier one
#include <arpa/inet.h>
#include <fmt/core.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"

namespace {

using Clock = std::chrono::steady_clock;
using espgate::base::Fd;

constexpr int kBuffer = 1 << 26;  // a machine that stands still for some seconds is no network that loses packets
constexpr auto kQuiet = std::chrono::seconds(10);
constexpr std::size_t kMost = 64;  // packets at once, of what is due

[[noreturn]] void fail(std::string_view what) {
  fmt::print(stderr, "{}: {}\n", what, std::strerror(errno));
  std::exit(2);
}

// Which of a growing range of numbers were seen.
class Seen {
 public:
  bool insert(std::uint64_t number) {  // false: it was there
    if (number >= bits_.size()) bits_.resize(2 * number + 1024);
    if (bits_[number]) return false;
    return bits_[number] = true;
  }

 private:
  std::vector<bool> bits_;
};

sockaddr_in at(const char* address, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  if (inet_pton(AF_INET, address, &out.sin_addr) != 1) fail(address);
  return out;
}

void wide(const Fd& socket) {
  if (setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer) != 0) fail("SO_RCVBUFFORCE");
}

Fd udp(const char* address, std::uint16_t port, const char* peer = nullptr) {
  Fd out(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  wide(out);
  const auto own = at(address, port);
  if (bind(out.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) fail(address);
  if (peer == nullptr) return out;
  const auto other = at(peer, port);
  if (connect(out.get(), reinterpret_cast<const sockaddr*>(&other), sizeof other) != 0) fail(peer);
  return out;
}

// The sockets, and standard input, whose end ends it all.
class Waiting {
 public:
  explicit Waiting(std::span<const Fd> sockets) : all_(epoll_create1(EPOLL_CLOEXEC)) {
    for (std::size_t i = 0; i < sockets.size(); ++i) add(sockets[i].get(), i);
    add(STDIN_FILENO, kInput);
  }

  template <typename Take>
  void wait(int milliseconds, Take&& take) {
    std::array<epoll_event, 64> ready;
    const int count = epoll_wait(all_.get(), ready.data(), static_cast<int>(ready.size()), milliseconds);
    for (int i = 0; i < count; ++i) {
      const auto which = ready[static_cast<std::size_t>(i)].data.u64;
      if (which == kInput) {
        over = true;
        epoll_ctl(all_.get(), EPOLL_CTL_DEL, STDIN_FILENO, nullptr);
      } else {
        take(which);
      }
    }
  }

  bool over = false;

 private:
  static constexpr std::uint64_t kInput = ~std::uint64_t{0};
  void add(int fd, std::uint64_t which) {
    epoll_event event{EPOLLIN, {}};
    event.data.u64 = which;
    if (epoll_ctl(all_.get(), EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
  }
  Fd all_;
};

class Sender {
 public:
  Sender(std::uint64_t rate, std::vector<Fd> sockets)
      : rate_(rate), sockets_(std::move(sockets)), pairs_(sockets_.size()), waiting_(sockets_) {}

  void run() {
    const auto begin = Clock::now();
    auto since = begin;
    while (!waiting_.over) {
      const auto now = Clock::now();
      // What a standstill of more than a second has missed is not made up for.
      since = std::max(since, now - std::chrono::seconds(1) - due_for(sent_since_));
      send(static_cast<std::uint64_t>(std::chrono::duration<double>(now - since).count() * static_cast<double>(rate_)));
      take(1);
    }
    const std::chrono::duration<double> lasted = Clock::now() - begin;
    for (auto last = Clock::now(); answered_ < sent_ && Clock::now() - last < kQuiet;) {
      if (take(100)) last = Clock::now();
    }
    std::uint64_t worst = 0;
    for (const auto& pair : pairs_) worst = std::max(worst, pair.sent - pair.answered);
    fmt::print("sent {} answered {} twice {} seconds {:.1f} worst {}\n", sent_, answered_, twice_, lasted.count(),
               worst);
  }

 private:
  struct Pair {
    std::uint64_t sent = 0, answered = 0;
    Seen seen;
  };

  [[nodiscard]] Clock::duration due_for(std::uint64_t packets) const {
    return std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(static_cast<double>(packets) / static_cast<double>(rate_)));
  }

  void send(std::uint64_t until) {
    for (std::size_t burst = 0; burst < kMost && sent_since_ < until; ++burst) {
      const auto which = sent_ % sockets_.size();
      const std::uint64_t number = pairs_[which].sent++;
      // No route, blocked, or an answer to an earlier one: as good as lost.
      (void)::send(sockets_[which].get(), &number, sizeof number, 0);
      ++sent_;
      ++sent_since_;
    }
  }

  bool take(int milliseconds) {
    const auto before = answered_;
    waiting_.wait(milliseconds, [this](std::uint64_t which) {
      std::uint64_t number = 0;
      while (recv(sockets_[which].get(), &number, sizeof number, MSG_DONTWAIT) == sizeof number) {
        if (number >= pairs_[which].sent || !pairs_[which].seen.insert(number)) {
          ++twice_;
        } else {
          ++pairs_[which].answered;
          ++answered_;
        }
      }
    });
    return answered_ > before;
  }

  std::uint64_t rate_;
  std::vector<Fd> sockets_;
  std::vector<Pair> pairs_;
  Waiting waiting_;
  std::uint64_t sent_ = 0, sent_since_ = 0, answered_ = 0, twice_ = 0;
};

void echo(const std::vector<Fd>& sockets) {
  Waiting waiting(sockets);
  while (!waiting.over) {
    waiting.wait(1000, [&](std::uint64_t which) {
      std::array<char, 64> packet;
      sockaddr_in from{};
      for (;;) {
        socklen_t length = sizeof from;
        auto* const name = reinterpret_cast<sockaddr*>(&from);
        const auto size = recvfrom(sockets[which].get(), packet.data(), packet.size(), MSG_DONTWAIT, name, &length);
        if (size < 0) break;
        (void)sendto(sockets[which].get(), packet.data(), static_cast<std::size_t>(size), 0, name, length);
      }
    });
  }
}

class Nonces {
 public:
  explicit Nonces(const char* device) {
    sockets_.emplace_back(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    wide(sockets_[0]);
    sockaddr_ll where{};
    where.sll_family = AF_PACKET;
    where.sll_protocol = htons(ETH_P_ALL);
    where.sll_ifindex = static_cast<int>(if_nametoindex(device));
    if (where.sll_ifindex == 0) fail(device);
    if (bind(sockets_[0].get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) fail("bind");
  }

  void run() {
    Waiting waiting(sockets_);
    while (!waiting.over) waiting.wait(1000, [this](std::uint64_t) { take(); });
    take();
    tpacket_stats stats{};
    socklen_t length = sizeof stats;
    if (getsockopt(sockets_[0].get(), SOL_PACKET, PACKET_STATISTICS, &stats, &length) != 0) fail("PACKET_STATISTICS");
    fmt::print("packets {} spis {} dropped {} repeated {}\n", packets_, seen_.size(), stats.tp_drops, repeated_);
  }

 private:
  void take() {
    std::array<unsigned char, 128> frame;
    for (;;) {
      const auto size = recv(sockets_[0].get(), frame.data(), frame.size(), MSG_DONTWAIT);
      if (size < 0) return;
      if (static_cast<std::size_t>(size) >= kEther + kIp + 8) look(frame);
    }
  }

  void look(const std::array<unsigned char, 128>& frame) {
    if (frame[12] != 8 || frame[13] != 0 || frame[kEther + 9] != IPPROTO_ESP) return;
    const auto* esp = frame.data() + kEther + 4U * (frame[kEther] & 15U);
    std::uint32_t source = 0, spi = 0, sequence = 0;
    std::memcpy(&source, frame.data() + kEther + 12, sizeof source);
    std::memcpy(&spi, esp, sizeof spi);
    std::memcpy(&sequence, esp + 4, sizeof sequence);
    ++packets_;
    if (!seen_[{source, spi}].insert(ntohl(sequence))) ++repeated_;
  }

  static constexpr std::size_t kEther = 14, kIp = 20;
  std::vector<Fd> sockets_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Seen> seen_;
  std::uint64_t packets_ = 0, repeated_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<char*> words(argv + 1, argv + argc);
  const std::string_view what = words.empty() ? "" : words[0];
  std::vector<Fd> sockets;
  if (what == "send" && words.size() >= 5 && words.size() % 2 == 1) {
    const auto port = static_cast<std::uint16_t>(std::atoi(words[2]));
    for (std::size_t i = 3; i < words.size(); i += 2) sockets.push_back(udp(words[i], port, words[i + 1]));
    fmt::print("ready\n");
    std::fflush(stdout);
    Sender(std::strtoull(words[1], nullptr, 10), std::move(sockets)).run();
  } else if (what == "echo" && words.size() >= 3) {
    const auto port = static_cast<std::uint16_t>(std::atoi(words[1]));
    for (std::size_t i = 2; i < words.size(); ++i) sockets.push_back(udp(words[i], port));
    fmt::print("ready\n");
    std::fflush(stdout);
    echo(sockets);
  } else if (what == "nonces" && words.size() == 2) {
    Nonces nonces(words[1]);
    fmt::print("ready\n");
    std::fflush(stdout);
    nonces.run();
  } else {
    fmt::print(stderr, "usage: see the head of tests/lab/tool/traffic_tool.cc\n");
    return 1;
  }
  return 0;
}
