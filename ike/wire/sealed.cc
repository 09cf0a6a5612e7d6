// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/sealed.h"

#include "base/secret.h"
#include "ike/wire/chain.h"

namespace espgate::ike::wire {

namespace {
// Payloads, padding and pad length, a multiple of `block` octets (RFC 7296 3.14). The padding's content is free: zero.
base::Bytes pad(base::ByteWriter& payloads, std::size_t block) {
  const std::size_t padding = (block - (payloads.size() + 1) % block) % block;
  payloads.zeros(padding);
  payloads.u8(static_cast<std::uint8_t>(padding));
  return payloads.take();
}

// The plaintext without padding; nullopt if the pad length exceeds it.
std::optional<base::ByteView> unpad(base::ByteView plain) {
  if (plain.empty()) return std::nullopt;
  const std::size_t padding = plain.back();
  if (padding + 1 > plain.size()) return std::nullopt;
  return plain.first(plain.size() - 1 - padding);
}

std::unexpected<Fault> fault(WireError error, bool authenticated) {
  return std::unexpected(Fault{.error = error, .payload = PayloadType::sk, .authenticated = authenticated});
}

// The SK payload at the message's end.
Parsed<RawPayload> find_sk(const Header& header, base::ByteView message) {
  const auto chain = split_chain(header.next, message.subspan(kHeaderOctets));
  if (!chain) return std::unexpected(chain.error());
  if (chain->empty() || chain->back().type != PayloadType::sk) return fault(WireError::missing_sk, false);
  return chain->back();
}
}  // namespace

crypto::Crypto<base::Bytes> seal(Header header, const Payloads& inner, crypto::SkCipher& cipher, crypto::Rng& rng) {
  base::ByteWriter payloads;
  const PayloadType first = write_payloads(payloads, inner);
  base::Bytes plain = pad(payloads, cipher.block_octets());
  const std::size_t sealed = cipher.sealed_octets(plain.size());

  if (kHeaderOctets + kGenericHeaderOctets + sealed > kMaxMessageOctets) {
    return std::unexpected(crypto::CryptoError::too_long);
  }
  header.next = PayloadType::sk;
  header.length = static_cast<std::uint32_t>(kHeaderOctets + kGenericHeaderOctets + sealed);
  base::ByteWriter out;
  write_header(out, header);
  out.u8(static_cast<std::uint8_t>(first));
  out.u8(0);
  out.u16(static_cast<std::uint16_t>(kGenericHeaderOctets + sealed));
  const auto done = cipher.seal(out, plain, rng);
  if (!done) return std::unexpected(done.error());
  return out.take();
}

Parsed<Payloads> open(base::ByteView message, const crypto::SkCipher& cipher) {
  auto opened = open_whole(message, cipher);
  if (!opened) return std::unexpected(opened.error());
  return std::move(opened->payloads);
}

base::Bytes authenticated_octets(base::ByteView datagram, base::ByteView inner) {
  const auto header = parse_header(datagram);
  if (!header) return {};
  const auto chain = split_chain(header->next, datagram.subspan(kHeaderOctets));
  if (!chain || chain->empty()) return {};
  const std::size_t generic = kHeaderOctets + chain->back().offset;
  constexpr std::size_t kNextOffset = 16, kLengthOffset = 24;  // in the IKE header, RFC 7296 3.1
  base::Bytes out(datagram.begin(), datagram.begin() + static_cast<std::ptrdiff_t>(generic + kGenericHeaderOctets));
  if (chain->back().type == PayloadType::skf) out[kNextOffset] = static_cast<std::uint8_t>(PayloadType::sk);
  const std::size_t length = out.size() + inner.size();
  for (std::size_t i = 0; i < 4; ++i) out[kLengthOffset + i] = static_cast<std::uint8_t>(length >> (24 - 8 * i));
  const std::size_t payload = kGenericHeaderOctets + inner.size();
  out[generic + 2] = static_cast<std::uint8_t>(payload >> 8U);
  out[generic + 3] = static_cast<std::uint8_t>(payload);
  out.insert(out.end(), inner.begin(), inner.end());
  return out;
}

Parsed<Opened> open_whole(base::ByteView message, const crypto::SkCipher& cipher) {
  const auto header = parse_header(message);
  if (!header) return std::unexpected(header.error());
  const auto sk = find_sk(*header, message);
  if (!sk) return std::unexpected(sk.error());
  const std::size_t iv_offset = kHeaderOctets + sk->offset + kGenericHeaderOctets;
  const auto plain = cipher.open(message, iv_offset);
  if (!plain) return fault(WireError::bad_integrity, false);
  const auto inner = unpad(*plain);
  if (!inner) return fault(WireError::bad_padding, true);
  auto payloads = parse_payloads(sk->next, *inner);
  if (!payloads) {
    payloads.error().authenticated = true;
    return std::unexpected(payloads.error());
  }
  return Opened{std::move(*payloads), {inner->begin(), inner->end()}};
}

}  // namespace espgate::ike::wire
