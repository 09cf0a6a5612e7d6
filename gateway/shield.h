// SPDX-License-Identifier: Apache-2.0
// The shield's side of the main thread: its rules, the secrets of cookies, whom it lets through, and what it did.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <optional>
#include <vector>

#include "control/config/model.h"
#include "gateway/shield_tale.h"
#include "ike/cookies.h"
#include "ike/crypto/rng.h"
#include "loader/loader.h"

namespace espgate::gateway {

// How XDP is attached for it. Off: as for counting.
loader::XdpWish xdp_wish(const control::ShieldOptions& shield);

class ShieldSide {
 public:
  // `tell_engine` hands over what cookies are made with from now on.
  ShieldSide(asio::io_context& io, loader::Loader& loader, std::function<void(ike::CookieSecrets)> tell_engine);

  // The first secrets; from then on they rotate.
  void begin();
  // Rules and allow-list; take effect with the next packet.
  void configure(const control::Configuration& config);
  // Nothing is turned away any more.
  void stop();

 private:
  void rotate();
  void watch();
  void set(const loader::ShieldRules& rules);
  void allow(std::vector<base::Prefix> sources);

  loader::Loader& loader_;
  std::function<void(ike::CookieSecrets)> tell_engine_;
  asio::steady_timer rotation_, round_;
  ike::crypto::SystemRng rng_;
  ike::CookieSecrets secrets_;
  std::optional<loader::ShieldRules> rules_;  // as last set
  std::optional<std::vector<base::Prefix>> allowed_;
  ShieldTale tale_;
};

}  // namespace espgate::gateway
