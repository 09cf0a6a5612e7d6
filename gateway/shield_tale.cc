// SPDX-License-Identifier: Apache-2.0
#include "gateway/shield_tale.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

namespace espgate::gateway {

namespace {

struct Part {
  espgate_shield_event event;
  const char* text;
};

// One kind of thing that the shield does to packets; an event that is turned away begins an episode.
struct Kind {
  std::span<const espgate_shield_event> came;         // what arrives of this kind in all
  std::span<const espgate_shield_event> turned_away;  // of these
  const char* begins;
  const char* ends;
  std::span<const Part> sums;
};

constexpr std::array kInitCame{ESPGATE_SHIELD_INIT_PASSED, ESPGATE_SHIELD_COOKIE_SENT, ESPGATE_SHIELD_COOKIE_GOOD,
                               ESPGATE_SHIELD_INIT_DROPPED};
constexpr std::array kInitAway{ESPGATE_SHIELD_COOKIE_SENT, ESPGATE_SHIELD_INIT_DROPPED};
constexpr std::array kInitSums{Part{ESPGATE_SHIELD_INIT_PASSED, "passed under the rate"},
                               Part{ESPGATE_SHIELD_COOKIE_SENT, "were answered with a cookie"},
                               Part{ESPGATE_SHIELD_COOKIE_GOOD, "came with a right one"},
                               Part{ESPGATE_SHIELD_COOKIE_BAD, "with a wrong one"},
                               Part{ESPGATE_SHIELD_INIT_DROPPED, "could not be answered"}};
constexpr std::array kFragmentsCame{ESPGATE_SHIELD_FRAGMENT_PASSED, ESPGATE_SHIELD_FRAGMENT_DROPPED};
constexpr std::array kFragmentsAway{ESPGATE_SHIELD_FRAGMENT_DROPPED};
constexpr std::array kFragmentSums{Part{ESPGATE_SHIELD_FRAGMENT_PASSED, "passed"},
                                   Part{ESPGATE_SHIELD_FRAGMENT_DROPPED, "were dropped"}};
constexpr std::array kSourcesAway{ESPGATE_SHIELD_SOURCE_DROPPED};
constexpr std::array kSourceSums{Part{ESPGATE_SHIELD_SOURCE_DROPPED, "were dropped"}};
constexpr std::array kUnknownCame{ESPGATE_SHIELD_UNKNOWN_SPI};
constexpr std::array kUnknownAway{ESPGATE_SHIELD_UNKNOWN_DROPPED};
constexpr std::array kUnknownSums{Part{ESPGATE_SHIELD_UNKNOWN_SPI, "came"},
                                  Part{ESPGATE_SHIELD_UNKNOWN_DROPPED, "were dropped"}};

constexpr std::array kKinds{
    Kind{kInitCame, kInitAway, "challenging IKE_SA_INIT with cookies", "no longer challenging IKE_SA_INIT", kInitSums},
    Kind{kFragmentsCame, kFragmentsAway, "dropping fragments of IKE above fragment_rate",
         "no longer dropping fragments of IKE", kFragmentSums},
    Kind{kSourcesAway, kSourcesAway, "dropping IKE of sources above source_rate", "no longer dropping IKE of sources",
         kSourceSums},
    Kind{kUnknownCame, kUnknownAway, "dropping ESP and AH with SPIs that the kernel does not know",
         "no longer dropping unknown SPIs", kUnknownSums},
};

template <class Counts>
std::uint64_t sum(std::span<const espgate_shield_event> events, const Counts& now, const Counts& before) {
  std::uint64_t out = 0;
  for (const auto event : events) out += now[event] - before[event];
  return out;
}

std::uint64_t seconds_of(base::Duration duration) {
  const auto rounded = std::chrono::round<std::chrono::seconds>(duration);
  return static_cast<std::uint64_t>(std::max<std::int64_t>(rounded.count(), 1));
}

}  // namespace

std::vector<ShieldTale::Line> ShieldTale::look(base::Instant now, const std::vector<maps::ShieldRow>& rows) {
  std::vector<Line> lines;
  const auto since = seconds_of(now - looked_at_);
  for (const auto& row : rows) {
    auto& device = devices_[row.ifindex];
    device.name = row.device.empty() ? fmt::format("#{}", row.ifindex) : row.device;
    const auto before = std::exchange(device.counts, row.events);
    // Counts that fell are another device's, or began anew.
    const bool anew = !std::ranges::equal(row.events, before, std::ranges::greater_equal{});
    if (!begun_ || anew) continue;
    for (std::size_t kind = 0; kind < kKinds.size(); ++kind) {
      if (sum(kKinds[kind].turned_away, row.events, before) == 0) continue;
      const auto [at, is_new] = episodes_.try_emplace({row.ifindex, kind}, Episode{looked_at_, now, before});
      at->second.last = now;
      if (!is_new) continue;
      lines.push_back({fmt::format("shield: {}: {}: {} a second came", device.name, kKinds[kind].begins,
                                   sum(kKinds[kind].came, row.events, before) / since),
                       true});
    }
  }
  std::erase_if(episodes_, [&](const auto& entry) {
    const auto& [key, episode] = entry;
    if (now - episode.last < kQuiet) return false;
    lines.push_back(ended(devices_.at(key.first), key.second, episode));
    return true;
  });
  looked_at_ = now;
  begun_ = true;
  return lines;
}

std::vector<ShieldTale::Line> ShieldTale::finish(base::Instant now) {
  std::vector<Line> lines;
  for (auto& [key, episode] : episodes_) {
    episode.last = now;
    lines.push_back(ended(devices_.at(key.first), key.second, episode));
  }
  episodes_.clear();
  begun_ = false;
  return lines;
}

ShieldTale::Line ShieldTale::ended(const Device& device, std::size_t kind, const Episode& episode) {
  std::string sums;
  for (const auto& part : kKinds[kind].sums) {
    const auto many = device.counts[part.event] - std::min(device.counts[part.event], episode.before[part.event]);
    sums += fmt::format("{}{} {}", sums.empty() ? "" : ", ", many, part.text);
  }
  return {fmt::format("shield: {}: {}: in {} s {}", device.name, kKinds[kind].ends,
                      seconds_of(episode.last - episode.began), sums),
          false};
}

}  // namespace espgate::gateway
