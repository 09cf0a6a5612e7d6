// SPDX-License-Identifier: Apache-2.0
#include "tools/espgate/options.h"

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdlib>
#include <cstring>
#include <map>

#include "control/command/table.h"

namespace espgate::tools {
namespace {

namespace command = control::command;

bool want_color(const std::string& when) {
  if (when != "auto") return when == "always";
  const char* no_color = std::getenv("NO_COLOR");  // https://no-color.org
  const char* terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && (no_color == nullptr || *no_color == '\0') && terminal != nullptr &&
         std::strcmp(terminal, "dumb") != 0;
}

// "-j,--json" is known by its last name.
std::string long_name(const command::GlobalOption& option) {
  const std::string names(option.names);
  return names.substr(names.rfind("--"));
}

}  // namespace

std::expected<Options, std::string> read_options(int argc, const char* const* argv, bool& json_wanted) {
  CLI::App app("espgate");
  app.set_help_flag();  // help comes from the command table
  app.allow_extras();   // the command's own words, and its own options such as --timeout
  std::map<std::string, bool> flags;
  std::map<std::string, std::string> values;
  for (const auto& option : command::global_options()) {
    const std::string name = long_name(option);
    if (option.value.empty()) {
      app.add_flag(std::string(option.names), flags[name]);
    } else {
      values[name] = option.fallback;
      app.add_option(std::string(option.names), values[name]);
    }
  }
  std::string complaint;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // the library's way; it goes no further than here
    complaint = error.what();
  }
  json_wanted = flags["--json"] || flags["--pretty"];
  if (complaint.empty() && values["--color"] != "auto" && values["--color"] != "always" &&
      values["--color"] != "never") {
    complaint = "--color '" + values["--color"] + "' is wrong, expected auto, always or never";
  }
  if (!complaint.empty()) {
    // The library may have stopped before it came to -j.
    for (int i = 1; i < argc; ++i) json_wanted = json_wanted || std::strcmp(argv[i], "-j") == 0;
    return std::unexpected(complaint);
  }
  Options options;
  options.json = json_wanted;
  options.pretty = flags["--pretty"];
  options.help = flags["--help"];
  options.version = flags["--version"];
  options.color = want_color(values["--color"]);
  options.vici = values["--vici"];
  options.bpffs = values["--bpffs"];
  options.devices = values["--devices"];
  options.words = app.remaining();
  return options;
}

}  // namespace espgate::tools
