// SPDX-License-Identifier: Apache-2.0
// The cache of what devices take: there and back, and every way in which a file is not ours.
#include "control/offload/device_cache.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "control/offload/device_file.h"

namespace espgate::control {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::vector<sad::DeviceRecord> sample() {
  sad::DeviceRecord nic{"nic0", {"model", "7.1", "22.31 (MT_0)", "6.12.0"}, {}, 33, std::nullopt};
  std::size_t n = 0;
  for (const auto& row : sad::probe_plan()) {
    sad::DeviceEntry entry{row, {}, n % 3 == 0 ? sad::Learned::install : sad::Learned::probe, false, 1'790'000'000};
    switch (n++ % 4) {
      case 0:
        entry.answer = {sad::ProbeResult::refused, EINVAL, "Cannot \"offload\" this\n\xff", {}};
        break;
      case 1:
        entry.answer = {sad::ProbeResult::silent_software, 0, {}, {}};
        break;
      default:
        entry.answer = {sad::ProbeResult::taken, 0, {}, {}};
    }
    nic.entries.push_back(std::move(entry));
  }
  auto packet = base::EspSuite{};
  packet.key_bits = 256;
  nic.distrusted = {{{}, xfrm::OffloadKind::crypto, base::Direction::in, "5 of 9 packets failed", 1'790'000'300},
                    {packet, xfrm::OffloadKind::packet, {}, "none came in", 1'790'000'301}};
  return {nic, {"eth1", {}, {}, {}, {}}};
}

TEST(DeviceCache, ThereAndBack) {
  auto records = sample();
  const auto read = parse_device_cache(device_cache_text(records));
  ASSERT_TRUE(read) << read.error();
  for (auto& entry : records[0].entries) {  // the octet that is no UTF-8 was replaced
    if (!entry.answer.words.empty()) entry.answer.words = "Cannot \"offload\" this\n\xef\xbf\xbd";
  }
  EXPECT_EQ(*read, records);
  EXPECT_THAT(*parse_device_cache(device_cache_text({})), IsEmpty());
}

TEST(DeviceCache, AFileOfAFormerVersionDistrustsNobody) {
  const auto read = parse_device_cache(
      R"({"version":1,"devices":[{"dev":"nic0","driver":"","driver_version":"","firmware":"","kernel":"",)"
      R"("slots":{"in":null,"out":null},"answers":[]}]})");
  ASSERT_TRUE(read) << read.error();
  EXPECT_TRUE(read->front().distrusted.empty());
}

TEST(DeviceCache, SuitesHaveTheirNames) {
  for (const auto& row : sad::probe_plan()) {
    auto suite = row.suite;
    suite.esn = false;
    EXPECT_EQ(suite_called(suite.name()), suite);
  }
  EXPECT_EQ(suite_called("aes128gcm16-esn"), std::nullopt);
  EXPECT_EQ(suite_called(""), std::nullopt);
}

TEST(DeviceCache, WhatIsNotOursIsRefusedWithAReason) {
  const auto why = [](const std::string& text) {
    const auto read = parse_device_cache(text);
    return read ? std::string("taken") : read.error();
  };
  EXPECT_EQ(why(""), "it is no JSON");
  EXPECT_EQ(why("{"), "it is no JSON");
  EXPECT_THAT(why("[]"), StartsWith("it is not as espgate writes it"));
  EXPECT_EQ(why(R"({"version":2,"devices":[]})"), "it is of version 2, this espgate knows 1");
  EXPECT_EQ(why(R"({"version":1})"), "it is not as espgate writes it: devices");
  EXPECT_EQ(why(R"({"version":1,"devices":[7]})"), "it is not as espgate writes it: something that is no object");
  EXPECT_EQ(why(R"({"version":1,"devices":[]})"), "taken");
  EXPECT_EQ(why(std::string(kDeviceCacheOctets + 1, ' ')), "it is too long");
}

// One member at a time is changed: the file is refused, and nothing of it is believed.
TEST(DeviceCache, AWrongMemberSpoilsTheFile) {
  const std::string text = device_cache_text(sample());
  const std::vector<std::pair<std::string, std::string>> changes{{R"("suite": "aes128gcm16")", R"("suite": "rot13")"},
                                                                 {R"("esn": false)", R"("esn": 0)"},
                                                                 {R"("mode": "crypto")", R"("mode": "quantum")"},
                                                                 {R"("errno": 22)", R"("errno": 0)"},
                                                                 {R"("errno": 22)", R"("errno": -1)"},
                                                                 {R"("at": 1790000000)", R"("at": 1e300)"},
                                                                 {R"("in": 33)", R"("in": 4294967296)"},
                                                                 {R"("dev": "nic0")", R"("dev": "")"},
                                                                 {R"("replay_window": 64)", R"("replay_window": 128)"}};
  for (const auto& [from, to] : changes) {
    std::string changed = text;
    const auto at = changed.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    changed.replace(at, from.size(), to);
    EXPECT_FALSE(parse_device_cache(changed)) << from << " -> " << to;
  }
}

// Octets flipped, cut out and doubled at random: whatever is taken is written again as it was read.
TEST(DeviceCache, GarbageNeverBreaksIt) {
  const std::string good = device_cache_text(sample());
  std::mt19937 dice(1);
  int taken = 0;
  for (int run = 0; run < 800; ++run) {
    std::string text = good.substr(0, 6000);
    if (run % 2 == 0) text = good;
    for (unsigned change = 0; change <= dice() % 3; ++change) {
      const std::size_t at = dice() % text.size();
      const std::size_t length = std::min<std::size_t>(dice() % 40, text.size() - at);
      if (dice() % 3 == 0) {
        text[at] = static_cast<char>(dice());
      } else if (dice() % 2 == 0) {
        text.erase(at, length);
      } else {
        text.insert(dice() % text.size(), text.substr(at, length));
      }
      if (text.empty()) break;
    }
    const auto read = parse_device_cache(text);
    if (!read) continue;
    ++taken;
    EXPECT_EQ(*parse_device_cache(device_cache_text(*read)), *read);
  }
  EXPECT_GT(taken, 0) << "some changes hit only words or numbers";
}

class DeviceFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "espgate-devices-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(DeviceFile, IsWrittenWholeAndForItsOwnerAlone) {
  const auto path = folder_ / "espgate" / "devices.json";  // the folder is made
  EXPECT_THAT(*read_device_cache(path), IsEmpty()) << "no file is no error";
  ASSERT_TRUE(write_device_cache(path, sample()));
  ASSERT_TRUE(write_device_cache(path, {sample().front()}));
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(read_device_cache(path)->size(), 1U);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator(path.parent_path())) ++files;
  EXPECT_EQ(files, 1U) << "nothing temporary is left";
}

TEST_F(DeviceFile, SaysWhatIsWrongWithIt) {
  const auto path = folder_ / "devices.json";
  std::ofstream(path) << "not ours";
  const auto read = read_device_cache(path);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error(), path.string() + " is not usable: it is no JSON");
  EXPECT_FALSE(read_device_cache(folder_)) << "a folder";
  EXPECT_FALSE(write_device_cache(folder_ / "no" / "such" / "devices.json", {}));
}

}  // namespace
}  // namespace espgate::control
