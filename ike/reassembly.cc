// SPDX-License-Identifier: Apache-2.0
#include "ike/reassembly.h"

#include <utility>

namespace espgate::ike {

namespace {
std::unexpected<wire::Fault> fault(wire::WireError error) {
  return std::unexpected(wire::Fault{.error = error, .payload = wire::PayloadType::skf});
}
}  // namespace

Reassembly::Message Reassembly::finish() {
  base::Bytes whole;
  whole.reserve(parts_->octets);
  for (const auto& [number, piece] : parts_->pieces) whole.insert(whole.end(), piece.begin(), piece.end());
  Message out{wire::parse_payloads(parts_->type, whole), std::move(parts_->first), {}};
  out.inner = std::move(whole);
  if (!out.payloads) out.payloads.error().authenticated = true;
  parts_.reset();
  return out;
}

wire::Parsed<std::optional<Reassembly::Message>> Reassembly::take(std::uint32_t message_id, base::ByteView datagram,
                                                                  const crypto::SkCipher& cipher,
                                                                  std::size_t most_octets) {
  const auto fragment = wire::parse_fragment(datagram);
  if (!fragment) return std::unexpected(fragment.error());
  const bool current = parts_ && parts_->message_id == message_id;
  // Of two ways to cut a message the finer one is the later one (2.6); what is there already is not decrypted again.
  if (current && fragment->total < parts_->total) return std::nullopt;
  if (current && fragment->total == parts_->total && parts_->pieces.contains(fragment->number)) return std::nullopt;
  auto piece = wire::open_fragment(datagram, *fragment, cipher);
  if (!piece) return std::unexpected(piece.error());
  if (!current || fragment->total != parts_->total) {
    auto& fresh = parts_.emplace();
    fresh.message_id = message_id;
    fresh.total = fragment->total;
  }
  if (parts_->octets + piece->size() > most_octets) {
    parts_.reset();
    return fault(wire::WireError::too_many);
  }
  parts_->octets += piece->size();
  if (fragment->number == 1) {
    parts_->type = fragment->first;
    parts_->first.assign(datagram.begin(), datagram.end());
  }
  parts_->pieces.emplace(fragment->number, std::move(*piece));
  if (parts_->pieces.size() < parts_->total) return std::nullopt;
  return finish();
}

}  // namespace espgate::ike
