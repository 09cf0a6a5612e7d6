// SPDX-License-Identifier: Apache-2.0
// espgate(8) from the command table.
#include <fmt/format.h>

#include "control/command/completion.h"
#include "control/command/parse.h"
#include "control/command/roff.h"
#include "control/command/table.h"

namespace espgate::control::command {
namespace {

std::string words_of(const Argument& argument) {
  std::string value = argument.value.empty() ? "" : fmt::format("\\fI{}\\fR", roff(argument.value));
  if (argument.keyword.empty()) return value;
  return fmt::format("\\fB{}\\fR{}{}", roff(argument.keyword), value.empty() ? "" : " ", value);
}

std::string of_object(const Object& object) {
  std::string out = fmt::format(".SS {}\n{}.\n", roff(object.name), roff(object.help));
  for (const auto& command : commands()) {
    if (command.object != object.name) continue;
    out += fmt::format(".TP\n\\fBespgate {} {}\\fR", roff(command.object), roff(command.name));
    for (const auto& argument : command.arguments) {
      out += argument.required ? " " + words_of(argument) : " [" + words_of(argument) + "]";
    }
    out += fmt::format("\n{}.\n", roff(command.help));
    for (const auto& argument : command.arguments) {
      out += fmt::format(".RS\n.TP\n{}\n{}.\n.RE\n", words_of(argument), roff(argument.help));
    }
  }
  return out;
}

std::string options_section() {
  std::string out = ".SH OPTIONS\nThey may stand anywhere among the words.\n";
  for (const auto& option : global_options()) {
    std::string names(option.names);
    if (const auto comma = names.find(','); comma != std::string::npos) names.replace(comma, 1, ", ");
    out += fmt::format(".TP\n\\fB{}\\fR", roff(names));
    if (!option.value.empty()) out += fmt::format(" \\fI{}\\fR", roff(option.value));
    out += fmt::format("\n{}{}.\n", roff(option.help),
                       option.fallback.empty() ? "" : fmt::format(" (default {})", roff(option.fallback)));
  }
  return out;
}

constexpr auto kTail = R"(.SH EXIT STATUS
0: done. 1: wrong use. 2: the kernel or the daemon said no; with \fB\-j\fR standard output then has
{"error": {"code", "text"}}.
.SH FILES
.TP
/run/espgate/espgated.vici
the daemon's control socket: root and the group espgate.
.TP
/sys/fs/bpf/espgate/
the maps that hold what is counted, whether the daemon lives or not.
.TP
/var/lib/espgate/devices.json
what the daemon found devices to take.
.SH SEE ALSO
.BR espgated (8),
.BR espgate.conf (5),
.BR swanctl (8)
)";

}  // namespace

std::string man_page() {
  std::string out = fmt::format(
      ".\\\" SPDX-License-Identifier: Apache-2.0\n.\\\" Made from the command table (tools/docgen), do not edit.\n"
      ".TH ESPGATE 8 \"\" \"espgate {}\" \"espgate\"\n"
      ".SH NAME\nespgate \\- which IPsec SAs are offloaded, where, and why not\n"
      ".SH SYNOPSIS\n\\fBespgate\\fR [\\fIoptions\\fR] \\fIOBJECT\\fR {{ \\fICOMMAND\\fR | \\fBhelp\\fR }}\n"
      ".SH DESCRIPTION\nShows and steers\n.BR espgated (8):\n"
      "its SAs and connections, what the NIC carries of them and why not the rest. Objects, commands and keywords may "
      "be cut to "
      "an unambiguous beginning (\\fBespgate pol s\\fR); an object alone means its first command. Counters are read "
      "from the "
      "kernel and are there with the daemon dead. Keys are never shown.\n.SH COMMANDS\n",
      ESPGATE_VERSION);
  for (const auto& object : objects()) out += of_object(object);
  return out + options_section() + kTail;
}

}  // namespace espgate::control::command
