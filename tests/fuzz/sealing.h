// SPDX-License-Identifier: Apache-2.0
// Sealed messages under fixed keys, so that a fuzzer gets past the checksum.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <optional>

#include "ike/wire/sealed.h"

namespace espgate::fuzz {

inline ike::crypto::SkCipher make_cipher(bool cbc) {
  namespace crypto = ike::crypto;
  const crypto::IkeSuite gcm_suite;
  const crypto::IkeSuite cbc_suite{crypto::kEncrAesCbc, 128, crypto::kIntegSha256, crypto::kPrfHmacSha256,
                                   crypto::kGroupX25519};
  const auto& suite = cbc ? cbc_suite : gcm_suite;
  return *crypto::SkCipher::make(suite, base::Bytes(suite.encr_key_octets(), 1),
                                 base::Bytes(suite.integ_key_octets(), 2));
}

struct Piece {
  std::uint8_t number, total;
};

// One message with an SK payload, or with an SKF payload if it is a piece of one (RFC 7383 2.5). `first`: type of the
// first payload inside. `plain`: whole blocks, padding and its length included.
inline base::Bytes sealed(ike::crypto::SkCipher& cipher, ike::wire::ExchangeType exchange, std::uint8_t first,
                          base::ByteView plain, std::optional<Piece> piece = {}) {
  namespace wire = ike::wire;
  ike::crypto::SeededRng rng(1);
  const std::size_t length = wire::kGenericHeaderOctets + (piece ? 4 : 0) + cipher.sealed_octets(plain.size());
  wire::Header header;
  header.spi_i = {1};
  header.next = piece ? wire::PayloadType::skf : wire::PayloadType::sk;
  header.exchange = exchange;
  header.length = static_cast<std::uint32_t>(wire::kHeaderOctets + length);
  base::ByteWriter out;
  wire::write_header(out, header);
  out.u8(first);
  out.u8(0);
  out.u16(static_cast<std::uint16_t>(length));
  if (piece) {
    out.u16(piece->number);
    out.u16(piece->total);
  }
  if (!cipher.seal(out, plain, rng)) std::abort();
  return out.take();
}

}  // namespace espgate::fuzz
