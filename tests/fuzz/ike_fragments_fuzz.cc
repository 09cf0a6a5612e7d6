// SPDX-License-Identifier: Apache-2.0
// Fragments of IKE messages under a fixed key. Odd first octet: the rest is a datagram as it comes. Even: a script of
// steps (number, total, message id, type of the first payload, count of octets, octets), each sealed as a fragment and
// put together; bit 1 chooses AES-CBC.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "ike/reassembly.h"

namespace wire = espgate::ike::wire;
namespace crypto = espgate::ike::crypto;
using espgate::base::Bytes;
using espgate::base::ByteView;
using espgate::ike::Reassembly;

namespace {
constexpr std::size_t kMost = 500;

crypto::SkCipher make_cipher(bool cbc) {
  const crypto::IkeSuite gcm_suite;
  const crypto::IkeSuite cbc_suite{crypto::kEncrAesCbc, 128, crypto::kIntegSha256, crypto::kPrfHmacSha256,
                                   crypto::kGroupX25519};
  const auto& suite = cbc ? cbc_suite : gcm_suite;
  return *crypto::SkCipher::make(suite, Bytes(suite.encr_key_octets(), 1), Bytes(suite.integ_key_octets(), 2));
}

Bytes sealed(crypto::SkCipher& cipher, std::uint8_t number, std::uint8_t total, std::uint8_t type, ByteView piece) {
  crypto::SeededRng rng(1);
  Bytes plain(piece.begin(), piece.end());
  plain.resize((plain.size() / cipher.block_octets() + 1) * cipher.block_octets());
  plain.back() = static_cast<std::uint8_t>(plain.size() - piece.size() - 1);
  const std::size_t length = wire::kGenericHeaderOctets + 4 + cipher.sealed_octets(plain.size());
  wire::Header header;
  header.spi_i = {1};
  header.next = wire::PayloadType::skf;
  header.exchange = wire::ExchangeType::ike_auth;
  header.length = static_cast<std::uint32_t>(wire::kHeaderOctets + length);
  espgate::base::ByteWriter out;
  wire::write_header(out, header);
  out.u8(type);
  out.u8(0);
  out.u16(static_cast<std::uint16_t>(length));
  out.u16(number);
  out.u16(total);
  if (!cipher.seal(out, plain, rng)) std::abort();
  return out.take();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  auto cipher = make_cipher((data[0] & 2) != 0);
  Reassembly parts;
  espgate::base::ByteReader script(ByteView(data + 1, size - 1));
  if ((data[0] & 1) != 0) {
    const auto taken = parts.take(1, script.rest(), cipher, kMost);
    if (taken) std::abort();  // nobody guesses a checksum
    (void)taken.error().text();
    return 0;
  }
  while (const auto head = script.take(5)) {
    const auto piece = script.take(std::min<std::size_t>((*head)[4], script.left()));
    const auto datagram = sealed(cipher, (*head)[0], (*head)[1], (*head)[3], *piece);
    const auto taken = parts.take((*head)[2], datagram, cipher, kMost);
    if (!taken && taken.error().error == wire::WireError::bad_integrity) std::abort();
    if (parts.octets() > kMost) std::abort();
  }
  return 0;
}
