// SPDX-License-Identifier: Apache-2.0
// Encrypted messages under fixed keys. Odd first octet: the rest is a datagram as it comes. Even: the second octet is
// the type of the first payload inside and the rest the plaintext, which is sealed first, so that the fuzzer gets past
// the checksum. Bit 1 of the first octet: AES-CBC with HMAC instead of AES-GCM.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "ike/wire/sealed.h"

namespace wire = espgate::ike::wire;
namespace crypto = espgate::ike::crypto;
using espgate::base::Bytes;
using espgate::base::ByteView;

namespace {
crypto::SkCipher make_cipher(bool cbc) {
  const crypto::IkeSuite gcm_suite;
  const crypto::IkeSuite cbc_suite{crypto::kEncrAesCbc, 128, crypto::kIntegSha256, crypto::kPrfHmacSha256,
                                   crypto::kGroupX25519};
  const auto& suite = cbc ? cbc_suite : gcm_suite;
  return *crypto::SkCipher::make(suite, Bytes(suite.encr_key_octets(), 1), Bytes(suite.integ_key_octets(), 2));
}

Bytes sealed(crypto::SkCipher& cipher, std::uint8_t first, ByteView plain) {
  crypto::SeededRng rng(1);
  plain = plain.first(std::min<std::size_t>(plain.size() - plain.size() % cipher.block_octets(), 60000));
  const std::size_t length = wire::kGenericHeaderOctets + cipher.sealed_octets(plain.size());
  wire::Header header;
  header.spi_i = {1};
  header.next = wire::PayloadType::sk;
  header.exchange = wire::ExchangeType::informational;
  header.length = static_cast<std::uint32_t>(wire::kHeaderOctets + length);
  espgate::base::ByteWriter out;
  wire::write_header(out, header);
  out.u8(first);
  out.u8(0);
  out.u16(static_cast<std::uint16_t>(length));
  if (!cipher.seal(out, plain, rng)) std::abort();
  return out.take();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  auto cipher = make_cipher((data[0] & 2) != 0);
  const ByteView rest(data + 2, size - 2);
  if ((data[0] & 1) != 0) {
    // Nobody guesses a checksum: a message that opens was not made by a fuzzer.
    const auto opened = wire::open(rest, cipher);
    if (!opened) (void)opened.error().text();
    return 0;
  }
  if (rest.size() < cipher.block_octets()) return 0;
  const auto opened = wire::open(sealed(cipher, data[1], rest), cipher);
  if (!opened && opened.error().error == wire::WireError::bad_integrity) std::abort();
  return 0;
}
