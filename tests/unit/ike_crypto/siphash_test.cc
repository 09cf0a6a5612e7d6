// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/siphash.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/unit/ike_crypto/hex.h"

namespace espgate::ike::crypto {
namespace {

base::Bytes counting(std::size_t count) {
  base::Bytes out(count);
  std::iota(out.begin(), out.end(), std::uint8_t{0});
  return out;
}

// The example of the paper's appendix A, a129ca6149be45e5, and the empty one of the reference's vectors: both least
// significant octet first.
TEST(SipHash, KnownAnswers) {
  EXPECT_EQ(text_of(siphash(counting(16), {counting(15)}).value()), "e545be4961ca29a1");
  EXPECT_EQ(text_of(siphash(counting(16), {}).value()), "310e0edd47db6f72");
}

TEST(SipHash, PartsAreJoined) {
  const auto all = counting(15);
  const base::ByteView view(all);
  EXPECT_EQ(siphash(counting(16), {view.first(4), {}, view.subspan(4)}).value(), siphash(counting(16), {all}).value());
}

TEST(SipHash, AKeyHasSixteenOctets) {
  EXPECT_FALSE(siphash(counting(15), {counting(15)}));
  EXPECT_FALSE(siphash({}, {counting(15)}));
}

}  // namespace
}  // namespace espgate::ike::crypto
