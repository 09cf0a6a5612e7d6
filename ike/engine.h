// SPDX-License-Identifier: Apache-2.0
// The IKEv2 engine (RFC 7296), sans-IO: inputs with the time in, actions out. It opens no socket, reads no clock, draws
// randomness only from the Rng given, and gives the same actions for the same inputs. Not thread-safe: one thread, one
// engine. Key shares of the ECP and MODP groups come from OpenSSL's own generator (see ike/crypto/key_exchange.h).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "ike/api.h"
#include "ike/context.h"

namespace espgate::ike {

class Engine {
 public:
  using Options = EngineOptions;

  // `rng` must outlive the engine. Without a Load the engine has no connections and refuses everybody.
  Engine(Options options, Rng& rng);
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  // `now` never goes back from one call to the next.
  std::vector<Action> on_datagram(base::Instant now, Datagram datagram);
  std::vector<Action> on_command(base::Instant now, Command command);
  std::vector<Action> on_answer(base::Instant now, ChildAnswer answer);
  std::vector<Action> on_timer(base::Instant now);  // everything due
  [[nodiscard]] std::optional<base::Instant> next_timer() const;

 private:
  std::unique_ptr<Context> context_;
};

}  // namespace espgate::ike
