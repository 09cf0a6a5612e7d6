// SPDX-License-Identifier: Apache-2.0
// How many slots a device has, as far as anybody knows: configured, or learned from what it refused.
#pragma once

#include <cstdint>
#include <optional>

namespace espgate::steer {

// Slots are counted per direction: a child takes one for its inbound SA and one for its outbound SA. Of a device with
// one table for both directions the caller gives half.
class Capacity {
 public:
  // `configured`: never more than this is used. `reserve`: kept free at least; see reserve().
  explicit Capacity(std::optional<std::uint32_t> configured, std::uint32_t reserve = 0);

  // Another configuration; what was learned stays.
  void configure(std::optional<std::uint32_t> configured, std::uint32_t reserve);

  // Slots the device is taken to have; nullopt: nobody said, and it has never refused one.
  [[nodiscard]] std::optional<std::uint32_t> known() const;

  // Slots kept free for the second SA of a rekey: the most of 2, 1 % (rounded up) and what was configured; but of a
  // tiny table never more than half, or it would be of no use at all.
  [[nodiscard]] std::uint32_t reserve() const;

  // Slots that children may hold; UINT32_MAX if the capacity is not known.
  [[nodiscard]] std::uint32_t usable() const;

  // The device had no room for one more while `used` slots were taken (rekeys' second SAs included).
  void refused(std::uint32_t used);

  // What refusals taught is not believed any more; what is configured stands.
  void forget();

  // A round of decisions has passed. `wanted`: some child waits for a slot and none is free. After a while without a
  // refusal, 1 % more is believed in, at least one slot; each time that is refused, the while is doubled.
  void round_passed(bool wanted);

  static constexpr std::uint32_t patience = 360;            // rounds without a refusal before the first growth
  static constexpr std::uint32_t most_patience = 360 * 24;  // with rounds of 10 s: an hour, and a day

 private:
  std::optional<std::uint32_t> configured_;
  std::optional<std::uint32_t> learned_;
  std::uint32_t reserve_;
  std::uint32_t quiet_ = 0;  // rounds since the last refusal or growth
  std::uint32_t patience_ = patience;
  bool grown_ = false;  // the last change was a growth: a refusal now says it was wrong
};

}  // namespace espgate::steer
