// SPDX-License-Identifier: Apache-2.0
#include "sad/suite_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ike/suites.h"
#include "sad/pace.h"
#include "sad/verdict.h"

namespace espgate::sad {
namespace {

using base::Direction;
using ike::TransformType;
using xfrm::OffloadKind;

const std::vector<ike::Proposal>& usual_proposals() {
  static const auto proposals = ike::parse_proposals(ike::Protocol::esp, "default").value();
  return proposals;
}

// Every suite of the usual proposals, each with a proposal of its own.
std::vector<SuiteOffer> usual_suites() {
  std::vector<SuiteOffer> out;
  for (auto& [suite, proposal] : ike::apart(usual_proposals())) {
    out.push_back({suite, std::move(proposal), Carrier::unknown, false, {}});
  }
  return out;
}

// What a device said to a row, or to one like it: a probe varies shapes around one suite, and suites in one shape.
struct Said {
  const ProbeAnswer* answer = nullptr;  // nullptr: it was not asked
  bool like = false;                    // not to this very row
};

// Of two facts the one that speaks against it; without one, both have to be known.
Said worse(const Said& a, const Said& b) {
  for (const auto* one : {&a, &b}) {
    if (one->answer != nullptr && one->answer->result != ProbeResult::taken) return {one->answer, true};
  }
  return {a.answer == nullptr ? nullptr : b.answer, true};
}

Said said(const DeviceRecord& device, const ProbeRow& row) {
  const auto exact = [&](const ProbeRow& asked) {
    const auto* entry = device.find(asked);
    return entry == nullptr ? nullptr : &entry->answer;
  };
  if (const auto* answer = exact(row)) return {answer, false};
  if (row.suite.esn) {
    ProbeRow plain = row, with_esn = usual_row(row.mode, row.direction);
    plain.suite.esn = false;
    with_esn.suite.esn = true;
    return worse(said(device, plain), row == with_esn ? Said{} : said(device, with_esn));
  }
  ProbeRow suite = usual_row(row.mode, row.direction);
  ProbeRow shape = row;
  shape.suite = suite.suite;
  suite.suite = row.suite;
  if (row == suite) return {};
  return worse({exact(suite), true}, {exact(shape), true});
}

struct Judged {
  Carrier carrier = Carrier::unknown;
  std::string why;
};

std::string refusal(const DeviceRecord& device, Direction direction, const Said& said) {
  const auto how = said.like ? ", tried in a like SA" : "";
  if (said.answer->result == ProbeResult::silent_software) {
    return fmt::format("{} runs it in software ({}{}) and does not say why not", device.name,
                       base::to_string(direction), how);
  }
  return fmt::format("{} refuses it ({}{}): {}", device.name, base::to_string(direction), how,
                     words_of({"", said.answer->code, said.answer->words}));
}

Judged judged(const DeviceRecord& device, const base::EspSuite& suite, const OfferShape& shape, OffloadKind mode) {
  if (const auto* wrong = device.distrust(suite, mode)) return {Carrier::software, sentence(device.name, *wrong)};
  bool like = false;
  for (const auto direction : {Direction::in, Direction::out}) {
    ProbeRow row = usual_row(mode, direction);
    row.suite = suite;
    row.sa_mode = shape.mode;
    row.family = shape.family;
    row.encap = shape.encap;
    const Said heard = said(device, row);
    if (heard.answer == nullptr) return {Carrier::unknown, fmt::format("{} was not asked yet", device.name)};
    if (heard.answer->result != ProbeResult::taken) return {Carrier::software, refusal(device, direction, heard)};
    like = like || heard.like;
  }
  return {Carrier::hardware, fmt::format("{} takes it in {} mode{}", device.name, to_string(mode),
                                         like ? ", and this shape with another suite" : "")};
}

// All devices have to take it; the first that does not says why.
Judged judged(std::span<const DeviceRecord* const> devices, const base::EspSuite& suite, const OfferShape& shape) {
  if (shape.wanted == base::OffloadWanted::no) return {Carrier::software, "hw_offload = no"};
  if (devices.empty()) return {Carrier::unknown, "no device is known by which it leaves"};
  const auto mode = shape.wanted == base::OffloadWanted::packet ? OffloadKind::packet : OffloadKind::crypto;
  std::vector<std::string> taken;
  for (const auto* device : devices) {
    auto one = judged(*device, suite, shape, mode);
    if (one.carrier != Carrier::hardware) return one;
    taken.push_back(std::move(one.why));
  }
  return {Carrier::hardware, fmt::format("{}", fmt::join(taken, "; "))};
}

// Empty: hardware gives it its place.
std::string held_back(const base::EspSuite& suite, WithoutEsn without) {
  if (suite.esn || without == WithoutEsn::allowed) return {};
  if (without == WithoutEsn::forbidden) return ", but not before ESN: gateway.offload_without_esn = no";
  return fmt::format(", but not before ESN: the child has been so fast that 2^32 packets do not last {} minutes",
                     kLeastSequenceLife.count());
}

bool comes_first(const SuiteOffer& a, const SuiteOffer& b) {
  if (a.first != b.first) return a.first;
  if (!a.first) return false;  // these stay as they are
  const auto rank = [](const SuiteOffer& one) { return std::pair(strength(one.suite), one.suite.esn); };
  return rank(a) > rank(b);
}

bool beside(const SuiteOffer& a, const SuiteOffer& b) {
  auto other = a.suite;
  other.esn = !other.esn;
  return other == b.suite && a.first == b.first;
}

std::vector<ike::Proposal> in_order(std::span<const SuiteOffer> offers) {
  std::vector<ike::Proposal> out;
  for (std::size_t i = 0; i < offers.size(); ++i) {
    out.push_back(offers[i].proposal);
    if (i + 1 == offers.size() || !beside(offers[i], offers[i + 1])) continue;
    for (const auto& one : offers[++i].proposal.transforms) {
      if (one.type == TransformType::esn) out.back().transforms.push_back(one);
    }
  }
  return out;
}

}  // namespace

std::string_view to_string(Carrier carrier) {
  switch (carrier) {
    case Carrier::hardware:
      return "hardware";
    case Carrier::software:
      return "software";
    case Carrier::unknown:
      return "unknown";
  }
  return "?";
}

std::uint32_t strength(const base::EspSuite& suite) { return suite.key_bits; }

std::vector<SuiteOffer> order_suites(std::span<const DeviceRecord* const> devices, const OfferShape& shape,
                                     std::uint32_t floor) {
  auto out = usual_suites();
  std::erase_if(out, [floor](const SuiteOffer& offer) { return strength(offer.suite) < floor; });
  for (auto& offer : out) {
    auto [carrier, why] = judged(devices, offer.suite, shape);
    offer.carrier = carrier;
    offer.why = std::move(why);
    if (carrier != Carrier::hardware) continue;
    const auto back = held_back(offer.suite, shape.without_esn);
    offer.first = back.empty();
    offer.why += back;
  }
  std::ranges::stable_sort(out, comes_first);
  const bool strict = shape.wanted == base::OffloadWanted::crypto || shape.wanted == base::OffloadWanted::packet;
  if (strict && !out.empty() && out.front().first) {
    std::erase_if(out, [](const SuiteOffer& offer) { return offer.carrier == Carrier::software; });
  }
  return out;
}

std::vector<ike::Proposal> proposals_of(std::span<const SuiteOffer> offers) {
  if (!offers.empty() && offers.front().first) return in_order(offers);
  auto out = usual_proposals();
  for (auto& proposal : out) {
    std::erase_if(proposal.transforms, [&](const ike::Transform& one) {
      if (one.type != TransformType::encr) return false;
      return std::ranges::none_of(offers, [&](const SuiteOffer& offer) {
        return std::ranges::find(offer.proposal.transforms, one) != offer.proposal.transforms.end();
      });
    });
  }
  std::erase_if(out, [](const ike::Proposal& proposal) {
    return std::ranges::none_of(proposal.transforms, [](const auto& one) { return one.type == TransformType::encr; });
  });
  return out;
}

std::string text_of(std::span<const SuiteOffer> offers) {
  std::string out;
  for (std::size_t i = 0; i < offers.size(); ++i) {
    if (i != 0) out += ", ";
    out += offers[i].suite.name();
    if (i + 1 == offers.size() || offers[i + 1].why != offers[i].why) out += fmt::format(" ({})", offers[i].why);
  }
  return out;
}

}  // namespace espgate::sad
