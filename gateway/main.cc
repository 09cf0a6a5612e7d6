// SPDX-License-Identifier: Apache-2.0
// espgated. Exit status: 0 stopped as asked, 1 wrong use or configuration, 2 something it needs is missing, 3 it could
// not go on (last_words.h).
#include <cstdio>

#include "control/config/model.h"
#include "gateway/daemon.h"
#include "gateway/last_words.h"
#include "gateway/log.h"
#include "gateway/options.h"
#include "gateway/privilege.h"
#include "gateway/start.h"

namespace {
using namespace espgate;

int check(const gateway::Options& options) {
  const auto result = control::check_config(options.config);
  std::fputs(result.text.c_str(), result.ok ? stdout : stderr);
  if (result.ok) std::printf("%s: ok\n", options.config.c_str());
  return result.ok ? 0 : 1;
}

int end(const gateway::StartFailure& failure) {
  gateway::log_error(failure.text);
  return failure.status;
}

int serve(const gateway::Options& options) {
  auto parts = gateway::gather(options);
  if (!parts) return end(parts.error());
  const bool dispatcher = parts->config.gateway.shield.dispatcher;
  if (auto given_up = gateway::give_up_privileges(options, dispatcher); !given_up) return end({given_up.error(), 2});
  gateway::Daemon daemon(options, std::move(*parts));
  if (auto started = daemon.start(); !started) return end(gateway::explain_start(started.error(), options));
  return daemon.run();
}
}  // namespace

int main(int argc, char** argv) {
  gateway::prepare_last_words();
  gateway::guard_memory();
  auto parsed = gateway::parse_options(argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const auto& options = std::get<gateway::Options>(parsed);
  if (!gateway::log_setup(options.log_level, options.log_format)) {
    std::fprintf(stderr, "espgated: unknown log level '%s'; one of error, warn, info, debug, trace\n",
                 options.log_level.c_str());
    return 1;
  }
  return options.check_config ? check(options) : serve(options);
}
