// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/sa.h"

#include <algorithm>

namespace espgate::ike::wire {

namespace {
constexpr std::size_t kProposalOctets = 8, kTransformOctets = 8;  // without SPI, transforms and attributes
constexpr std::uint8_t kLast = 0, kMoreProposals = 2, kMoreTransforms = 3;
constexpr std::uint16_t kAttributeShort = 0x8000, kKeyLength = 14;

std::unexpected<Fault> fault(WireError error) {
  return std::unexpected(Fault{.error = error, .payload = PayloadType::sa});
}

// RFC 7296 3.3.5. Only Key Length, in its short form, is known.
bool parse_attributes(base::ByteView octets, SaTransform& into) {
  base::ByteReader in(octets);
  while (!in.done()) {
    const auto type = in.u16();
    const auto value = in.u16();
    if (!value) return false;
    const bool is_short = (*type & kAttributeShort) != 0;
    if (!is_short && !in.skip(*value)) return false;
    if (*type == (kAttributeShort | kKeyLength) && into.key_bits == 0 && *value != 0) {
      into.key_bits = *value;
    } else {
      into.unknown_attribute = true;
    }
  }
  return true;
}

// One substructure: marker, reserved octet, length that counts from the marker on, and that many octets.
struct Part {
  std::uint8_t marker = 0;
  base::ByteReader rest;
};
std::optional<Part> take_part(base::ByteReader& in, std::size_t least) {
  const auto marker = in.u8();
  in.skip(1);
  const auto length = in.u16();
  if (!length || *length < least) return std::nullopt;
  const auto rest = in.take(*length - 4U);
  if (!rest) return std::nullopt;
  return Part{*marker, base::ByteReader(*rest)};
}

Parsed<SaTransform> parse_transform(base::ByteReader in) {
  SaTransform out;
  out.type = *in.u8();
  in.skip(1);
  out.id = *in.u16();
  if (!parse_attributes(in.rest(), out)) return fault(WireError::bad_field_length);
  return out;
}

Parsed<std::vector<SaTransform>> parse_transforms(base::ByteReader in, std::size_t announced) {
  std::vector<SaTransform> out;
  bool more = announced > 0;
  while (more) {
    auto part = take_part(in, kTransformOctets);
    if (!part) return fault(WireError::bad_field_length);
    if (part->marker != kLast && part->marker != kMoreTransforms) return fault(WireError::bad_field_value);
    more = part->marker == kMoreTransforms;
    auto transform = parse_transform(part->rest);
    if (!transform) return std::unexpected(transform.error());
    out.push_back(*transform);
    if (out.size() > announced) return fault(WireError::bad_field_length);
  }
  if (out.size() != announced || !in.done()) return fault(WireError::bad_field_length);
  return out;
}

bool spi_size_fits(Protocol protocol, std::size_t octets) {
  switch (protocol) {
    case Protocol::ike:
      return octets == 0 || octets == 8;
    case Protocol::ah:
    case Protocol::esp:
      return octets == 4;
    case Protocol::none:
      return false;
  }
  return true;  // a protocol that we do not know, and will not choose
}

Parsed<SaProposal> parse_proposal(base::ByteReader in) {
  SaProposal out;
  out.number = *in.u8();
  out.protocol = static_cast<Protocol>(*in.u8());
  const std::size_t spi_octets = *in.u8();
  const std::size_t transforms = *in.u8();
  const auto spi = in.take(spi_octets);
  if (!spi || !spi_size_fits(out.protocol, spi_octets)) return fault(WireError::bad_field_length);
  out.spi.assign(spi->begin(), spi->end());
  auto parsed = parse_transforms(in, transforms);
  if (!parsed) return std::unexpected(parsed.error());
  out.transforms = std::move(*parsed);
  return out;
}
}  // namespace

Parsed<SaPayload> parse_sa(base::ByteView body) {
  SaPayload out;
  base::ByteReader in(body);
  for (bool more = true; more;) {
    if (out.proposals.size() == kMaxProposals) return fault(WireError::too_many);
    auto part = take_part(in, kProposalOctets);
    if (!part) return fault(WireError::bad_field_length);
    if (part->marker != kLast && part->marker != kMoreProposals) return fault(WireError::bad_field_value);
    more = part->marker == kMoreProposals;
    auto proposal = parse_proposal(part->rest);
    if (!proposal) return std::unexpected(proposal.error());
    // 3.3.1 counts up from 1; an answer's only proposal has the number of the one chosen.
    const std::uint8_t before = out.proposals.empty() ? std::uint8_t{0} : out.proposals.back().number;
    if (proposal->number <= before) return fault(WireError::bad_field_value);
    out.proposals.push_back(std::move(*proposal));
  }
  if (!in.done()) return fault(WireError::bad_field_length);
  return out;
}

namespace {
void write_transform(base::ByteWriter& out, const SaTransform& transform, bool last) {
  const bool keyed = transform.key_bits != 0;
  out.u8(last ? kLast : kMoreTransforms);
  out.u8(0);
  out.u16(keyed ? kTransformOctets + 4 : kTransformOctets);
  out.u8(transform.type);
  out.u8(0);
  out.u16(transform.id);
  if (keyed) {
    out.u16(kAttributeShort | kKeyLength);
    out.u16(transform.key_bits);
  }
}

void write_proposal(base::ByteWriter& out, const SaProposal& proposal, bool last) {
  const std::size_t begin = out.size();
  out.u8(last ? kLast : kMoreProposals);
  out.u8(0);
  out.u16(0);  // patched below
  out.u8(proposal.number);
  out.u8(static_cast<std::uint8_t>(proposal.protocol));
  out.u8(static_cast<std::uint8_t>(proposal.spi.size()));
  out.u8(static_cast<std::uint8_t>(proposal.transforms.size()));
  out.put(proposal.spi);
  for (const auto& transform : proposal.transforms) {
    write_transform(out, transform, &transform == &proposal.transforms.back());
  }
  out.patch_u16(begin + 2, static_cast<std::uint16_t>(out.size() - begin));
}
}  // namespace

void write(base::ByteWriter& out, const SaPayload& payload) {
  for (const auto& proposal : payload.proposals) {
    write_proposal(out, proposal, &proposal == &payload.proposals.back());
  }
}

}  // namespace espgate::ike::wire
