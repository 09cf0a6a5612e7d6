// SPDX-License-Identifier: Apache-2.0
// A stage for the watch: children whose traffic, cards and peers are played, and whose rekeys take a while.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "sad/watch.h"
#include "world.h"

namespace espgate::sad {
using base::ChildId;
using base::OffloadWanted;
using std::chrono::seconds;

// What becomes of a child's packets, in percent.
struct Card {
  unsigned out_wrong = 0;  // leave wrong, or not at all
  unsigned in_wrong = 0;   // fail the integrity check after it decrypted them
  unsigned in_lost = 0;
};
struct Peer {
  double sends = 0;        // packets a second of its own accord
  unsigned answers = 100;  // of what arrives, percent
  unsigned corrupts = 0;   // percent, so that they fail here
  std::function<bool(int second)> there = [](int) { return true; };
};

struct Played {
  std::string name;
  double out = 10;  // packets a second
  Card card;
  Peer peer;
  unsigned loss = 0;  // percent each way
  OffloadWanted wanted = OffloadWanted::automatic;
  std::string address = "192.0.2.1";
  // As it stands.
  std::uint64_t id = 0, old = 0;
  bool hardware = false, held = false;
  std::map<std::uint64_t, Reading> readings{};
  double owed = 0, owed_in = 0;
  int demoted = 0;            // times that a trial put it into software
  std::vector<int> trials{};  // seconds
  std::optional<int> rekey_at{};
};

class Stage {
 public:
  explicit Stage(std::vector<Played> children, int rekey_takes = 1) : rekey_takes_(rekey_takes) {
    for (auto& each : children) {
      cast_.push_back(std::move(each));
      install(cast_.back());
    }
  }

  void run(int until) {
    for (; second_ < until; ++second_) {
      for (auto& each : cast_) {
        if (each.rekey_at && second_ >= *each.rekey_at) install(each);
      }
      for (auto& each : cast_) traffic(each);
      std::map<ChildId, Reading*> all;
      for (auto& each : cast_) {
        for (auto& [id, reading] : each.readings) all.emplace(ChildId{id}, &reading);
      }
      for (const auto& some : {watch.wanted(), watch.in_software()}) {
        for (const auto id : some) {
          if (const auto at = all.find(id); at != all.end()) watch.count(id, *at->second);
        }
      }
      for (const auto& order : watch.round(now())) std::visit([this](const auto& one) { obey(one); }, order);
    }
  }
  Played& child(const std::string& name) {
    for (auto& each : cast_) {
      if (each.name == name) return each;
    }
    ADD_FAILURE() << name;
    return cast_.front();
  }
  [[nodiscard]] WatchState state(const std::string& name) { return *watch.state({child(name).id}); }
  void forgive(const std::string& suite) {
    distrusted.reset();
    watch.forgiven("nic0", suite);
  }
  void install(Played& each) {
    each.rekey_at.reset();
    auto spec = generation(next_id_, each.id, each.wanted).child;
    if (each.id == 0) spec.replaces.reset();
    spec.child = each.name;
    spec.remote.address = address(each.address);
    watch.begins(spec, "nic0");
    each.old = each.id;
    each.id = next_id_++;
    Carried carried{{each.id}, "nic0", true, true, Reason::none, 0};
    const bool strict = each.wanted == OffloadWanted::crypto;
    if (each.held && !strict) carried.reason = Reason::suspected;
    if (distrusted && !strict) carried.reason = Reason::distrusted;
    if (each.wanted == OffloadWanted::no) carried.wanted = carried.hardware = false;
    if (carried.reason != Reason::none) carried.hardware = false;
    if (carried.reason == Reason::suspected && each.hardware) {
      ++each.demoted;
      each.trials.push_back(second_);
    }
    each.hardware = carried.hardware;
    watch.carried(now(), carried);
    if (each.old != 0) watch.gone({{each.old}});
    each.readings.erase(each.old);
  }
  [[nodiscard]] base::Instant now() const { return base::Instant(seconds(second_ + 1)); }
  bool said(std::string_view what) const {
    return std::ranges::any_of(log, [&](const auto& line) { return line.find(what) != std::string::npos; });
  }
  std::string text() const {
    std::string out;
    for (const auto& line : log) out += line + "\n";
    return out;
  }

  Watch watch;
  std::optional<Convict> distrusted;
  std::vector<std::string> log;
  std::vector<int> convicted_at;
  int orders = 0;
  unsigned seed = 1;

 private:
  bool chance(unsigned percent) { return std::uniform_int_distribution<unsigned>(0, 99)(random_) < percent; }
  void traffic(Played& each) {
    auto& reading = each.readings[each.id];
    const Card card = each.hardware ? each.card : Card{};
    const auto arrive = [&] {
      if (each.peer.corrupts != 0 && chance(each.peer.corrupts)) return void(++reading.failed);
      if (chance(card.in_lost) || chance(each.loss)) return;
      ++(chance(card.in_wrong) ? reading.failed : reading.in);
    };
    const bool there = each.peer.there(second_);
    for (each.owed += each.out; each.owed >= 1; each.owed -= 1) {
      ++(each.hardware ? reading.out_hardware : reading.out_software);
      if (chance(card.out_wrong) || chance(each.loss) || !there) continue;
      if (chance(each.peer.answers)) arrive();
    }
    for (each.owed_in += each.peer.sends; each.owed_in >= 1; each.owed_in -= 1) {
      if (there) arrive();
    }
  }
  Played* of(ChildId id) {
    for (auto& each : cast_) {
      if (each.id == id.value || each.old == id.value) return &each;
    }
    return nullptr;
  }
  void rekey(Played& each) { each.rekey_at = second_ + rekey_takes_; }
  void obey(const TrySoftware& order) {
    ++orders;
    EXPECT_FALSE(order.why.hardware);
    EXPECT_EQ(order.why.reason, Reason::suspected);
    of(order.child)->held = true;
    rekey(*of(order.child));
  }
  void obey(const BackToHardware& order) {
    of(order.child)->held = false;
    rekey(*of(order.child));
  }
  void obey(const CallOff& order) { of(order.child)->held = false; }
  void obey(const Convict& order) {
    // The evidence has changed: in software something comes in, and nothing fails.
    const auto& seen = of(order.child)->readings[of(order.child)->id];
    if (!of(order.child)->hardware) {
      EXPECT_GT(seen.in, 0U);
      EXPECT_EQ(seen.failed, 0U);
    }
    distrusted = order;
    convicted_at.push_back(second_);
    of(order.child)->held = false;
    rekey(*of(order.child));
  }
  void obey(const Again& order) { rekey(*of(order.child)); }
  void obey(const WatchSays& order) { log.push_back(order.text); }

  std::vector<Played> cast_;
  int rekey_takes_;
  int second_ = 0;
  std::uint64_t next_id_ = 1;
  std::mt19937 random_{7};
};

inline Played played(const std::string& name, Card card = {}, double out = 10) {
  Played out_child;
  out_child.name = name;
  out_child.card = card;
  out_child.out = out;
  return out_child;
}

inline constexpr int kHalfAnHour = 1800;

}  // namespace espgate::sad
