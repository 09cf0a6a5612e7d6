// SPDX-License-Identifier: Apache-2.0
#include "ike/crypto/rng.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>
#include <thread>

namespace espgate::ike::crypto {
namespace {

TEST(SystemRng, GivesEachOctetOnce) {
  SystemRng rng;
  std::set<base::Bytes> seen;
  for (const std::size_t size : {8U, 16U, 24U, 32U, 64U, 65U, 5000U}) {
    for (int i = 0; i < 500; ++i) EXPECT_TRUE(seen.insert(rng.bytes(size)).second);
  }
  // No piece of eight octets came twice either, wherever it stood.
  std::set<base::Bytes> pieces;
  std::size_t count = 0;
  for (const auto& octets : seen) {
    for (std::size_t at = 0; at + 8 <= octets.size(); at += 8, ++count) {
      pieces.emplace(octets.begin() + static_cast<std::ptrdiff_t>(at),
                     octets.begin() + static_cast<std::ptrdiff_t>(at + 8));
    }
  }
  EXPECT_EQ(pieces.size(), count);
}

TEST(SystemRng, NothingAtAll) {
  SystemRng rng;
  EXPECT_TRUE(rng.bytes(0).empty());
}

TEST(SystemRng, AThreadHasItsOwn) {
  SystemRng rng;
  const auto ours = rng.bytes(32);
  base::Bytes theirs;
  std::jthread([&] { theirs = rng.bytes(32); }).join();
  EXPECT_NE(ours, theirs);
}

// What was in stock when the process forked is given by the parent alone.
TEST(SystemRng, AForkHasNothingOfItsParent) {
  SystemRng rng;
  (void)rng.u64();  // now there is a stock
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto octets = rng.bytes(32);
    _exit(write(ends[1], octets.data(), octets.size()) == 32 ? 0 : 1);
  }
  base::Bytes theirs(32);
  EXPECT_EQ(read(ends[0], theirs.data(), theirs.size()), 32);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  close(ends[0]);
  close(ends[1]);
  const auto ours = rng.bytes(32);
  EXPECT_NE(ours, theirs);
}

}  // namespace
}  // namespace espgate::ike::crypto
