// SPDX-License-Identifier: Apache-2.0
#include "ike/wire/fragment.h"

#include <algorithm>

#include "ike/wire/chain.h"

namespace espgate::ike::wire {

namespace {
constexpr std::size_t kNumbersOctets = 4;  // fragment number and total

std::unexpected<Fault> fault(WireError error, bool authenticated = false) {
  return std::unexpected(Fault{.error = error, .payload = PayloadType::skf, .authenticated = authenticated});
}

// How much of a message fits into one fragment, its padding left aside; 0: nothing.
std::size_t room(const crypto::SkCipher& cipher, std::size_t most) {
  const std::size_t around = kHeaderOctets + kGenericHeaderOctets + kNumbersOctets + cipher.sealed_octets(0);
  if (most <= around) return 0;
  const std::size_t plain = (most - around) / cipher.block_octets() * cipher.block_octets();
  return plain == 0 ? 0 : plain - 1;  // the pad length takes one
}

crypto::Crypto<base::Bytes> seal_one(Header header, PayloadType first, std::uint16_t number, std::uint16_t total,
                                     base::ByteView piece, crypto::SkCipher& cipher, crypto::Rng& rng) {
  base::Bytes plain(piece.begin(), piece.end());
  const std::size_t block = cipher.block_octets();
  const std::size_t padding = (block - (plain.size() + 1) % block) % block;
  plain.resize(plain.size() + padding);
  plain.push_back(static_cast<std::uint8_t>(padding));
  const std::size_t length = kGenericHeaderOctets + kNumbersOctets + cipher.sealed_octets(plain.size());
  header.next = PayloadType::skf;
  header.length = static_cast<std::uint32_t>(kHeaderOctets + length);
  base::ByteWriter out;
  write_header(out, header);
  out.u8(static_cast<std::uint8_t>(first));
  out.u8(0);
  out.u16(static_cast<std::uint16_t>(length));
  out.u16(number);
  out.u16(total);
  const auto done = cipher.seal(out, plain, rng);
  if (!done) return std::unexpected(done.error());
  return out.take();
}
}  // namespace

crypto::Crypto<std::vector<base::Bytes>> seal_fragments(Header header, const Payloads& inner, crypto::SkCipher& cipher,
                                                        crypto::Rng& rng, std::size_t most) {
  base::ByteWriter payloads;
  const auto first = write_payloads(payloads, inner);
  const auto whole = payloads.view();
  const std::size_t each = room(cipher, most);
  if (each == 0 || whole.size() > kMaxMessageOctets || whole.size() > each * kMaxFragments) {
    return std::unexpected(crypto::CryptoError::too_long);
  }
  const auto total = static_cast<std::uint16_t>(std::max<std::size_t>(1, (whole.size() + each - 1) / each));
  std::vector<base::Bytes> out;
  for (std::uint16_t number = 1; number <= total; ++number) {
    const std::size_t begin = (number - 1U) * each;
    const auto piece = whole.subspan(begin, std::min(each, whole.size() - begin));
    auto one = seal_one(header, number == 1 ? first : PayloadType::none, number, total, piece, cipher, rng);
    if (!one) return std::unexpected(one.error());
    out.push_back(std::move(*one));
  }
  return out;
}

Parsed<FragmentHeader> parse_fragment(base::ByteView datagram) {
  const auto header = parse_header(datagram);
  if (!header) return std::unexpected(header.error());
  const auto chain = split_chain(header->next, datagram.subspan(kHeaderOctets));
  if (!chain) return std::unexpected(chain.error());
  if (chain->size() != 1 || chain->front().type != PayloadType::skf) return fault(WireError::missing_sk);
  base::ByteReader in(chain->front().body);
  const auto number = in.u16();
  const auto total = in.u16();
  if (!number || !total) return fault(WireError::bad_field_length);
  if (*number == 0 || *number > *total || *total > kMaxFragments) return fault(WireError::bad_field_value);
  return FragmentHeader{*number, *total, chain->front().next, kHeaderOctets + kGenericHeaderOctets + kNumbersOctets};
}

Parsed<base::Bytes> open_fragment(base::ByteView datagram, const FragmentHeader& fragment,
                                  const crypto::SkCipher& cipher) {
  auto plain = cipher.open(datagram, fragment.offset);
  if (!plain) return fault(WireError::bad_integrity);
  const std::size_t padding = plain->empty() ? 0 : plain->back();
  if (padding + 1 > plain->size()) return fault(WireError::bad_padding, true);
  plain->resize(plain->size() - 1 - padding);
  return std::move(*plain);
}

}  // namespace espgate::ike::wire
