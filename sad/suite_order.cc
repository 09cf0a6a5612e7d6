// SPDX-License-Identifier: Apache-2.0
#include "sad/suite_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ike/suites.h"
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
    out.push_back({suite, std::move(proposal), Carrier::unknown, {}});
  }
  return out;
}

// What a device said to a row, or to one like it: a probe varies shapes around one suite, and suites in one shape.
struct Said {
  const ProbeAnswer* answer = nullptr;  // nullptr: it was not asked
  bool like = false;                    // not to this very row
};

// Of two facts the one that speaks against it.
Said worse(const Said& a, const Said& b) {
  if (a.answer == nullptr || b.answer == nullptr) return a.answer == nullptr ? a : b;
  return a.answer->result == ProbeResult::taken ? b : a;
}

Said said(const DeviceRecord& device, const ProbeRow& row) {
  const auto exact = [&](const ProbeRow& asked) {
    const auto* entry = device.find(asked);
    return entry == nullptr ? nullptr : &entry->answer;
  };
  if (const auto* answer = exact(row)) return {answer, false};
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

bool comes_first(const SuiteOffer& a, const SuiteOffer& b) {
  const bool taken = a.carrier == Carrier::hardware;
  if (taken != (b.carrier == Carrier::hardware)) return taken;
  return taken && strength(a.suite) > strength(b.suite);  // the others stay as they are
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
  }
  std::ranges::stable_sort(out, comes_first);
  return out;
}

std::vector<ike::Proposal> proposals_of(std::span<const SuiteOffer> offers) {
  std::vector<ike::Proposal> out;
  if (std::ranges::any_of(offers, [](const auto& offer) { return offer.carrier == Carrier::hardware; })) {
    for (const auto& offer : offers) out.push_back(offer.proposal);
    return out;
  }
  out = usual_proposals();
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
  std::vector<std::string> out;
  for (const auto& offer : offers) out.push_back(fmt::format("{} ({})", offer.suite.name(), offer.why));
  return fmt::format("{}", fmt::join(out, ", "));
}

}  // namespace espgate::sad
