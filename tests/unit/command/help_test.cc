// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <vector>

#include "control/command/parse.h"

namespace espgate::control::command {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string help_for(std::vector<std::string> words) {
  const auto result = parse(words);
  if (!result) return "error: " + result.error().text;
  return result->help ? help_text(*result) : "no help";
}

TEST(Help, TopLevelNamesEveryObjectAndOption) {
  const std::string text = help_for({});
  EXPECT_EQ(text, help_for({"help"}));
  for (const auto& object : objects()) EXPECT_THAT(text, HasSubstr("  " + std::string(object.name) + " "));
  for (const auto* option : {"-j --json", "-p --pretty", "-c --color WHEN", "--vici URI", "--bpffs DIR"}) {
    EXPECT_THAT(text, HasSubstr(option));
  }
  EXPECT_THAT(text, HasSubstr("exit status: 0 done, 1 usage, 2 the kernel or the daemon said no"));
}

TEST(Help, ObjectLevelNamesItsCommandsAlone) {
  const std::string text = help_for({"conn", "help"});
  EXPECT_EQ(text, help_for({"help", "conn"}));
  EXPECT_THAT(text, HasSubstr("espgate conn up NAME [--timeout S]"));
  EXPECT_THAT(text, HasSubstr("espgate conn down NAME"));
  EXPECT_EQ(text.find("espgate sa show"), std::string::npos);
}

TEST(Help, CommandLevelExplainsEachArgument) {
  const std::string text = help_for({"sa", "show", "help"});
  EXPECT_EQ(text, help_for({"help", "sa", "show"}));
  EXPECT_THAT(text, StartsWith("usage: espgate sa show [kernel] [name NAME] [spi S] [dev D]\n"));
  for (const auto* word : {"  kernel ", "  name NAME ", "  spi S ", "  dev D "}) EXPECT_THAT(text, HasSubstr(word));
}

TEST(Help, EveryRowOfTheTableIsExplained) {
  for (const auto& command : commands()) {
    EXPECT_FALSE(command.help.empty()) << command.object << " " << command.name;
    for (const auto& argument : command.arguments) {
      EXPECT_FALSE(argument.help.empty()) << command.object << " " << command.name << " " << argument.keyword;
      EXPECT_EQ(argument.value.empty(), argument.kind == ValueKind::none);
    }
  }
}

}  // namespace
}  // namespace espgate::control::command
