// SPDX-License-Identifier: Apache-2.0
#include "tools/steer_sim/generate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <span>

namespace espgate::steer_sim {
namespace {

constexpr double interval_seconds = 10;
constexpr double churn_share = 0.005;
constexpr double swing = 0.9;  // of the day: from 0.1 to 1.9 of the mean
constexpr double heaviest = 1e9;

// splitmix64 (Steele, Lea, Flood 2014): the same numbers on every machine, unlike the standard's distributions.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>((next() >> 32) * n >> 32); }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::uint64_t state_;
};

template <typename T>
void shuffle(std::span<T> all, Dice& dice) {
  for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[dice.below(static_cast<std::uint32_t>(i))]);
}

// Lognormal factors with mean 1, drawn from by index: a million logarithms an interval would be most of the work.
std::array<float, 4096> noise_table(Dice& dice) {
  constexpr double sigma = 0.5;
  std::array<float, 4096> out{};
  for (auto& one : out) {
    const double normal = std::sqrt(-2 * std::log(1 - dice.unit())) * std::cos(2 * std::numbers::pi * dice.unit());
    one = static_cast<float>(std::exp(sigma * normal - sigma * sigma / 2));
  }
  return out;
}

class Crowd : public Trace {
 public:
  explicit Crowd(const Recipe& recipe) : recipe_(recipe) { Crowd::rewind(); }

  void rewind() override {
    dice_ = Dice(recipe_.seed);
    noise_ = noise_table(dice_);
    round_ = 0;
    rate_.resize(recipe_.sas);
    for (std::uint32_t i = 0; i < recipe_.sas; ++i) {
      rate_[i] = static_cast<float>(heaviest * std::pow(i + 1.0, -recipe_.alpha));
    }
    shuffle(std::span(rate_), dice_);
    hour_.resize(recipe_.sas);
    for (auto& hour : hour_) hour = static_cast<std::uint16_t>(dice_.below(hours));
    sa_.resize(recipe_.sas);
    std::iota(sa_.begin(), sa_.end(), 0U);
    issued_ = recipe_.sas;
    going_.clear();
    coming_.clear();
  }

  bool next(Interval& out) override {
    if (round_ == recipe_.rounds) return false;
    out.arrivals.clear();
    out.departures.clear();
    if (round_ == 0) {
      out.arrivals = sa_;
    } else {
      come(out);
    }
    if (recipe_.kind == Kind::churn || recipe_.kind == Kind::storm) choose_who_goes(out);
    send(out);
    ++round_;
    return true;
  }

  [[nodiscard]] std::uint64_t rounds() const override { return recipe_.rounds; }
  [[nodiscard]] double seconds() const override { return interval_seconds; }

 private:
  static constexpr std::uint32_t hours = 256;

  void come(Interval& out) {
    for (const auto place : coming_) out.arrivals.push_back(sa_[place] = issued_++);
  }

  // Those who go leave their rates to those who come, dealt anew: the crowd as a whole stays Zipf's.
  void choose_who_goes(Interval& out) {
    const auto many = std::max(1U, static_cast<std::uint32_t>(churn_share * recipe_.sas));
    const auto offset = dice_.below(recipe_.sas);
    const auto stride = recipe_.sas / many;
    going_.clear();
    for (std::uint32_t i = 0; i < many; ++i)
      going_.push_back((offset + i * stride + dice_.below(stride)) % recipe_.sas);
    std::sort(going_.begin(), going_.end());
    going_.erase(std::unique(going_.begin(), going_.end()), going_.end());
    for (const auto place : going_) out.departures.push_back(sa_[place]);
  }

  void send(Interval& out) {
    std::array<float, hours> tide{};
    const bool day = recipe_.kind == Kind::diurnal || recipe_.kind == Kind::storm;
    const double length = std::max(2.0, recipe_.rounds / 2.0);
    for (std::uint32_t h = 0; h < hours; ++h) {
      const double angle = 2 * std::numbers::pi * (round_ / length + static_cast<double>(h) / hours);
      tide[h] = static_cast<float>(day ? 1 + swing * std::sin(angle) : 1);
    }
    out.rows.resize(recipe_.sas);
    for (std::uint32_t i = 0; i < recipe_.sas; ++i) {
      out.rows[i] = {sa_[i], std::floor(static_cast<double>(rate_[i] * tide[hour_[i]] * noise_[dice_.next() >> 52]))};
    }
    deal_anew();
  }

  void deal_anew() {
    std::vector<float> rates;
    for (const auto place : going_) rates.push_back(rate_[place]);
    shuffle(std::span(rates), dice_);
    for (std::size_t i = 0; i < going_.size(); ++i) {
      rate_[going_[i]] = rates[i];
      hour_[going_[i]] = static_cast<std::uint16_t>(dice_.below(hours));
    }
    coming_ = going_;
  }

  Recipe recipe_;
  Dice dice_{0};
  std::array<float, 4096> noise_{};
  std::vector<float> rate_;
  std::vector<std::uint16_t> hour_;
  std::vector<Sa> sa_;
  std::vector<std::uint32_t> going_, coming_;
  Sa issued_ = 0;
  std::uint32_t round_ = 0;
};

class Alternator : public Trace {
 public:
  explicit Alternator(const Recipe& recipe) : recipe_(recipe), set_(std::min(recipe.slots, recipe.sas / 2)) {
    Alternator::rewind();
  }

  void rewind() override {
    dice_ = Dice(recipe_.seed);
    order_.resize(recipe_.sas);
    std::iota(order_.begin(), order_.end(), 0U);
    // The loud ones are installed first: a device filled blindly is not what this is about.
    shuffle(std::span(order_).first(2 * set_), dice_);
    round_ = turn_ = 0;
    length_ = 0;
    in_turn_ = 0;
  }

  bool next(Interval& out) override {
    if (round_ == recipe_.rounds) return false;
    out = {};
    if (round_ == 0) {
      out.arrivals.resize(recipe_.sas);
      std::iota(out.arrivals.begin(), out.arrivals.end(), 0U);
    }
    const std::uint32_t from = turn_ % 2 == 0 ? 0 : set_;
    for (std::uint32_t i = 0; i < set_; ++i) out.rows.push_back({order_[from + i], loud});
    for (std::uint32_t i = 0; i < std::min(set_, recipe_.sas - 2 * set_); ++i) {
      out.rows.push_back({order_[2 * set_ + dice_.below(recipe_.sas - 2 * set_)], quiet});
    }
    merge(out.rows);
    pass();
    return true;
  }

  [[nodiscard]] std::uint64_t rounds() const override { return recipe_.rounds; }
  [[nodiscard]] double seconds() const override { return interval_seconds; }

 private:
  static constexpr double loud = 1e6, quiet = 1e3;
  static constexpr std::array<std::uint32_t, 11> lengths = {1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144};

  static void merge(std::vector<Row>& rows) {
    std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.sa < b.sa; });
    const auto same = [](const Row& a, const Row& b) { return a.sa == b.sa; };
    rows.erase(std::unique(rows.begin(), rows.end(), same), rows.end());
  }

  void pass() {
    ++round_;
    if (++in_turn_ < lengths[length_]) return;
    in_turn_ = 0;
    // Four turns of one length, then the next one.
    if (++turn_ % 4 == 0) length_ = (length_ + 1) % lengths.size();
  }

  Recipe recipe_;
  std::uint32_t set_;
  Dice dice_{0};
  std::vector<Sa> order_;
  std::uint32_t round_ = 0, turn_ = 0, in_turn_ = 0;
  std::size_t length_ = 0;
};

constexpr std::array<std::string_view, 5> words = {"zipf", "churn", "diurnal", "storm", "adversary"};

}  // namespace

std::optional<Kind> kind_of(std::string_view word) {
  const auto at = std::find(words.begin(), words.end(), word);
  if (at == words.end()) return std::nullopt;
  return static_cast<Kind>(at - words.begin());
}

std::string_view word_of(Kind kind) { return words[static_cast<std::size_t>(kind)]; }

std::unique_ptr<Trace> generate(const Recipe& recipe) {
  if (recipe.kind == Kind::adversary) return std::make_unique<Alternator>(recipe);
  return std::make_unique<Crowd>(recipe);
}

}  // namespace espgate::steer_sim
