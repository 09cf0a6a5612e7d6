// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/esp.h"
#include "base/ids.h"
#include "base/name.h"
#include "base/rare.h"
#include "base/secret.h"

namespace espgate::base {
namespace {

TEST(Error, NamesOperationErrnoAndTheKernelsWords) {
  Error error{"add SA 0xc0ffee01", EINVAL, "Cannot offload authenticated xfrm states"};
  EXPECT_EQ(error.text(), "add SA 0xc0ffee01: Invalid argument (EINVAL): Cannot offload authenticated xfrm states");
  EXPECT_EQ(errno_name(99999), "errno 99999");
}

TEST(ByteReader, ReadsNetworkOrderAndStopsAtTheEnd) {
  const Bytes data{1, 2, 3, 4, 5, 6, 7};
  ByteReader reader(data);
  EXPECT_EQ(reader.u16(), 0x0102);
  EXPECT_EQ(reader.u32(), 0x03040506U);
  EXPECT_EQ(reader.u16(), std::nullopt);
  EXPECT_EQ(reader.u8(), 7);
  EXPECT_TRUE(reader.done());
}

TEST(ByteWriter, PatchesLengthsAfterwards) {
  ByteWriter writer;
  writer.u16(0);
  writer.u32(0xdeadbeef);
  writer.patch_u16(0, static_cast<std::uint16_t>(writer.size()));
  EXPECT_EQ(to_hex(writer.view()), "0006deadbeef");
}

TEST(Hex, RoundTripsAndRefusesOddAndForeign) {
  EXPECT_EQ(to_hex(*from_hex("00fFa0")), "00ffa0");
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("zz"));
}

TEST(Address, ParsesBothFamiliesAndNothingElse) {
  EXPECT_EQ(Address::parse("192.0.2.1")->text(), "192.0.2.1");
  EXPECT_EQ(Address::parse("2001:db8::1")->text(), "2001:db8::1");
  for (const char* bad : {"", "192.0.2", "192.0.2.256", "2001:db8::g", "1.2.3.4/8", "fe80::1%eth0"}) {
    EXPECT_FALSE(Address::parse(bad)) << bad;
  }
}

TEST(Endpoint, SurvivesTheSocketAddress) {
  for (const char* text : {"192.0.2.7", "2001:db8::7"}) {
    const Endpoint endpoint{*Address::parse(text), 4500};
    sockaddr_storage storage;
    endpoint.to_sockaddr(storage);
    EXPECT_EQ(Endpoint::from_sockaddr(storage), endpoint);
  }
}

TEST(Prefix, ClearsHostBitsAndKnowsItsEnds) {
  auto prefix = *Prefix::parse("10.1.2.3/20");
  EXPECT_EQ(prefix.text(), "10.1.0.0/20");
  EXPECT_EQ(prefix.last().text(), "10.1.15.255");
  EXPECT_TRUE(prefix.contains(*Address::parse("10.1.15.1")));
  EXPECT_FALSE(prefix.contains(*Address::parse("10.1.16.1")));
  EXPECT_FALSE(prefix.contains(*Address::parse("::1")));
  EXPECT_FALSE(Prefix::parse("10.0.0.0/33"));
  EXPECT_FALSE(Prefix::parse("10.0.0.0/"));
  EXPECT_EQ(Prefix::parse("::/0")->last().text(), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

TEST(TrafficSelector, RangeToPrefixesIsExact) {
  TrafficSelector range;
  range.first = *Address::parse("10.0.0.1");
  range.last = *Address::parse("10.0.0.6");
  std::string text;
  for (const auto& prefix : range.prefixes()) text += prefix.text() + " ";
  EXPECT_EQ(text, "10.0.0.1/32 10.0.0.2/31 10.0.0.4/31 10.0.0.6/32 ");
  EXPECT_EQ(range.text(), "10.0.0.1..10.0.0.6");
  auto all = TrafficSelector::of(*Prefix::parse("0.0.0.0/0"));
  ASSERT_EQ(all.prefixes().size(), 1U);
  EXPECT_EQ(all.text(), "0.0.0.0/0");
}

TEST(TrafficSelector, IntersectionNarrows) {
  auto wide = TrafficSelector::of(*Prefix::parse("10.0.0.0/8"));
  auto narrow = TrafficSelector::of(*Prefix::parse("10.1.0.0/16"));
  narrow.protocol = 6;
  EXPECT_EQ(wide.intersect(narrow), narrow);
  EXPECT_TRUE(wide.contains(narrow));
  EXPECT_FALSE(narrow.contains(wide));
  EXPECT_FALSE(wide.intersect(TrafficSelector::of(*Prefix::parse("2001:db8::/32"))));
  EXPECT_FALSE(wide.intersect(TrafficSelector::of(*Prefix::parse("192.0.2.0/24"))));
}

TEST(EspSuite, NamesAndKeySizes) {
  EspSuite gcm{EspCipher::aes_gcm_16, 128, EspAuth::none, false};
  EXPECT_EQ(gcm.name(), "aes128gcm16");
  EXPECT_EQ(gcm.cipher_key_octets(), 20U);
  EXPECT_EQ(gcm.icv_octets(), 16U);
  EspSuite cbc{EspCipher::aes_cbc, 256, EspAuth::hmac_sha2_256_128, true};
  EXPECT_EQ(cbc.name(), "aes256-sha256-esn");
  EXPECT_EQ(cbc.cipher_key_octets(), 32U);
  EXPECT_EQ(cbc.auth_key_octets(), 32U);
  EXPECT_EQ(cbc.icv_octets(), 16U);
  EspSuite short_icv{EspCipher::aes_gcm_8, 128, EspAuth::none, false};
  EXPECT_EQ(short_icv.name(), "aes128gcm8");
  EXPECT_EQ(short_icv.icv_octets(), 8U);
  short_icv.cipher = EspCipher::aes_gcm_12;
  EXPECT_EQ(short_icv.name(), "aes128gcm12");
  EspSuite chacha{EspCipher::chacha20_poly1305, 256, EspAuth::none, true};
  EXPECT_EQ(chacha.name(), "chacha20poly1305-esn");
  EXPECT_EQ(chacha.cipher_key_octets(), 36U);
  EXPECT_EQ(chacha.icv_octets(), 16U);
}

TEST(Secret, IsMovedNotShared) {
  auto secret = Secret::copy_of(as_bytes("key"));
  Secret other = std::move(secret);
  EXPECT_TRUE(secret.empty());  // NOLINT(bugprone-use-after-move): the point of the test
  EXPECT_EQ(as_text(other.view()), "key");
  EXPECT_TRUE(equal_constant_time(other.view(), as_bytes("key")));
  EXPECT_FALSE(equal_constant_time(other.view(), as_bytes("kez")));
  EXPECT_FALSE(equal_constant_time(other.view(), as_bytes("ke")));
}

// The addresses that a line of /proc/self/maps begins with; {0, 0}: it begins with none.
std::pair<std::uintptr_t, std::uintptr_t> span_of(const std::string& line) {
  std::uintptr_t from = 0, to = 0;
  const char* end = line.data() + line.size();
  const auto first = std::from_chars(line.data(), end, from, 16);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '-') return {};
  const auto second = std::from_chars(first.ptr + 1, end, to, 16);
  if (second.ec != std::errc{} || second.ptr == end || *second.ptr != ' ') return {};
  return {from, to};
}

// A line of /proc/self/smaps about the mapping that `at` is in.
std::string mapping_line(const void* at, const std::string& which) {
  std::ifstream maps("/proc/self/smaps");
  const auto address = reinterpret_cast<std::uintptr_t>(at);
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    if (const auto [from, to] = span_of(line); to != 0) inside = from <= address && address < to;
    if (inside && (which.empty() || line.starts_with(which))) return line;
  }
  return {};
}

// Sanitizers take mlock(2) for themselves and do nothing.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kLocks = false;
#else
constexpr bool kLocks = true;
#endif

TEST(Secret, LiesInLockedPagesThatNoCoreHas) {
  for (const std::size_t size : {1, 16, 100, 5000, 70000, 300000, 3000000}) {
    const Secret secret(size);
    const auto flags = mapping_line(secret.view().data(), "VmFlags:") + " ";
    EXPECT_NE(flags.find(" dd "), std::string::npos) << size << flags;
    if (kLocks && secret_memory().unlocked == 0) {
      EXPECT_NE(flags.find(" lo "), std::string::npos) << size << flags;
    }
  }
}

TEST(Secret, NobodyRunsIntoItsPages) {
  const Secret secret(3000000);
  const auto line = mapping_line(secret.view().data(), "");
  const auto [from, to] = span_of(line);
  ASSERT_NE(to, 0U) << line;
  EXPECT_NE(mapping_line(reinterpret_cast<const void*>(from - 1), "").find("---p"), std::string::npos);
  EXPECT_NE(mapping_line(reinterpret_cast<const void*>(to), "").find("---p"), std::string::npos);
}

TEST(Secret, IsZeroWhenItIsNewAndWhenItIsGone) {
  for (const std::size_t size : {1, 31, 32, 33, 64, 1000, 4096, 65536}) {
    const std::uint8_t* at = nullptr;
    {
      Secret secret(size);
      EXPECT_TRUE(std::ranges::all_of(secret.view(), [](auto octet) { return octet == 0; }));
      std::ranges::fill(secret.bytes(), std::uint8_t{0xa5});
      at = secret.view().data();
    }
    const Secret again(size);
    EXPECT_EQ(again.view().data(), at) << "its place is used again";
    EXPECT_TRUE(std::ranges::all_of(again.view(), [](auto octet) { return octet == 0; }));
  }
}

TEST(Secret, FromManyThreads) {
  std::vector<std::jthread> threads;
  std::atomic<int> wrong = 0;
  for (std::uint8_t mine = 1; mine <= 4; ++mine) {
    threads.emplace_back([mine, &wrong] {
      std::vector<Secret> held;
      for (std::size_t i = 0; i < 1000; ++i) {
        Secret secret((i * 37) % 3000);
        for (const auto octet : secret.view()) wrong += octet != 0 ? 1 : 0;
        std::ranges::fill(secret.bytes(), mine);
        held.push_back(std::move(secret));
        if (held.size() > 20) held.erase(held.begin());
        for (const auto octet : held.front().view()) wrong += octet != mine ? 1 : 0;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

TEST(Name, EqualTextsAreThereOnce) {
  const auto before = Name::count();
  {
    const Name none;
    Name first("site-a"), other(std::string("site-b"));
    const Name again(std::string_view("site-a"));
    EXPECT_EQ(Name::count(), before + 2);
    EXPECT_EQ(&first.str(), &again.str());
    EXPECT_TRUE(first == again && first == "site-a" && !(first == other));
    EXPECT_TRUE(none.empty() && none == Name("") && none.str().empty());
    EXPECT_EQ(fmt::format("{}/{}", first, none), "site-a/");
    first = other;
    const Name moved(std::move(other));
    EXPECT_EQ(moved, first);
    EXPECT_TRUE(other.empty());  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(again, "site-a");
    first.clear();
    EXPECT_EQ(moved, "site-b");
    EXPECT_EQ(Name::count(), before + 2);
  }
  EXPECT_EQ(Name::count(), before) << "nobody has them any more";
}

TEST(Name, FromManyThreads) {
  const auto before = Name::count();
  std::vector<std::jthread> threads;
  std::atomic<int> wrong = 0;
  for (int mine = 0; mine < 4; ++mine) {
    threads.emplace_back([&wrong] {
      for (int i = 0; i < 20000; ++i) {
        const auto text = fmt::format("a reason that is longer than a short string, {}", i % 3);
        const Name name(text);
        Name other = name;
        wrong += name == text && other == name ? 0 : 1;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(Name::count(), before);
}

TEST(Rare, IsAnOptionalOnTheHeap) {
  Rare<std::string> value;
  EXPECT_EQ(sizeof value, sizeof(void*));
  EXPECT_FALSE(value);
  value = std::string("here");
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(*value, "here");
  EXPECT_EQ(value->size(), 4U);
  value.emplace() += "anew";
  EXPECT_EQ(*value, "anew");
  value.reset();
  EXPECT_FALSE(value.has_value());
}

TEST(Ids, SpiTextAndUid) {
  EXPECT_EQ(Spi{0xc1}.text(), "000000c1");
  EXPECT_EQ(Spi::parse("0xC1"), Spi{0xc1});
  EXPECT_FALSE(Spi::parse("123456789"));
  EXPECT_NE(ChildUid::of("a", "bc"), ChildUid::of("ab", "c"));
}

}  // namespace
}  // namespace espgate::base
