// SPDX-License-Identifier: Apache-2.0
// A load of IKE SAs: thousands of initiators on one address and port, told apart by their SPIs alone, each with an
// identity of its own, one shared secret for all or a certificate of its own, the same selectors, INITIAL_CONTACT in
// each first request. Each is an engine of ours with one connection. For namespaces that the caller made.
//
// usage: espgate-ike-load CONF CONNECTION LOCAL REMOTE COUNT HALF_OPEN SECONDS [CA_CERT CA_KEY]
//   CONF: a swanctl.conf whose CONNECTION is the pattern; "%" in its local id stands for the initiator's number.
//   CA_CERT, CA_KEY: PEM files of who issues the certificates, of the key that CONNECTION has, to "%" of its local id.
//   HALF_OPEN: at most so many set-ups at a time; SECONDS: to give up after.
// Prints one line of JSON when all are up or given up, and keeps them alive, answering the peer, until stdin ends.
#include <openssl/pem.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "control/config/model.h"
#include "gateway/clock.h"
#include "gateway/udp.h"
#include "ike/crypto/rng.h"
#include "ike/engine.h"
#include "tests/pki/pki.h"

namespace {

using namespace espgate;

constexpr std::uint16_t kPort = 500, kNattPort = 4500;

struct Options {
  base::Endpoint local, remote;
  std::size_t count = 0, half_open = 0;
  double seconds = 0;
  std::optional<pki::Entity> authority;
};

struct Tally {
  std::size_t begun = 0, up = 0, failed = 0, gone = 0, rekeyed = 0;
  std::uint64_t sent = 0, received = 0;
  std::string first_failure;
};

std::string replaced(std::string text, std::size_t number) {
  if (const auto at = text.find('%'); at != std::string::npos) text.replace(at, 1, std::to_string(number));
  return text;
}

class Load {
 public:
  Load(const Options& options, const ike::Config& pattern, std::shared_ptr<const ike::ConnConfig> conn,
       std::vector<gateway::UdpSocket> sockets)
      : options_(options), pattern_(pattern), conn_(std::move(conn)), sockets_(std::move(sockets)) {
    engines_.resize(options_.count);
  }

  int run() {
    const auto began = gateway::now();
    bool told = false;
    while (true) {
      const double passed = std::chrono::duration<double>(gateway::now() - began).count();
      const bool over = passed > options_.seconds;
      while (!over && tally_.begun < options_.count && tally_.begun - tally_.up - tally_.failed < options_.half_open) {
        begin(tally_.begun++);
      }
      if (!told && (over || tally_.up + tally_.failed == options_.count)) {
        tell(passed);
        told = true;
      }
      if (!wait(told)) break;
      receive();
      timers();
    }
    tell(std::chrono::duration<double>(gateway::now() - began).count());
    return tally_.up == options_.count ? 0 : 2;
  }

 private:
  void tell(double seconds) const {
    std::printf(
        "{\"count\": %zu, \"begun\": %zu, \"up\": %zu, \"failed\": %zu, \"gone\": %zu, \"rekeyed\": %zu, "
        "\"sent\": %llu, \"received\": %llu, \"seconds\": %.3f, \"first_failure\": \"%s\"}\n",
        options_.count, tally_.begun, tally_.up, tally_.failed, tally_.gone, tally_.rekeyed,
        static_cast<unsigned long long>(tally_.sent), static_cast<unsigned long long>(tally_.received), seconds,
        tally_.first_failure.c_str());
    std::fflush(stdout);
  }

  void begin(std::size_t number) {
    ike::EngineOptions options;
    options.wall_clock = [](base::Instant instant) { return gateway::epoch_seconds(instant); };
    // The low bits of its SPIs: of thousands at one address no two may choose the same one of ESP.
    options.index = static_cast<std::uint32_t>(number % 64);
    engines_[number] = std::make_unique<ike::Engine>(std::move(options), rng_);
    auto own = std::make_shared<ike::ConnConfig>(*conn_);
    own->local.id = *ike::Identity::parse(replaced(conn_->local.id.text(), number));
    if (options_.authority) own->local.credentials = {certified(own->local)};
    auto config = std::make_shared<ike::Config>();
    config->conns = {own};
    for (const auto& secret : pattern_.secrets) config->secrets.push_back({secret.name, {}, secret.key.clone()});
    config->retransmission = pattern_.retransmission;
    const auto now = gateway::now();
    act(number, engines_[number]->on_command(now, ike::Load{std::move(config)}));
    act(number, engines_[number]->on_command(
                    now, ike::Initiate{{1}, own->name, own->children.front().name, options_.local, options_.remote}));
  }

  [[nodiscard]] ike::Credential certified(const ike::AuthConfig& local) const {
    auto out = local.credentials.at(0);
    EVP_PKEY* const key = out.key->native();
    EVP_PKEY_up_ref(key);
    pki::Wish wish;
    wish.subject = "O=espgate, CN=" + local.id.text();
    wish.names = {"DNS:" + local.id.text()};
    out.cert = pki::issue(*options_.authority, wish, pki::Key(key, EVP_PKEY_free)).cert;
    return out;
  }

  void act(std::size_t number, std::vector<ike::Action> actions) {
    for (auto& action : actions) {
      if (auto* send = std::get_if<ike::Send>(&action)) {
        const auto& data = send->datagram.data;
        // The initiator's SPI of the IKE SA that this belongs to, or the responder's, after the peer's rekey.
        owners_[ours(data)] = number;
        ++tally_.sent;
        (void)sockets_[send->datagram.natt ? 1 : 0].send(send->datagram);
      } else if (auto* install = std::get_if<ike::InstallChild>(&action)) {
        answer(number, install->id);
      } else if (auto* add = std::get_if<ike::AddInbound>(&action)) {
        answer(number, add->id);
      } else if (auto* order = std::get_if<ike::SwitchOutbound>(&action)) {
        answer(number, order->id);
      } else if (auto* done = std::get_if<ike::CommandDone>(&action)) {
        if (done->failure && tally_.first_failure.empty()) tally_.first_failure = done->failure->text;
        ++(done->failure ? tally_.failed : tally_.up);
      } else if (auto* event = std::get_if<ike::Event>(&action)) {
        using Kind = ike::Event::Kind;
        if (event->kind == Kind::ike_down || event->kind == Kind::child_down) ++tally_.gone;
        if (event->kind == Kind::ike_rekeyed || event->kind == Kind::child_rekeyed) ++tally_.rekeyed;
      }
    }
    if (const auto due = engines_[number]->next_timer()) timers_.emplace(*due, number);
  }

  void answer(std::size_t number, ike::RequestId id) {
    act(number, engines_[number]->on_answer(gateway::now(), ike::ChildAnswer{id, ike::ChildInstalled{}}));
  }

  static std::uint64_t spi_at(const base::Bytes& message, std::size_t at) {
    std::uint64_t spi = 0;
    for (std::size_t i = 0; i < 8; ++i) spi = spi << 8 | message[at + i];
    return spi;
  }
  // Whose SPI is ours is said by the header's I flag (RFC 7296 3.1): set by the original initiator.
  static std::uint64_t ours(const base::Bytes& message) { return spi_at(message, (message[19] & 0x08) != 0 ? 0 : 8); }
  static std::uint64_t to(const base::Bytes& message) { return spi_at(message, (message[19] & 0x08) != 0 ? 8 : 0); }

  void receive() {
    for (auto& socket : sockets_) receive(socket);
  }

  void receive(gateway::UdpSocket& socket) {
    while (true) {
      auto datagrams = socket.receive();
      if (!datagrams || datagrams->empty()) return;
      for (auto& datagram : *datagrams) {
        ++tally_.received;
        if (datagram.data.size() < 28) continue;
        const auto owner = owners_.find(to(datagram.data));
        if (owner == owners_.end()) continue;
        const auto number = owner->second;
        act(number, engines_[number]->on_datagram(gateway::now(), std::move(datagram)));
      }
    }
  }

  void timers() {
    while (!timers_.empty() && timers_.top().first <= gateway::now()) {
      const auto [due, number] = timers_.top();
      timers_.pop();
      const auto next = engines_[number]->next_timer();
      if (next && *next <= gateway::now()) act(number, engines_[number]->on_timer(gateway::now()));
    }
  }

  // False: stdin has ended, and all was told.
  bool wait(bool told) {
    pollfd fds[3] = {
        {sockets_[0].fd(), POLLIN, 0}, {sockets_[1].fd(), POLLIN, 0}, {told ? STDIN_FILENO : -1, POLLIN, 0}};
    ::poll(fds, 3, 10);
    char octet = 0;
    return !(told && (fds[2].revents & (POLLIN | POLLHUP)) != 0 && ::read(STDIN_FILENO, &octet, 1) <= 0);
  }

  const Options& options_;
  const ike::Config& pattern_;
  std::shared_ptr<const ike::ConnConfig> conn_;
  std::vector<gateway::UdpSocket> sockets_;  // of kPort, of kNattPort
  ike::crypto::SystemRng rng_;
  std::vector<std::unique_ptr<ike::Engine>> engines_;
  std::unordered_map<std::uint64_t, std::size_t> owners_;  // by our IKE SPI
  using Due = std::pair<base::Instant, std::size_t>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> timers_;
  Tally tally_;
};

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "espgate-ike-load: %s\n", why.c_str());
  std::exit(1);
}

base::Endpoint endpoint(const char* text) {
  const auto address = base::Address::parse(text);
  if (!address) give_up(std::string("no address: ") + text);
  return {*address, kPort};
}

template <auto read>
auto from_pem(const char* path) {
  std::FILE* const file = std::fopen(path, "r");
  if (file == nullptr) give_up(std::string("cannot be opened: ") + path);
  auto* const out = read(file, nullptr, nullptr, nullptr);
  std::fclose(file);
  if (out == nullptr) give_up(std::string("cannot be read: ") + path);
  return out;
}

pki::Entity entity(const char* cert_file, const char* key_file) {
  X509* const cert = from_pem<PEM_read_X509>(cert_file);
  base::Bytes der(static_cast<std::size_t>(std::max(0, i2d_X509(cert, nullptr))));
  auto* at = der.data();
  i2d_X509(cert, &at);
  X509_free(cert);
  auto parsed = ike::crypto::Certificate::from_der(der);
  if (!parsed) give_up(std::string("no certificate: ") + cert_file);
  return {pki::Key(from_pem<PEM_read_PrivateKey>(key_file), EVP_PKEY_free), std::move(*parsed)};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8 && argc != 10) {
    give_up("usage: espgate-ike-load CONF CONNECTION LOCAL REMOTE COUNT HALF_OPEN SECONDS [CA_CERT CA_KEY]");
  }
  Options options;
  options.local = endpoint(argv[3]);
  options.remote = endpoint(argv[4]);
  options.count = std::strtoul(argv[5], nullptr, 10);
  options.half_open = std::strtoul(argv[6], nullptr, 10);
  options.seconds = std::atof(argv[7]);
  if (argc == 10) options.authority = entity(argv[8], argv[9]);
  const auto loaded = control::load_file(argv[1]);
  if (!loaded.config) give_up(control::check_config(argv[1]).text);
  const auto& ike = *loaded.config->ike;
  const auto conn = std::ranges::find(ike.conns, std::string(argv[2]), [](const auto& one) { return one->name; });
  if (conn == ike.conns.end() || (*conn)->children.empty()) give_up("no such connection, or one without children");
  std::vector<gateway::UdpSocket> sockets;
  for (const auto port : {kPort, kNattPort}) {
    auto socket = gateway::UdpSocket::open(options.local.address.family(), port, port == kNattPort, false);
    if (!socket) give_up(socket.error().text());
    sockets.push_back(std::move(*socket));
  }
  return Load(options, ike, *conn, std::move(sockets)).run();
}
