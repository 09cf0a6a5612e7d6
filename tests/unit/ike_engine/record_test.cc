// SPDX-License-Identifier: Apache-2.0
// Records of IKE SAs. Those in tests/fuzz/corpus/ike_record are what espgated wrote in version 1: they are read for as
// long as that version is.
#include "ike/record.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace espgate::ike::record {
namespace {

constexpr char kFolder[] = "tests/fuzz/corpus/ike_record";

Config config() {
  auto conn = std::make_shared<ConnConfig>();
  conn->name = "demo";
  for (const auto* name : {"net", "b"}) conn->children.emplace_back().name = name;
  Config out;
  out.conns.push_back(std::move(conn));
  return out;
}

base::Bytes octets_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  base::Bytes out{std::istreambuf_iterator<char>(file), {}};
  if (!out.empty()) out.erase(out.begin());  // for the fuzzer
  return out;
}

std::vector<base::Bytes> written_by_version_1() {
  std::vector<base::Bytes> out;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().filename().string().ends_with("-ike")) out.push_back(octets_of(entry.path()));
  }
  return out;
}

TEST(Record, OfVersionOneIsRead) {
  const auto all = written_by_version_1();
  ASSERT_GE(all.size(), 8U);
  for (const auto& octets : all) {
    const auto read = decode(octets, config());
    ASSERT_TRUE(read);
    EXPECT_FALSE(read->orphan);
    EXPECT_TRUE(read->orphans.empty());
    EXPECT_NE(read->sa->spi_i.value, 0U);
    EXPECT_FALSE(read->sa->children.empty());
    EXPECT_TRUE(read->sa->cipher_in && read->sa->cipher_out);
  }
  const auto numbers = decode_numbers(octets_of(std::string(kFolder) + "/up-left-engine"));
  ASSERT_TRUE(numbers);
  EXPECT_GT(numbers->ike, 0U);
}

TEST(Record, WhatIsNotConfiguredAnyMoreIsSaid) {
  for (const auto& octets : written_by_version_1()) {
    const auto read = decode(octets, Config{});
    ASSERT_TRUE(read);
    EXPECT_TRUE(read->orphan);
    EXPECT_EQ(read->sa->conn->name, "demo");
    EXPECT_EQ(read->orphans.size(), read->sa->children.size());
  }
}

TEST(Record, CutShortItIsNone) {
  for (const auto& octets : written_by_version_1()) {
    for (std::size_t length = 0; length < octets.size(); ++length) {
      EXPECT_FALSE(decode(base::ByteView(octets).first(length), config())) << length;
    }
  }
}

TEST(Record, AnyBitMayBeWrong) {
  const auto all = written_by_version_1();
  std::size_t refused = 0;
  for (const auto& whole : all) {
    auto octets = whole;
    for (std::size_t at = 0; at < octets.size(); ++at) {
      octets[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
      auto read = decode(octets, config());
      refused += read ? 0 : 1;
      if (read) {
        EXPECT_TRUE(decode(encode(*read->sa, read->besides).view(), config())) << at;
      }
      octets[at] = whole[at];
    }
  }
  EXPECT_GT(refused, 100U);
}

TEST(Record, IvsArePromisedAhead) {
  for (const auto& octets : written_by_version_1()) {
    auto read = decode(octets, config());
    ASSERT_TRUE(read);
    const auto promised = read->sa->iv_reserved;
    EXPECT_EQ(read->sa->cipher_out->next_iv(), promised) << "the next one begins beyond all that was promised";
    auto next = decode(encode(*read->sa, read->besides).view(), config());
    ASSERT_TRUE(next);
    EXPECT_EQ(next->sa->iv_reserved, promised + kIvReserve);
  }
}

TEST(Record, OfTheVersionAfterThisOne) {
  auto octets = written_by_version_1().front();
  octets[0] = kVersion + 1;
  EXPECT_TRUE(decode(octets, config()));
  // PPK and additional key exchanges, which version 1 did not have, and three octets that we do not know.
  base::Bytes more(1 + 2 * crypto::AdditionalKes{}.size());
  more.insert(more.end(), {1, 2, 3});
  octets[5] = static_cast<std::uint8_t>(octets[5] + more.size());  // the block's length
  if (octets[5] < more.size()) ++octets[4];
  octets.insert(octets.end(), more.begin(), more.end());
  EXPECT_TRUE(decode(octets, config()));
  octets[1] = kVersion + 1;  // only that version reads it
  EXPECT_FALSE(decode(octets, config()));
  octets[0] = kOldestRead - 1;
  EXPECT_FALSE(decode(octets, config()));
}

}  // namespace
}  // namespace espgate::ike::record
