// SPDX-License-Identifier: Apache-2.0
#include "control/report/top.h"

#include <gmock/gmock.h>

#include "control/report/tar.h"
#include "tests/unit/report/sample.h"

namespace espgate::control::report {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// site-a/net carried 1000 packets of 1000 octets out in 2 s, 250 of them in software; site-d/past nothing.
struct Readings {
  Report before = sample::report(), after = sample::report();
  Readings() {
    auto& total = after.totals[0];
    total.hw[1].packets += 750;
    total.hw[1].bytes += 750000;
    total.sw[1].packets += 250;
    total.sw[1].bytes += 250000;
    after.fallbacks[0].packets += 250;
  }
  [[nodiscard]] TopView view() const { return top_view(before, after, 2); }
};

TEST(Top, RatesBetweenTwoReadings) {
  const auto view = Readings().view();
  ASSERT_EQ(view.rows.size(), 2U);
  const auto& row = view.rows[0];
  EXPECT_EQ(row.child, "net");
  EXPECT_THAT(row.out_bits, DoubleNear(4e6, 1));
  EXPECT_THAT(row.out_packets, DoubleNear(500, 0.1));
  EXPECT_THAT(row.in_packets, DoubleNear(0, 0.1));
  EXPECT_THAT(row.hardware, DoubleNear(0.75, 0.001));
  EXPECT_EQ(row.device, "nic0");
  EXPECT_FALSE(row.idle);
  EXPECT_TRUE(view.rows[1].idle);
  ASSERT_EQ(view.fallbacks.size(), 1U);
  EXPECT_THAT(view.fallbacks[0].packets, DoubleNear(125, 0.1));
}

TEST(Top, ACounterThatFellIsNothingNotALot) {
  Readings readings;
  std::swap(readings.before, readings.after);
  EXPECT_EQ(readings.view().rows[0].out_bits, 0);
  EXPECT_TRUE(readings.view().fallbacks.empty());
}

TEST(Top, SortsByEachKey) {
  TopView view;
  const auto add = [&](const char* name, double bits, double hardware, bool idle, const char* reason) {
    TopRow row;
    row.conn = name;
    row.out_bits = bits;
    row.hardware = hardware;
    row.idle = idle;
    row.reason = reason;
    view.rows.push_back(row);
  };
  add("b", 10, 1, false, "");
  add("a", 5, 0.2, false, "slots-full");
  add("c", 0, 0, true, "offload-refused");
  const auto order = [&](TopOrder by) {
    sort_top(view, by);
    return view.rows[0].conn + view.rows[1].conn + view.rows[2].conn;
  };
  EXPECT_EQ(order(TopOrder::rate), "bac");
  EXPECT_EQ(order(TopOrder::hardware), "abc");
  EXPECT_EQ(order(TopOrder::reason), "cab");
  EXPECT_EQ(order(TopOrder::name), "abc");
}

TEST(Top, FitsTheScreen) {
  auto view = Readings().view();
  view.rows.resize(40, view.rows[0]);
  TopScreen screen;
  screen.lines = 10;
  screen.columns = 60;
  const auto text = top_text(view, screen);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10);
  EXPECT_THAT(text, HasSubstr("lines more\n"));
  for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    EXPECT_LE(end - at, 60U);
  EXPECT_THAT(top_text(view, {}), Not(HasSubstr("more\n")));
  EXPECT_THAT(top_text(view, {}), HasSubstr("4 M"));
}

TEST(Bundle, ATarIsOneToTar) {
  const auto archive = tar("folder", {{"a.txt", "hello"}, {"b.txt", std::string(513, 'x')}}, 1790000000);
  EXPECT_EQ(archive.size() % 512, 0U);
  EXPECT_EQ(archive.substr(0, 12), "folder/a.txt");
  EXPECT_EQ(archive.substr(257, 5), "ustar");
  EXPECT_EQ(archive.substr(512, 5), "hello");
  EXPECT_EQ(archive.substr(1024, 12), "folder/b.txt");
  unsigned sum = 8 * ' ';
  for (std::size_t i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? 0 : static_cast<unsigned char>(archive[i]);
  EXPECT_EQ(std::stoul(archive.substr(148, 6), nullptr, 8), sum);
}

TEST(Bundle, NoSecretOfTheConfigurationIsInIt) {
  const auto shown = without_secrets(
      "connections { a { version = 2 } }\nsecrets {\n ike-a {\n  id = gw\n  secret = \"hidden 1\"\n  "
      "secret-b=0xdeadbeef # c\n"
      "  private { file = k.pem  secret = hidden2 }\n  pin=1234\n  secret = \"first\nsecond hidden3\"\n }\n}\nlast = "
      "1\n");
  for (const auto* word : {"hidden", "deadbeef", "1234", "second"}) EXPECT_THAT(shown, Not(HasSubstr(word)));
  for (const auto* word : {"version = 2", "id = gw", "file = k.pem", "last = 1", "(not shown)"})
    EXPECT_THAT(shown, HasSubstr(word));
}

}  // namespace
}  // namespace espgate::control::report
