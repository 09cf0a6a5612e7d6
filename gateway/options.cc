// SPDX-License-Identifier: Apache-2.0
#include "gateway/options.h"

#include <CLI/CLI.hpp>
#include <map>

namespace espgate::gateway {

std::variant<Options, int> parse_options(int argc, char** argv) {
  Options options;
  CLI::App app{"espgated: IKEv2 daemon with verified NIC offload", "espgated"};
  app.set_version_flag("--version", std::string("espgated ") + ESPGATE_VERSION);
  app.add_option("--config", options.config, "configuration file, in swanctl.conf's grammar")->capture_default_str();
  app.add_flag("--check-config", options.check_config, "report every error of the configuration and exit");
  app.add_option("--vici", options.vici, "control socket, unix:///PATH")->capture_default_str();
  app.add_option("--kernel", options.kernel, "xfrm, or null: negotiate without installing anything")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, KernelChoice>{{"xfrm", KernelChoice::xfrm}, {"null", KernelChoice::null}}));
  app.add_option("--workers", options.workers, "IKE engines, each on its own thread");
  app.add_option("--bpffs", options.bpffs, "where a bpffs is mounted")->capture_default_str();
  app.add_option("--state", options.state,
                 "directory on a tmpfs where SAs outlive the process; beside the control socket if not said");
  app.add_option("--devices", options.devices, "file that keeps what devices take")->capture_default_str();
  app.add_option("--log-level", options.log_level, "error, warn, info, debug or trace")->capture_default_str();
  app.add_option("--log-format", options.log_format, "text or json")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, LogFormat>{{"text", LogFormat::text}, {"json", LogFormat::json}}));
  app.add_option("--user", options.user, "become this user once everything is open");
  app.add_option("--seccomp", options.seccomp, "what an unexpected system call does: kill (the default), or log alone")
      ->transform(
          CLI::CheckedTransformer(std::map<std::string, Seccomp>{{"kill", Seccomp::kill}, {"log", Seccomp::log}}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  return options;
}

}  // namespace espgate::gateway
