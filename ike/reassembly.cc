// SPDX-License-Identifier: Apache-2.0
#include "ike/reassembly.h"

#include <utility>

namespace espgate::ike {

namespace {
std::unexpected<wire::Fault> fault(wire::WireError error) {
  return std::unexpected(wire::Fault{.error = error, .payload = wire::PayloadType::skf});
}
}  // namespace

void Reassembly::begin(std::uint32_t message_id, std::uint16_t total) {
  *this = {};
  message_id_ = message_id;
  total_ = total;
}

Reassembly::Message Reassembly::finish() {
  base::Bytes whole;
  whole.reserve(octets_);
  for (const auto& [number, piece] : pieces_) whole.insert(whole.end(), piece.begin(), piece.end());
  Message out{wire::parse_payloads(type_, whole), std::move(first_), {}};
  out.inner = std::move(whole);
  if (!out.payloads) out.payloads.error().authenticated = true;
  *this = {};
  return out;
}

wire::Parsed<std::optional<Reassembly::Message>> Reassembly::take(std::uint32_t message_id, base::ByteView datagram,
                                                                  const crypto::SkCipher& cipher,
                                                                  std::size_t most_octets) {
  const auto fragment = wire::parse_fragment(datagram);
  if (!fragment) return std::unexpected(fragment.error());
  const bool current = total_ != 0 && message_id_ == message_id;
  // Of two ways to cut a message the finer one is the later one (2.6); what is there already is not decrypted again.
  if (current && fragment->total < total_) return std::nullopt;
  if (current && fragment->total == total_ && pieces_.contains(fragment->number)) return std::nullopt;
  auto piece = wire::open_fragment(datagram, *fragment, cipher);
  if (!piece) return std::unexpected(piece.error());
  if (!current || fragment->total != total_) begin(message_id, fragment->total);
  if (octets_ + piece->size() > most_octets) {
    *this = {};
    return fault(wire::WireError::too_many);
  }
  octets_ += piece->size();
  if (fragment->number == 1) {
    type_ = fragment->first;
    first_.assign(datagram.begin(), datagram.end());
  }
  pieces_.emplace(fragment->number, std::move(*piece));
  if (pieces_.size() < total_) return std::nullopt;
  return finish();
}

}  // namespace espgate::ike
