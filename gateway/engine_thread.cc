// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine_thread.h"

#include <fmt/format.h>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <deque>
#include <iterator>
#include <limits>
#include <list>
#include <thread>
#include <type_traits>
#include <utility>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/privilege.h"
#include "ike/crypto/rng.h"
#include "ike/engine.h"

namespace espgate::gateway {

namespace {
constexpr std::size_t kAskedAtOnce = 32;
}  // namespace

// Lives on the engine's thread, but for start and stop.
class EngineThread::Loop {
 public:
  Loop(EngineThread& owner, std::vector<UdpSocket> sockets)
      : owner_(owner), engine_(engine_options(owner), rng_), timer_(io_) {
    for (auto& socket : sockets) sockets_.emplace_back(io_, std::move(socket));
  }

  ~Loop() {
    if (thread_.joinable()) {
      asio::post(io_, [this] {
        release();
        io_.stop();
      });
    } else {
      release();
    }
  }

  // Nothing is read before the thread runs; but to wait takes calls that it has given up (ioctl).
  void begin() {
    for (auto& watched : sockets_) wait(watched);
    thread_ = std::jthread([this] {
      confine_engine_thread();
      take_input();
      io_.run();
    });
  }

  void wake() {
    asio::post(io_, [this] { take_input(); });
  }
  void answer() {
    asio::post(io_, [this] { owner_.answers_.fetch_add(1, std::memory_order_relaxed); });
  }

 private:
  struct Watched {
    Watched(asio::io_context& io, UdpSocket opened) : socket(std::move(opened)), descriptor(io, socket.fd()) {}
    UdpSocket socket;
    asio::posix::stream_descriptor descriptor;
  };

  // Descriptors are released, not closed: their owners are the sockets.
  void release() {
    for (auto& watched : sockets_) (void)watched.descriptor.release();
  }

  static ike::Engine::Options engine_options(const EngineThread& owner) {
    ike::Engine::Options options;
    options.index = owner.options_.index;
    const auto limit = owner.options_.half_open_limit;
    options.half_open_limit = limit != 0 ? limit : std::numeric_limits<std::size_t>::max();
    options.records = owner.options_.state != nullptr;
    options.wall_clock = [](base::Instant instant) { return epoch_seconds(instant); };
    return options;
  }

  void wait(Watched& watched) {
    watched.descriptor.async_wait(asio::posix::stream_descriptor::wait_read, [this, &watched](std::error_code error) {
      if (error) return;
      read(watched);
      wait(watched);
    });
  }

  void read(Watched& watched) {
    auto datagrams = watched.socket.receive();
    if (!datagrams) return log_error_limited("receive", datagrams.error().text());
    if (const auto lost = watched.socket.take_lost(); lost != 0) {
      log_warn_limited("overflow", fmt::format("UDP port {}: {} datagrams were lost, the receive buffer was full",
                                               watched.socket.port(), lost));
    }
    for (auto& datagram : *datagrams) {
      owner_.counts_.received(datagram.data);
      carry_out(engine_.on_datagram(now(), std::move(datagram)));
    }
  }

  // All there is; but after some peers were asked the sockets have a look in between: ten thousand that are to be asked
  // at once must not cost the answers of the first.
  void take_input() {
    if (waiting_.empty()) waiting_ = take_all();
    for (std::size_t asked = 0; asked < kAskedAtOnce && !waiting_.empty();) {
      EngineInput input = std::move(waiting_.front());
      waiting_.pop_front();
      if (auto* command = std::get_if<ike::Command>(&input)) {
        if (std::holds_alternative<ike::Initiate>(*command)) ++asked;
        carry_out(engine_.on_command(now(), std::move(*command)));
      } else {
        carry_out(engine_.on_answer(now(), std::move(std::get<ike::ChildAnswer>(input))));
      }
    }
    // What came meanwhile has woken nobody else.
    if (waiting_.empty()) waiting_ = take_all();
    if (!waiting_.empty()) wake();
  }

  std::deque<EngineInput> take_all() {
    auto all = owner_.input_.drain();
    return {std::make_move_iterator(all.begin()), std::make_move_iterator(all.end())};
  }

  void carry_out(std::vector<ike::Action> actions) {
    for (auto& action : actions) {
      std::visit([this](auto&& value) { carry_out_one(std::forward<decltype(value)>(value)); }, std::move(action));
    }
    arm_timer();
  }

  // What comes after it waits for it.
  void carry_out_one(ike::Record&& record) {
    if (auto kept = owner_.options_.state->commit(record); !kept) log_error_limited("record", kept.error().text());
  }

  void carry_out_one(ike::Send&& send) {
    owner_.counts_.sent(send.datagram.data);
    for (auto& watched : sockets_) {
      if (watched.socket.family() != send.datagram.local.address.family()) continue;
      if (watched.socket.natt() != send.datagram.natt) continue;
      if (auto sent = watched.socket.send(send.datagram); !sent) log_warn_limited("send", sent.error().text());
      return;
    }
  }

  void carry_out_one(ike::Keepalive&& keepalive) {
    for (auto& watched : sockets_) {
      if (!watched.socket.natt() || watched.socket.family() != keepalive.local.address.family()) continue;
      (void)watched.socket.send_keepalive(keepalive);  // the next one is as good
    }
  }

  // What strangers can cause without end may be lost: an install that nobody answers is given up by the engine itself.
  // All else is bounded by the SAs there are, and would leave an SA in the kernel, or somebody waiting, for ever.
  static bool may_be_lost(const ike::Event& event) {
    return event.kind == ike::Event::Kind::dropped || event.kind == ike::Event::Kind::peer_refused;
  }
  template <class T>
  static constexpr bool may_be_lost(const T&) {
    return std::is_same_v<T, ike::InstallChild> || std::is_same_v<T, ike::AddInbound>;
  }

  template <class T>
  void carry_out_one(T&& value) {
    const bool beyond = !may_be_lost(std::as_const(value));
    switch (owner_.output_.push(EngineOutput(std::forward<T>(value)), beyond)) {
      case BoundedQueue<EngineOutput>::Pushed::first:
        owner_.options_.wake_main();
        break;
      case BoundedQueue<EngineOutput>::Pushed::more:
        break;
      case BoundedQueue<EngineOutput>::Pushed::refused:
        log_warn_limited("behind", "the main thread is behind: an install or a stranger's datagram is not told to it");
        break;
    }
  }

  void arm_timer() {
    const auto due = engine_.next_timer();
    if (due == armed_for_) return;
    armed_for_ = due;
    if (!due) {
      timer_.cancel();
      return;
    }
    timer_.expires_at(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(*due));
    timer_.async_wait([this](std::error_code error) {
      if (error) return;
      armed_for_.reset();
      carry_out(engine_.on_timer(now()));
    });
  }

  EngineThread& owner_;
  ike::crypto::SystemRng rng_;
  ike::Engine engine_;
  asio::io_context io_{1};
  asio::steady_timer timer_;
  std::optional<base::Instant> armed_for_;
  std::list<Watched> sockets_;
  std::deque<EngineInput> waiting_;  // taken from the queue, not yet done
  std::jthread thread_;              // last: joined before anything it uses goes
};

EngineThread::EngineThread(Options options, std::vector<UdpSocket> sockets)
    : input_(options.queue_limit), output_(options.queue_limit), options_(std::move(options)) {
  loop_ = std::make_unique<Loop>(*this, std::move(sockets));
}

EngineThread::~EngineThread() = default;

void EngineThread::ask() { loop_->answer(); }
void EngineThread::begin() { loop_->begin(); }

bool EngineThread::post(EngineInput input) {
  switch (input_.push(std::move(input))) {
    case BoundedQueue<EngineInput>::Pushed::first:
      loop_->wake();
      return true;
    case BoundedQueue<EngineInput>::Pushed::more:
      return true;
    case BoundedQueue<EngineInput>::Pushed::refused:
      return false;
  }
  return false;
}

}  // namespace espgate::gateway
