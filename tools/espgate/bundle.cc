// SPDX-License-Identifier: Apache-2.0
// support-bundle: what a report needs, in one tar, without a key: never `ip xfrm state`, never a secret of the
// configuration.
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>

#include "control/command/table.h"
#include "control/report/prometheus.h"
#include "control/report/tar.h"
#include "tools/espgate/handlers.h"

namespace espgate::tools {
namespace {

namespace command = control::command;
namespace report = control::report;

constexpr std::size_t kMostOctets = std::size_t{4} << 20;  // of one file

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fmt::format("(cannot be read: {})\n", path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.size() > kMostOctets) text.resize(kMostOctets);
  return text;
}

// What a fixed command line prints, stderr with it; what is not installed says so itself.
std::string output_of(const char* line) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(fmt::format("{} 2>&1", line).c_str(), "re"),
                                                             ::pclose);
  if (!pipe) return "(cannot be run)\n";
  std::string text;
  char part[4096];
  for (std::size_t got = 0; (got = std::fread(part, 1, sizeof part, pipe.get())) > 0;) {
    if (text.size() < kMostOctets) text.append(part, got);
  }
  return text;
}

// A command of ours as it would be typed: its text, or why there is none.
std::string ours(const Context& context, std::initializer_list<std::string> words, bool json) {
  Context inner{context.options, {}};
  inner.options.json = json;
  inner.options.pretty = json;
  inner.options.color = false;
  inner.options.words = words;
  auto parsed = command::parse(inner.options.words);
  if (!parsed) return parsed.error().text;
  inner.invocation = std::move(*parsed);
  const auto done = run(inner);
  if (!done)
    return fmt::format("(exit status {}) {}: {}\n", static_cast<int>(done.error().exit), done.error().code,
                       done.error().text);
  std::string text;
  done->to([&](std::string_view part) { text += part; });
  return text;
}

std::string stamp(std::time_t now) {
  std::tm parts{};
  char text[32] = "";
  if (::gmtime_r(&now, &parts) != nullptr) std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

std::vector<report::TarFile> gather(const Context& context, const std::string& config) {
  std::vector<report::TarFile> files;
  files.push_back({"version.txt", fmt::format("espgate {}\n{}{}", ESPGATE_VERSION, output_of("uname -a"),
                                              file_text("/etc/os-release"))});
  files.push_back({"doctor.txt", ours(context, {"doctor", "show", "config", config}, false)});
  files.push_back({"sa-kernel.txt", ours(context, {"sa", "show", "kernel"}, false)});
  for (const auto* object : {"sa", "ike", "conn", "policy", "offload", "stats", "shield", "flow", "prog", "map"}) {
    files.push_back({fmt::format("{}.json", object), ours(context, {object, "show"}, true)});
  }
  files.push_back({"metrics.prom", ours(context, {"export", "prometheus"}, false)});
  files.push_back({"espgate.conf", report::without_secrets(file_text(config))});
  files.push_back({"devices.json", file_text(context.options.devices)});
  files.push_back({"journal.txt", output_of("journalctl -u espgated -n 5000 --no-pager -o short-iso")});
  files.push_back({"links.txt", output_of("ip -s -d link")});
  files.push_back({"addresses.txt", output_of("ip address")});
  files.push_back({"routes.txt", output_of("ip route show table all; ip rule; ip -6 route show table all")});
  files.push_back({"policies.txt", output_of("ip -s xfrm policy")});
  files.push_back({"modules.txt", output_of("lsmod")});
  files.push_back(
      {"sysctl.txt",
       output_of("sysctl -a -r "
                 "'^net\\.(core\\.(xfrm|bpf)|ipv[46]\\.(ip_forward|conf\\..*(rp_filter|forwarding|disable_)))'")});
  files.push_back({"xfrm_stat.txt", file_text("/proc/net/xfrm_stat")});
  return files;
}

}  // namespace

Outcome support_bundle(const Context& context) {
  const auto now = std::time(nullptr);
  const std::string folder = fmt::format("espgate-support-{}", stamp(now));
  const std::string path = context.invocation.get("to").value_or(folder + ".tar");
  const auto config = context.invocation.get("config").value_or("/etc/espgate/espgate.conf");
  const auto files = gather(context, config);
  // Readable by root alone: it has addresses, names and routes.
  if (auto written = report::write_atomically(path, report::tar(folder, files, now), 0600); !written) {
    return std::unexpected(Failure{Exit::refused, "not-written", written.error().text()});
  }
  if (context.options.json) return fmt::format("{{\"path\": \"{}\", \"files\": {}}}\n", path, files.size());
  return fmt::format("{}: {} files; no key is in it, but names, addresses and routes are: look before you send it\n",
                     path, files.size());
}

}  // namespace espgate::tools
