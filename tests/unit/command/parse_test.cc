// SPDX-License-Identifier: Apache-2.0
#include "control/command/parse.h"

#include <gmock/gmock.h>

#include <set>
#include <vector>

namespace espgate::control::command {
namespace {

using ::testing::HasSubstr;

std::expected<Invocation, UsageError> parsed(std::vector<std::string> words) { return parse(words); }

std::string error_of(std::vector<std::string> words) {
  const auto result = parse(words);
  return result ? "no error" : result.error().text;
}

TEST(Parse, ArgumentsFollowAnObjectWithOneCommand) {
  const auto top = parsed({"top", "interval", "1"});
  ASSERT_TRUE(top) << top.error().text;
  EXPECT_EQ(top->command->handler, Handler::top_show);
  EXPECT_EQ(top->number("interval", 0), 1U);
  EXPECT_EQ(parsed({"support-bundle", "to", "x.tar"})->get("to"), "x.tar");
  EXPECT_FALSE(parsed({"conn", "name", "a"}));  // of one with several: a forgotten command is said
}

TEST(Parse, EveryCommandOfTheTableIsReachedByItsFullName) {
  for (const auto& command : commands()) {
    std::vector<std::string> words{std::string(command.object), std::string(command.name)};
    for (const auto& argument : command.arguments) {
      if (!argument.required) continue;
      if (!argument.keyword.empty()) words.emplace_back(argument.keyword);
      words.emplace_back(argument.kind == ValueKind::device ? "nic0" : "site-a/net");
    }
    const auto result = parse(words);
    ASSERT_TRUE(result) << result.error().text;
    EXPECT_EQ(result->command->handler, command.handler) << command.object << " " << command.name;
    EXPECT_FALSE(result->help);
  }
}

TEST(Parse, EveryHandlerIsNamedOnce) {
  std::set<Handler> seen;
  for (const auto& command : commands()) EXPECT_TRUE(seen.insert(command.handler).second) << command.name;
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(Handler::config_convert) + 1);
}

TEST(Parse, KeywordsTakeTheirValues) {
  const auto result = parsed({"sa", "show", "kernel", "name", "site-a/net", "spi", "0xC0FFEE01", "dev", "nic0"});
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_TRUE(result->has("kernel"));
  EXPECT_EQ(result->get("name"), "site-a/net");
  EXPECT_EQ(result->get("spi"), "0xC0FFEE01");
  EXPECT_EQ(result->get("dev"), "nic0");
  EXPECT_FALSE(result->get("top"));
}

TEST(Parse, UniqueBeginningsStandForTheWhole) {
  const auto result = parsed({"sa", "sh", "k", "n", "site-a"});
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_EQ(result->command->handler, Handler::sa_show);
  EXPECT_TRUE(result->has("kernel"));
  EXPECT_EQ(result->get("name"), "site-a");
  EXPECT_EQ(error_of({"s"}), "object 's' could be sa or stats or shield or support-bundle: write out which");
  EXPECT_EQ(error_of({"con", "show"}), "object 'con' could be conn or config: write out which");
}

TEST(Parse, AnObjectAloneIsItsFirstCommand) {
  const auto result = parsed({"conn"});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->command->handler, Handler::conn_show);
}

TEST(Parse, TimeoutInBothWritings) {
  for (const auto& words : {std::vector<std::string>{"conn", "up", "a/b", "--timeout", "7"},
                            std::vector<std::string>{"conn", "up", "--timeout=7", "a/b"}}) {
    const auto result = parse(words);
    ASSERT_TRUE(result) << result.error().text;
    EXPECT_EQ(result->number("--timeout", 30), 7U);
    EXPECT_EQ(result->get("NAME"), "a/b");
  }
  EXPECT_EQ(parsed({"conn", "up", "a"})->number("--timeout", 30), 30U);
}

TEST(Parse, SaysWhatIsWrongAndWhatIsExpected) {
  EXPECT_THAT(error_of({"sas"}), HasSubstr("unknown object 'sas', did you mean 'sa'?"));
  EXPECT_THAT(error_of({"sa", "shwo"}), HasSubstr("unknown command of 'sa' 'shwo', did you mean 'show'?"));
  EXPECT_THAT(error_of({"sa", "show", "spy", "1"}), HasSubstr("did you mean 'spi'?"));
  EXPECT_THAT(error_of({"sa", "show", "spi"}), HasSubstr("'spi' needs S"));
  EXPECT_THAT(error_of({"sa", "show", "spi", "xyz"}), HasSubstr("expected 1 to 8 hex digits"));
  EXPECT_THAT(error_of({"sa", "show", "spi", "1", "spi", "2"}), HasSubstr("'spi' is given twice"));
  EXPECT_THAT(error_of({"conn", "up"}), HasSubstr("NAME is missing"));
  EXPECT_THAT(error_of({"conn", "up", "a/b/c"}), HasSubstr("expected CONN or CONN/CHILD"));
  EXPECT_THAT(error_of({"conn", "up", "a", "--timeout", "0"}), HasSubstr("expected seconds"));
  EXPECT_THAT(error_of({"conn", "up", "a", "b"}), HasSubstr("unknown argument 'b'"));
  EXPECT_THAT(error_of({"ike", "show", "x"}), HasSubstr("it takes no arguments"));
  EXPECT_THAT(error_of({"flow", "show", "top", "-1"}), HasSubstr("expected a number"));
  EXPECT_THAT(error_of({"stats", "show", "dev", "a-name-too-long-0"}), HasSubstr("network device"));
  EXPECT_THAT(error_of({""}), HasSubstr("unknown object ''"));
}

}  // namespace
}  // namespace espgate::control::command
