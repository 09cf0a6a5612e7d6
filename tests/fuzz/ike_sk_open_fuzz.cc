// SPDX-License-Identifier: Apache-2.0
// Encrypted messages under fixed keys. Odd first octet: the rest is a datagram as it comes. Even: the second octet is
// the type of the first payload inside and the rest the plaintext, which is sealed first, so that the fuzzer gets past
// the checksum. Bit 1 of the first octet: AES-CBC with HMAC instead of AES-GCM.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/sealing.h"

namespace fuzz = espgate::fuzz;
namespace wire = espgate::ike::wire;
using espgate::base::ByteView;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  auto cipher = fuzz::make_cipher((data[0] & 2) != 0);
  const ByteView rest(data + 2, size - 2);
  if ((data[0] & 1) != 0) {
    // Nobody guesses a checksum: a message that opens was not made by a fuzzer.
    const auto opened = wire::open(rest, cipher);
    if (!opened) (void)opened.error().text();
    return 0;
  }
  if (rest.size() < cipher.block_octets()) return 0;
  const auto blocks = std::min<std::size_t>(rest.size() - rest.size() % cipher.block_octets(), 60000);
  const auto message = fuzz::sealed(cipher, wire::ExchangeType::informational, data[1], rest.first(blocks));
  const auto opened = wire::open(message, cipher);
  if (!opened && opened.error().error == wire::WireError::bad_integrity) std::abort();
  return 0;
}
