// SPDX-License-Identifier: Apache-2.0
// One IKE engine on one thread with its own sockets. Everything else reaches it, and it everything else, by bounded
// queues; nothing is shared.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <variant>
#include <vector>

#include "gateway/exchange_counts.h"
#include "gateway/queue.h"
#include "gateway/state_store.h"
#include "gateway/udp.h"
#include "ike/api.h"

namespace espgate::gateway {

using EngineInput = std::variant<ike::Command, ike::ChildAnswer>;
using EngineOutput = std::variant<ike::InstallChild, ike::AddInbound, ike::SwitchOutbound, ike::RetireSa,
                                  ike::RemoveChild, ike::Event, ike::CommandDone, ike::ListResult>;

class EngineThread {
 public:
  struct Options {
    std::uint32_t index = 0;
    std::size_t queue_limit = 65536;
    std::size_t half_open_limit = 0;  // 0: none
    StateStore* state = nullptr;      // where SAs are recorded; none: they are not
    std::function<void()> wake_main;  // called on the engine's thread when its output queue stops being empty
  };

  EngineThread(Options options, std::vector<UdpSocket> sockets);
  ~EngineThread();  // stops and joins
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  // Once: carries out what was posted until now, and then listens.
  void begin();
  // From the main thread. False: the queue is full and nothing was taken.
  bool post(EngineInput input);
  std::vector<EngineOutput> take_output() { return output_.drain(); }
  // For the watchdog: asks its loop to answer, which it does between two inputs; and how often it has.
  void ask();
  [[nodiscard]] std::uint64_t answers() const { return answers_.load(std::memory_order_relaxed); }
  [[nodiscard]] const ExchangeCounts& counts() const { return counts_; }

 private:
  class Loop;
  BoundedQueue<EngineInput> input_;
  BoundedQueue<EngineOutput> output_;
  std::atomic<std::uint64_t> answers_{0};
  ExchangeCounts counts_;
  Options options_;
  std::unique_ptr<Loop> loop_;
};

}  // namespace espgate::gateway
