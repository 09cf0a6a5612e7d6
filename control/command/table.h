// SPDX-License-Identifier: Apache-2.0
// The one table of what `espgate` understands: parsing, help at each level, and later man page and shell completion
// are all made from it. A new command is a row here and a handler in tools/espgate/.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace espgate::control::command {

// Which function of tools/espgate/ carries a command out.
enum class Handler : std::uint8_t {
  sa_show,
  ike_show,
  conn_show,
  conn_up,
  conn_down,
  conn_rekey,
  conn_reload,
  policy_show,
  offload_show,
  offload_probe,
  offload_forgive,
  offload_report,
  stats_show,
  shield_show,
  prog_show,
  map_show,
  flow_show,
  export_prometheus,
  doctor_show,
  top_show,
  monitor_show,
  log_level,
  support_bundle,
  config_convert,
};

enum class ValueKind : std::uint8_t {
  none,     // a bare keyword: `kernel`
  text,     // anything
  conn,     // CONN or CONN/CHILD
  spi,      // 1-8 hex digits, "0x" allowed
  device,   // a network device's name
  seconds,  // 1 to 86400
  count,    // 1 to 1000000
  path,     // a file's path
};

struct Argument {
  std::string_view keyword;  // "name"; empty for a positional one; "--timeout" for one with dashes
  std::string_view value;    // how help names the value: "NAME"; empty if kind is none
  ValueKind kind = ValueKind::none;
  bool required = false;
  std::string_view help;
};

struct Command {
  std::string_view object, name;
  std::span<const Argument> arguments;
  std::string_view help;
  Handler handler;
};

struct Object {
  std::string_view name, help;
};

// Options that go before (or anywhere among) the words of a command.
struct GlobalOption {
  std::string_view names;  // "-j,--json", as CLI11 takes them
  std::string_view value;  // "URI"; empty for a flag
  std::string_view fallback;
  std::string_view help;
};

std::span<const Object> objects();    // in the order help shows them
std::span<const Command> commands();  // grouped by object; the first of an object is its default
std::span<const GlobalOption> global_options();

}  // namespace espgate::control::command
