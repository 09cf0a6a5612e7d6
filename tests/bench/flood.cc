// SPDX-License-Identifier: Apache-2.0
// A flood of IKE_SA_INIT requests with spoofed sources, whole or in fragments, as fast as one core can, for a bounded
// time. Each request is one that a responder takes: other SPI, nonce and source each time, checksums right. For
// namespaces that the caller made: it writes Ethernet frames to DEVICE and nowhere else.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

volatile std::sig_atomic_t stopped = 0;

constexpr std::size_t kBatch = 64, kEther = 14, kIp = 20, kUdp = 8;
constexpr std::size_t kFirstPart = 1480;  // octets of IP payload in the first of two fragments
constexpr std::size_t kPadding = 1600;    // of the Vendor ID that makes a request need two

struct Options {
  std::string device;
  std::array<std::uint8_t, 6> to{};
  std::uint32_t destination = 0;
  std::uint32_t near = 0;  // a /24 of which a tenth of the sources are
  double seconds = 0;
  double rate = 0;     // requests a second; 0: as many as go
  int fragmented = 0;  // of a hundred
};

// Of one datagram, ready to be changed and sent: the IP payload, UDP header first.
struct Request {
  std::vector<std::uint8_t> datagram;
  std::size_t spi = 0, nonce = 0;
  std::uint32_t sum = 0;  // of its words, with SPI, the nonce's first eight octets and the checksum zero
};

void append(std::vector<std::uint8_t>& to, std::initializer_list<unsigned> octets) {
  for (const auto octet : octets) to.push_back(static_cast<std::uint8_t>(octet));
}

// Ones' complement sum of 16-bit words in network order, not folded; `octets` is even.
std::uint32_t sum_of(const std::uint8_t* at, std::size_t octets) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < octets; i += 2) sum += static_cast<std::uint32_t>(at[i] << 8 | at[i + 1]);
  return sum;
}

std::uint16_t folded(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

void put16(std::uint8_t* at, std::size_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}

// RFC 7296 3: one proposal (AES-GCM-16 of 128 bits, PRF-HMAC-SHA2-256, Curve25519), KE, nonce, NAT detection.
Request make_request(bool long_one) {
  Request out;
  auto& data = out.datagram;
  append(data, {0x01, 0xf4, 0x01, 0xf4, 0, 0, 0, 0});  // UDP, 500 to 500
  out.spi = data.size();
  data.resize(data.size() + 16);
  append(data, {33, 0x20, 34, 0x08, 0, 0, 0, 0, 0, 0, 0, 0});
  append(data, {34, 0, 0, 40, 0, 0, 0, 36, 1, 1, 0, 3});
  append(data, {3, 0, 0, 12, 1, 0, 0, 20, 0x80, 0x0e, 0, 128, 3, 0, 0, 8, 2, 0, 0, 5, 0, 0, 0, 8, 4, 0, 0, 31});
  append(data, {40, 0, 0, 40, 0, 31, 0, 0});
  for (unsigned i = 0; i < 32; ++i) append(data, {i * 7 + 9});
  append(data, {41, 0, 0, 36});
  out.nonce = data.size();
  for (unsigned i = 0; i < 32; ++i) append(data, {i < 8 ? 0 : i});
  for (const unsigned type : {16388U, 16389U}) {
    const bool last = type == 16389U;
    append(data, {last ? (long_one ? 43U : 0U) : 41U, 0, 0, 28, 0, 0, type >> 8, type & 0xff});
    for (unsigned i = 0; i < 20; ++i) append(data, {type + i});
  }
  if (long_one) {
    append(data, {0, 0, (kPadding + 4) >> 8, (kPadding + 4) & 0xff});
    data.resize(data.size() + kPadding, 'x');
  }
  put16(&data[4], data.size());
  const std::size_t ike = data.size() - kUdp;
  put16(&data[kUdp + 26], ike);
  out.sum = sum_of(data.data(), data.size());
  return out;
}

class Source {
 public:
  explicit Source(std::uint64_t seed) : state_(seed | 1) {}
  std::uint64_t next() {  // xorshift64*
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1dULL;
  }

 private:
  std::uint64_t state_;
};

class Flood {
 public:
  Flood(const Options& options, int socket, const std::array<std::uint8_t, 6>& from)
      : options_(options), socket_(socket), random_(std::random_device{}()) {
    for (auto& frame : frames_) {
      std::copy(options.to.begin(), options.to.end(), frame.begin());
      std::copy(from.begin(), from.end(), frame.begin() + 6);
      put16(&frame[12], ETHERTYPE_IP);
    }
  }

  // Whole batches, until the time is over.
  void run() {
    using Clock = std::chrono::steady_clock;
    const auto began = Clock::now();
    const auto passed = [&] { return std::chrono::duration<double>(Clock::now() - began).count(); };
    for (double now = 0; now < options_.seconds && stopped == 0; now = passed()) {
      if (options_.rate > 0 && static_cast<double>(requests_) > options_.rate * now) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        continue;
      }
      batch();
    }
    std::printf("{\"requests\": %llu, \"frames\": %llu, \"refused\": %llu, \"seconds\": %.3f}\n",
                static_cast<unsigned long long>(requests_), static_cast<unsigned long long>(sent_),
                static_cast<unsigned long long>(refused_), passed());
  }

 private:
  void batch() {
    used_ = 0;
    const std::size_t most = options_.rate > 0 ? 8 : kBatch;
    while (used_ + 2 <= most) request();
    std::array<mmsghdr, kBatch> messages{};
    std::array<iovec, kBatch> parts{};
    for (std::size_t i = 0; i < used_; ++i) {
      parts[i] = {frames_[i].data(), lengths_[i]};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (std::size_t done = 0; done < used_;) {
      const int taken = sendmmsg(socket_, &messages[done], static_cast<unsigned>(used_ - done), 0);
      if (taken > 0) {
        sent_ += static_cast<std::uint64_t>(taken);
        done += static_cast<std::size_t>(taken);
      } else if (errno == ENOBUFS || errno == EAGAIN || errno == EINTR) {
        ++refused_;  // the frame is lost, as on any wire
        ++done;
      } else {
        std::perror("sendmmsg");
        std::exit(1);
      }
    }
  }

  void request() {
    ++requests_;
    const bool in_two = static_cast<int>(random_.next() % 100) < options_.fragmented;
    Request& request = in_two ? long_ : short_;
    auto& data = request.datagram;
    const auto spi = random_.next() | 1, nonce = random_.next();
    std::memcpy(&data[request.spi], &spi, sizeof spi);
    std::memcpy(&data[request.nonce], &nonce, sizeof nonce);
    const auto word = random_.next();
    // 198.18.0.0/15 is for such things (RFC 2544).
    const std::uint32_t source =
        word % 10 == 0 ? (options_.near & 0xffffff00U) | (word >> 32 & 0xff) : 0xc6120000U | (word >> 32 & 0x1ffffU);
    const std::uint32_t pseudo = (source >> 16) + (source & 0xffff) + (options_.destination >> 16) +
                                 (options_.destination & 0xffff) + IPPROTO_UDP +
                                 static_cast<std::uint32_t>(data.size());
    const auto checksum =
        folded(request.sum + sum_of(&data[request.spi], 8) + sum_of(&data[request.nonce], 8) + pseudo);
    put16(&data[6], checksum == 0 ? 0xffff : checksum);
    const auto id = static_cast<std::uint16_t>(word >> 16);
    if (!in_two) return frame(data.data(), data.size(), source, id, 0);
    frame(data.data(), kFirstPart, source, id, 0x2000);
    frame(data.data() + kFirstPart, data.size() - kFirstPart, source, id, kFirstPart / 8);
  }

  void frame(const std::uint8_t* payload, std::size_t octets, std::uint32_t source, std::uint16_t id,
             std::size_t fragment) {
    auto& frame = frames_[used_];
    std::uint8_t* ip = &frame[kEther];
    ip[0] = 0x45;
    ip[1] = 0;
    put16(ip + 2, kIp + octets);
    put16(ip + 4, id);
    put16(ip + 6, fragment);
    ip[8] = 60;
    ip[9] = IPPROTO_UDP;
    put16(ip + 10, 0);
    const std::uint32_t ends[2] = {htonl(source), htonl(options_.destination)};
    std::memcpy(ip + 12, ends, sizeof ends);
    put16(ip + 10, folded(sum_of(ip, kIp)));
    std::memcpy(ip + kIp, payload, octets);
    lengths_[used_++] = kEther + kIp + octets;
  }

  const Options& options_;
  int socket_;
  Source random_;
  Request short_ = make_request(false), long_ = make_request(true);
  std::array<std::array<std::uint8_t, 1536>, kBatch> frames_{};
  std::array<std::size_t, kBatch> lengths_{};
  std::size_t used_ = 0;
  std::uint64_t requests_ = 0, sent_ = 0, refused_ = 0;
};

[[noreturn]] void usage() {
  std::fputs(
      "usage: espgate-flood DEVICE MAC ADDRESS NEAR SECONDS RATE FRAGMENTED\n"
      "  to ADDRESS at MAC; a tenth of the sources are of NEAR's /24; SECONDS at most 600;\n"
      "  RATE: requests a second, 0 for as many as go; FRAGMENTED: of a hundred\n",
      stderr);
  std::exit(1);
}

std::uint32_t address(const char* text) {
  in_addr out{};
  if (inet_pton(AF_INET, text, &out) != 1) usage();
  return ntohl(out.s_addr);
}

Options parse(char** words) {
  Options out;
  out.device = words[1];
  auto& to = out.to;
  if (std::sscanf(words[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &to[0], &to[1], &to[2], &to[3], &to[4], &to[5]) != 6)
    usage();
  out.destination = address(words[3]);
  out.near = address(words[4]);
  out.seconds = std::atof(words[5]);
  out.rate = std::atof(words[6]);
  out.fragmented = std::atoi(words[7]);
  if (!(out.seconds > 0 && out.seconds <= 600)) usage();
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) usage();
  const Options options = parse(argv);
  const int socket = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strncpy(request.ifr_name, options.device.c_str(), IFNAMSIZ - 1);
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_ifindex = static_cast<int>(if_nametoindex(options.device.c_str()));
  const int one = 1;
  if (socket < 0 || at.sll_ifindex == 0 || ioctl(socket, SIOCGIFHWADDR, &request) != 0 ||
      setsockopt(socket, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) != 0 ||
      bind(socket, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) {
    std::perror(options.device.c_str());
    return 1;
  }
  std::array<std::uint8_t, 6> from{};
  std::memcpy(from.data(), request.ifr_hwaddr.sa_data, from.size());
  std::signal(SIGTERM, [](int) { stopped = 1; });
  Flood(options, socket, from).run();
  close(socket);
}
