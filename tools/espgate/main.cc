// SPDX-License-Identifier: Apache-2.0
// espgate, the command line: options, one command of the table, its text, its exit status.
#include <fmt/format.h>

#include <cstdio>

#include "control/report/text_table.h"
#include "control/report/views.h"
#include "tools/espgate/handlers.h"

namespace {

namespace tools = espgate::tools;
namespace command = espgate::control::command;
namespace report = espgate::control::report;

int print(const tools::Output& output) {
  output.to([](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); });
  return std::fflush(stdout) == 0 ? 0 : static_cast<int>(tools::Exit::refused);
}

int fail(const tools::Failure& failure, bool json, bool pretty) {
  if (json) {
    print(report::error_json(failure.code, failure.text, pretty));
  } else {
    tools::note(failure.text);
  }
  return static_cast<int>(failure.exit);
}

int usage(const std::string& text, bool json, bool pretty) {
  return fail({tools::Exit::usage, "usage", text + "; see `espgate help`"}, json, pretty);
}

}  // namespace

int main(int argc, char** argv) {
  bool json = false;
  auto options = tools::read_options(argc, argv, json);
  if (!options) return usage(options.error(), json, false);
  if (options->version) return print(fmt::format("espgate {}\n", ESPGATE_VERSION));
  if (options->help) options->words.emplace_back("help");
  auto invocation = command::parse(options->words);
  if (!invocation) return usage(invocation.error().text, json, options->pretty);
  if (invocation->help) return print(command::help_text(*invocation));
  const tools::Context context{std::move(*options), std::move(*invocation)};
  const auto outcome = tools::run(context);
  if (!outcome) return fail(outcome.error(), json, context.options.pretty);
  return print(*outcome);
}
