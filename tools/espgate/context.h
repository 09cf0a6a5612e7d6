// SPDX-License-Identifier: Apache-2.0
// What a command gets and what it gives back. Commands print nothing themselves.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "control/command/parse.h"
#include "control/vici/client.h"
#include "tools/espgate/options.h"

namespace espgate::tools {

enum class Exit : int { done = 0, usage = 1, refused = 2 };

struct Failure {
  Exit exit = Exit::refused;
  std::string code;  // closed, for JSON: "daemon-not-running", "no-maps", "not-found", ..., or the daemon's own reason
  std::string text;  // what is wrong and what to do next
};

struct Context {
  Options options;
  control::command::Invocation invocation;
};

// For stdout: a text, or something that writes it in pieces.
using Sink = std::function<void(std::string_view)>;
class Output {
 public:
  Output(std::string text) : write_([text = std::move(text)](const Sink& sink) { sink(text); }) {}
  explicit Output(std::function<void(const Sink&)> write) : write_(std::move(write)) {}
  void to(const Sink& sink) const { write_(sink); }

 private:
  std::function<void(const Sink&)> write_;
};
using Outcome = std::expected<Output, Failure>;

// A line to stderr, harmless for a terminal: what could not be had, while the rest is shown.
void note(const std::string& text);

// What the operator is told, with the way out.
Failure daemon_failure(const control::vici::ClientError& error, const std::string& uri);
Failure maps_failure(const base::Error& error, const std::string& bpffs);
Failure kernel_failure(const base::Error& error);

}  // namespace espgate::tools
