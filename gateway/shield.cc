// SPDX-License-Identifier: Apache-2.0
#include "gateway/shield.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "gateway/clock.h"
#include "gateway/log.h"

namespace espgate::gateway {

namespace {

constexpr auto kRound = std::chrono::seconds(1);

loader::CookieSecret for_loader(const ike::CookieSecrets::One& secret) { return {secret.number, secret.key.clone()}; }

void expect(const base::Result<void>& done) {
  if (!done) log_error("shield: " + done.error().text());
}

void say(const ShieldTale::Line& line) { line.begins ? log_warn(line.text) : log_info(line.text); }

std::string rate(const char* what, std::uint32_t packets) {
  return packets == 0 ? fmt::format("{}: no limit", what) : fmt::format("{}: {} a second", what, packets);
}

std::string text_of(const loader::ShieldRules& rules) {
  if (!rules.active) return "shield: off, packets are only counted";
  return fmt::format("shield: on; {}, {}, {}; unknown SPIs are {}",
                     rate("IKE_SA_INIT without a cookie", rules.cookie_rate), rate("fragments", rules.fragment_rate),
                     rate("other IKE of one source prefix", rules.source_rate),
                     rules.drop_unknown ? "dropped" : "counted");
}

}  // namespace

loader::XdpWish xdp_wish(const control::ShieldOptions& shield) {
  if (shield.dispatcher) return loader::XdpWish::dispatcher;
  return shield.mode == control::ShieldMode::generic ? loader::XdpWish::generic : loader::XdpWish::native;
}

ShieldSide::ShieldSide(asio::io_context& io, loader::Loader& loader,
                       std::function<void(ike::CookieSecrets)> tell_engine)
    : loader_(loader), tell_engine_(std::move(tell_engine)), rotation_(io), round_(io) {}

void ShieldSide::begin() { rotate(); }

// The engine first: it then knows every cookie that the shield lets through.
void ShieldSide::rotate() {
  secrets_.rotate(rng_);
  tell_engine_(secrets_.clone());
  std::optional<loader::CookieSecret> before;
  if (!secrets_.before().key.empty()) before = for_loader(secrets_.before());
  expect(loader_.set_cookie_secrets(for_loader(secrets_.present()), before));
  rotation_.expires_after(ike::CookieSecrets::kRotation);
  rotation_.async_wait([this](std::error_code error) {
    if (!error) rotate();
  });
}

// Whom it lets through is settled before it acts.
void ShieldSide::configure(const control::Configuration& config) {
  const auto& shield = config.gateway.shield;
  if (auto done = loader_.set_spread(config.gateway.spread); !done) log_warn("spread: " + done.error().text());
  allow(shield.rules.active ? control::shield_allowed(config) : std::vector<base::Prefix>{});
  if (shield.rules.active && !loader_.capabilities().accounting) {
    log_warn("shield: nothing is kept away, for the BPF programs cannot be had");
  }
  set(shield.rules);
}

void ShieldSide::set(const loader::ShieldRules& rules) {
  if (rules_ == rules) return;
  const bool was_active = rules_ && rules_->active;
  rules_ = rules;
  auto in_force = rules;
  if (auto done = loader_.set_shield(rules); !done) {
    in_force.drop_unknown = rules.drop_unknown && done.error().code != ENOTSUP;
    log_warn("shield: " + done.error().text());
  }
  if (loader_.capabilities().accounting && (rules.active || was_active)) log_info(text_of(in_force));
  if (rules.active == was_active) return;
  if (rules.active) return watch();
  round_.cancel();
  for (const auto& line : tale_.finish(now())) say(line);
}

void ShieldSide::allow(std::vector<base::Prefix> sources) {
  if (allowed_ == sources) return;
  expect(loader_.set_allowed(sources));
  allowed_ = std::move(sources);
}

void ShieldSide::watch() {
  const auto* reader = loader_.reader();
  if (reader == nullptr || !rules_->active) return;
  for (const auto& line : tale_.look(now(), reader->shield())) say(line);
  round_.expires_after(kRound);
  round_.async_wait([this](std::error_code error) {
    if (!error) watch();
  });
}

void ShieldSide::stop() {
  rotation_.cancel();
  auto rules = rules_.value_or(loader::ShieldRules{});
  rules.active = false;
  set(rules);
}

}  // namespace espgate::gateway
