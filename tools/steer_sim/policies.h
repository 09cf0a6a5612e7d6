// SPDX-License-Identifier: Apache-2.0
// Who is in hardware: Steer, and two that are simpler. All start with an empty device and keep the same headroom.
#pragma once

#include <cstdint>
#include <vector>

#include "steer/steer.h"
#include "tools/steer_sim/trace.h"

namespace espgate::steer_sim {

struct Tally {
  std::uint32_t promotions = 0, demotions = 0;
  [[nodiscard]] std::uint32_t moves() const { return promotions + demotions; }
};

class Policy {
 public:
  virtual ~Policy() = default;
  virtual void arrive(Sa sa) = 0;                   // first installed: not a move
  virtual Tally end(const Interval& interval) = 0;  // its octets are known, its departures gone
  [[nodiscard]] bool in_hardware(Sa sa) const { return hardware_[sa] != 0; }
  [[nodiscard]] std::uint32_t holders() const { return holders_; }

 protected:
  void set(Sa sa, bool on);
  void known(Sa sa);

 private:
  std::vector<std::uint8_t> hardware_;
  std::uint32_t holders_ = 0;
};

class Steered : public Policy {
 public:
  explicit Steered(const steer::Config& config) : steer_(config) {}
  void arrive(Sa sa) override;
  Tally end(const Interval& interval) override;
  [[nodiscard]] const steer::Steer& steer() const { return steer_; }
  // Milliseconds that each interval's counting and decisions took.
  [[nodiscard]] const std::vector<double>& round_ms() const { return round_ms_; }

 private:
  steer::Steer steer_;
  base::Instant now_{};
  std::vector<steer::ChildRef> ref_;  // by SA
  std::vector<Sa> sa_;                // by ref
  std::vector<double> round_ms_;
};

// What a gateway does that has no steering: an SA is in hardware if a slot was free when it was installed, and stays.
class FirstCome : public Policy {
 public:
  explicit FirstCome(std::uint32_t usable) : usable_(usable) {}
  void arrive(Sa sa) override;
  Tally end(const Interval& interval) override;

 protected:
  std::uint32_t usable_;
};

// In each interval the heaviest of the interval before; as many moves as that takes.
class TopOfLast : public FirstCome {
 public:
  using FirstCome::FirstCome;
  void arrive(Sa sa) override;
  Tally end(const Interval& interval) override;

 private:
  std::vector<Row> heaviest(const std::vector<Row>& rows) const;

  std::vector<Sa> held_;
  std::vector<std::uint8_t> here_, wanted_;  // by SA
};

}  // namespace espgate::steer_sim
