// SPDX-License-Identifier: Apache-2.0
// Fragments of IKE messages under a fixed key. Odd first octet: the rest is a datagram as it comes. Even: a script of
// steps (number, total, message id, type of the first payload, count of octets, octets), each sealed as a fragment and
// put together; bit 1 chooses AES-CBC.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "ike/reassembly.h"
#include "tests/fuzz/sealing.h"

namespace fuzz = espgate::fuzz;
namespace wire = espgate::ike::wire;
using espgate::base::Bytes;
using espgate::base::ByteView;
using espgate::ike::Reassembly;

namespace {
constexpr std::size_t kMost = 500;

Bytes padded(ByteView piece, std::size_t block) {
  Bytes plain(piece.begin(), piece.end());
  plain.resize((plain.size() / block + 1) * block);
  plain.back() = static_cast<std::uint8_t>(plain.size() - piece.size() - 1);
  return plain;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  auto cipher = fuzz::make_cipher((data[0] & 2) != 0);
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
    const auto datagram = fuzz::sealed(cipher, wire::ExchangeType::ike_auth, (*head)[3],
                                       padded(*piece, cipher.block_octets()), fuzz::Piece{(*head)[0], (*head)[1]});
    const auto taken = parts.take((*head)[2], datagram, cipher, kMost);
    if (!taken && taken.error().error == wire::WireError::bad_integrity) std::abort();
    if (parts.octets() > kMost) std::abort();
  }
  return 0;
}
