// SPDX-License-Identifier: Apache-2.0
#include "ike/select.h"

#include <algorithm>
#include <vector>

#include "ike/additional.h"

namespace espgate::ike {

namespace {
using Transforms = std::vector<Transform>;

std::uint8_t number_of(TransformType type) { return static_cast<std::uint8_t>(type); }

Transforms of_type(const Proposal& proposal, TransformType type) {
  Transforms out;
  std::ranges::copy_if(proposal.transforms, std::back_inserter(out), [&](const auto& one) { return one.type == type; });
  return out;
}

// What they offer of a type and we can read.
Transforms of_type(const wire::SaProposal& proposal, TransformType type) {
  Transforms out;
  for (const auto& one : proposal.transforms) {
    if (one.type == number_of(type) && !one.unknown_attribute) out.push_back({type, one.id, one.key_bits});
  }
  return out;
}

bool has_type(const wire::SaProposal& proposal, TransformType type) {
  return std::ranges::find(proposal.transforms, number_of(type), &wire::SaTransform::type) != proposal.transforms.end();
}

bool in(const Transform& one, const Transforms& many) { return std::ranges::find(many, one) != many.end(); }

bool aead(const Transform& one) {
  const auto* info = crypto::find_cipher(one.id);
  return info != nullptr && info->aead;
}

// RFC 7296 3.3.6: a transform type that we do not know, or that has no place in this protocol, spoils the proposal.
bool types_fit(Protocol protocol, const wire::SaProposal& proposal) {
  return std::ranges::all_of(proposal.transforms, [protocol](const wire::SaTransform& one) {
    if (one.type < number_of(TransformType::encr) || one.type > number_of(TransformType::ke7)) return false;
    if (protocol == Protocol::ah && one.type == number_of(TransformType::encr)) return false;
    const auto unfit = protocol == Protocol::ike ? TransformType::esn : TransformType::prf;
    return one.type != number_of(unfit);
  });
}

// One of ours and one of theirs, matched transform type by transform type.
class Match {
 public:
  Match(const Proposal& ours, const wire::SaProposal& theirs, Prefer prefer, Groups groups)
      : ours_(ours), theirs_(theirs), prefer_(prefer), groups_(groups) {}

  std::optional<Proposal> run() {
    if (ours_.protocol != static_cast<Protocol>(theirs_.protocol) || !types_fit(ours_.protocol, theirs_)) {
      return std::nullopt;
    }
    const bool is_ike = ours_.protocol == Protocol::ike;
    if (!take_cipher()) return std::nullopt;
    if (is_ike && !(take(TransformType::prf) && take(TransformType::group))) return std::nullopt;
    if (!is_ike && !(take_group() && take_esn())) return std::nullopt;
    if (!take_additional()) return std::nullopt;
    group_by_type(out_.transforms);
    return out_;
  }

 private:
  // What both have of a type, the preferred first.
  [[nodiscard]] Transforms common(TransformType type) const {
    const auto ours = of_type(ours_, type);
    const auto theirs = of_type(theirs_, type);
    const auto& order = prefer_ == Prefer::ours ? ours : theirs;
    const auto& other = prefer_ == Prefer::ours ? theirs : ours;
    Transforms out;
    std::ranges::copy_if(order, std::back_inserter(out), [&](const Transform& one) { return in(one, other); });
    return out;
  }

  bool take(TransformType type) {
    const auto both = common(type);
    if (both.empty()) return false;
    out_.transforms.push_back(both.front());
    return true;
  }

  // The type must be absent or offer NONE, which is then answered, too.
  bool take_none(TransformType type) {
    if (!has_type(theirs_, type)) return true;
    const Transform none{type, 0, 0};
    if (!in(none, of_type(theirs_, type))) return false;
    out_.transforms.push_back(none);
    return true;
  }

  // The best cipher that can have the integrity it needs (RFC 7296 3.3.3).
  bool take_cipher() {
    if (ours_.protocol == Protocol::ah) {
      out_ = {.protocol = Protocol::ah, .transforms = {}};
      return take(TransformType::integ);
    }
    for (const auto& cipher : common(TransformType::encr)) {
      out_ = {.protocol = ours_.protocol, .transforms = {cipher}};
      if (aead(cipher) ? take_none(TransformType::integ) : take(TransformType::integ)) return true;
    }
    return false;
  }

  bool take_group() {
    const bool pfs = groups_ == Groups::pfs && !of_type(ours_, TransformType::group).empty();
    return pfs ? take(TransformType::group) : take_none(TransformType::group);
  }

  // Of each type of additional key exchange what both can live with; left out, it means NONE.
  bool take_additional() {
    const bool any = ours_.protocol == Protocol::ike || group_of(out_) != crypto::kGroupNone;
    std::vector<Transforms> lists;
    for (const auto type : kAdditional) {
      const Transform none{type, crypto::kGroupNone, 0};
      const auto ours = any ? of_type(ours_, type) : Transforms();
      if (!ours.empty() && has_type(theirs_, type)) {
        lists.push_back(common(type));
      } else if (!(ours.empty() ? take_none(type) : in(none, ours))) {
        return false;
      }
    }
    const auto chosen = distinct(lists);
    if (chosen) out_.transforms.insert(out_.transforms.end(), chosen->begin(), chosen->end());
    return chosen.has_value();
  }

  // Left out, ESN means "no" (RFC 7296 3.3.2 wants it there; not all peers do as told).
  bool take_esn() {
    if (has_type(theirs_, TransformType::esn)) return take(TransformType::esn);
    return in({TransformType::esn, crypto::kEsnNo, 0}, ours_.transforms);
  }

  const Proposal& ours_;
  const wire::SaProposal& theirs_;
  Prefer prefer_;
  Groups groups_;
  Proposal out_;
};

// What of a proposal of ours goes to the peer.
Proposal offered(const Proposal& ours, Groups groups) {
  Proposal out = ours;
  if (out.protocol != Protocol::ike && groups == Groups::left_out) {
    std::erase_if(out.transforms,
                  [](const Transform& one) { return one.type == TransformType::group || additional(one.type); });
  }
  return out;
}

wire::SaProposal to_wire(const Proposal& proposal, std::uint8_t number, base::ByteView spi) {
  wire::SaProposal out{
      .number = number, .protocol = proposal.protocol, .spi = {spi.begin(), spi.end()}, .transforms = {}};
  for (const auto& one : proposal.transforms) {
    out.transforms.push_back({.type = number_of(one.type), .id = one.id, .key_bits = one.key_bits});
  }
  return out;
}

std::optional<ChosenProposal> matched(const Proposal& ours, const wire::SaProposal& theirs, Prefer prefer,
                                      Groups groups) {
  auto proposal = Match(ours, theirs, prefer, groups).run();
  if (!proposal) return std::nullopt;
  return ChosenProposal{theirs.number, theirs.spi, std::move(*proposal)};
}
}  // namespace

std::optional<ChosenProposal> select(std::span<const Proposal> ours, const wire::SaPayload& theirs, Prefer prefer,
                                     Groups groups) {
  if (prefer == Prefer::ours) {
    for (const auto& mine : ours) {
      for (const auto& other : theirs.proposals) {
        if (auto chosen = matched(mine, other, prefer, groups)) return chosen;
      }
    }
    return std::nullopt;
  }
  for (const auto& other : theirs.proposals) {
    for (const auto& mine : ours) {
      if (auto chosen = matched(mine, other, prefer, groups)) return chosen;
    }
  }
  return std::nullopt;
}

namespace {
bool all_distinct(const Proposal& chosen) {
  auto methods = additional_methods(chosen);
  std::ranges::sort(methods);
  return std::ranges::adjacent_find(methods) == methods.end();
}
}  // namespace

std::optional<ChosenProposal> check_answer(std::span<const Proposal> ours, const wire::SaPayload& answer,
                                           Groups groups) {
  if (answer.proposals.size() != 1) return std::nullopt;
  const auto& theirs = answer.proposals.front();
  if (theirs.number < 1 || theirs.number > ours.size()) return std::nullopt;
  const Proposal mine = offered(ours[theirs.number - 1U], groups);
  if (mine.protocol != theirs.protocol) return std::nullopt;
  Proposal chosen{.protocol = theirs.protocol, .transforms = {}};
  for (const auto& one : theirs.transforms) {
    const Transform transform{static_cast<TransformType>(one.type), one.id, one.key_bits};
    if (one.unknown_attribute || !in(transform, mine.transforms)) return std::nullopt;
    if (!of_type(chosen, transform.type).empty()) return std::nullopt;  // two of a type
    chosen.transforms.push_back(transform);
  }
  const bool complete = std::ranges::all_of(mine.transforms, [&](const Transform& one) {
    return additional(one.type) || !of_type(chosen, one.type).empty();
  });
  if (!complete || !additional_fit(mine, chosen) || !all_distinct(chosen)) return std::nullopt;
  group_by_type(chosen.transforms);
  return ChosenProposal{theirs.number, theirs.spi, std::move(chosen)};
}

wire::SaPayload offer(std::span<const Proposal> ours, base::ByteView spi, Groups groups) {
  wire::SaPayload out;
  for (const auto& proposal : ours.first(std::min(ours.size(), wire::kMaxProposals))) {
    out.proposals.push_back(
        to_wire(offered(proposal, groups), static_cast<std::uint8_t>(out.proposals.size() + 1), spi));
  }
  return out;
}

wire::SaPayload answer(const ChosenProposal& chosen, base::ByteView spi) {
  return {{to_wire(chosen.proposal, chosen.number, spi)}};
}

base::Bytes spi_octets(base::Spi spi) {
  base::ByteWriter out;
  out.u32(spi.value);
  return out.take();
}

std::optional<base::Spi> esp_spi(const ChosenProposal& chosen) {
  if (chosen.spi.size() != 4) return std::nullopt;
  return base::Spi{*base::ByteReader(chosen.spi).u32()};
}

namespace {
// The id of the transform of a type; `otherwise` if there is none.
std::uint16_t id_of(const Proposal& proposal, TransformType type, std::uint16_t otherwise) {
  const auto found = of_type(proposal, type);
  return found.empty() ? otherwise : found.front().id;
}

std::optional<base::EspCipher> esp_cipher(std::uint16_t encr) {
  switch (encr) {
    case crypto::kEncrAesCbc:
      return base::EspCipher::aes_cbc;
    case crypto::kEncrAesGcm16:
      return base::EspCipher::aes_gcm_16;
    case crypto::kEncrChaCha20Poly1305:
      return base::EspCipher::chacha20_poly1305;
    default:
      return std::nullopt;
  }
}

// Of a cipher's key: the attribute's, or the only one it has (then there must be no attribute, RFC 7634 4); else 0.
std::uint16_t key_bits(const Transform& cipher) {
  const auto* info = crypto::find_cipher(cipher.id);
  if (info == nullptr || info->fixed_key_bits == 0) return cipher.key_bits;
  return cipher.key_bits == 0 ? info->fixed_key_bits : 0;
}

std::optional<base::EspAuth> esp_auth(std::uint16_t integ) {
  switch (integ) {
    case crypto::kIntegNone:
      return base::EspAuth::none;
    case crypto::kIntegSha256:
      return base::EspAuth::hmac_sha2_256_128;
    case crypto::kIntegSha384:
      return base::EspAuth::hmac_sha2_384_192;
    case crypto::kIntegSha512:
      return base::EspAuth::hmac_sha2_512_256;
    default:
      return std::nullopt;
  }
}
}  // namespace

std::uint16_t group_of(const Proposal& chosen) { return id_of(chosen, TransformType::group, crypto::kGroupNone); }

std::optional<std::uint16_t> first_group(std::span<const Proposal> ours) {
  for (const auto& proposal : ours) {
    for (const auto& one : proposal.transforms) {
      if (one.type == TransformType::group && one.id != crypto::kGroupNone) return one.id;
    }
  }
  return std::nullopt;
}

bool offers_group(std::span<const Proposal> ours, std::uint16_t group) {
  return std::ranges::any_of(ours, [&](const Proposal& proposal) {
    return in(Transform{TransformType::group, group, 0}, proposal.transforms);
  });
}

std::optional<base::EspSuite> esp_suite(const Proposal& chosen) {
  const auto ciphers = of_type(chosen, TransformType::encr);
  const auto auth = esp_auth(id_of(chosen, TransformType::integ, crypto::kIntegNone));
  if (!auth) return std::nullopt;
  const bool esn = id_of(chosen, TransformType::esn, crypto::kEsnNo) == crypto::kEsnYes;
  if (chosen.protocol == Protocol::ah && ciphers.empty() && *auth != base::EspAuth::none) {
    return base::EspSuite{base::EspCipher::none, 0, *auth, esn};
  }
  if (chosen.protocol != Protocol::esp || ciphers.size() != 1) return std::nullopt;
  const auto& cipher = ciphers.front();
  const auto kind = esp_cipher(cipher.id);
  const auto bits = key_bits(cipher);
  if (!kind || (bits != 128 && bits != 192 && bits != 256)) return std::nullopt;
  base::EspSuite out;
  out.cipher = *kind;
  out.key_bits = bits;
  out.auth = *auth;
  out.esn = esn;
  if (out.aead() != (out.auth == base::EspAuth::none)) return std::nullopt;
  return out;
}

std::optional<crypto::IkeSuite> ike_suite(const Proposal& chosen) {
  const auto ciphers = of_type(chosen, TransformType::encr);
  if (chosen.protocol != Protocol::ike || ciphers.size() != 1) return std::nullopt;
  const crypto::IkeSuite out{
      .encr = ciphers.front().id,
      .key_bits = key_bits(ciphers.front()),
      .integ = id_of(chosen, TransformType::integ, crypto::kIntegNone),
      .prf = id_of(chosen, TransformType::prf, 0),
      .group = id_of(chosen, TransformType::group, crypto::kGroupNone),
      .additional = additional_kes(chosen),
  };
  if (!out.known()) return std::nullopt;
  return out;
}

}  // namespace espgate::ike
