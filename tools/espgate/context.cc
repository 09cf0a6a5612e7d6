// SPDX-License-Identifier: Apache-2.0
#include "tools/espgate/context.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>

#include "control/report/text_table.h"

namespace espgate::tools {

using control::vici::ClientError;

void note(const std::string& text) { fmt::print(stderr, "espgate: {}\n", control::report::printable(text)); }

Failure daemon_failure(const ClientError& error, const std::string& uri) {
  switch (error.kind) {
    case ClientError::Kind::no_daemon:
      return {
          Exit::refused, "daemon-not-running",
          fmt::format("espgated is not running ({}): start it with `systemctl start espgated` or `espgated --config "
                      "FILE`; --vici URI names another socket than {}",
                      error.text, uri)};
    case ClientError::Kind::permission:
      return {Exit::refused, "daemon-no-permission",
              fmt::format("{}: be root or a member of the group espgate", error.text)};
    case ClientError::Kind::timeout:
      return {Exit::refused, "daemon-timeout", fmt::format("espgated does not answer in time: {}", error.text)};
    case ClientError::Kind::unknown_command:
      return {Exit::refused, "daemon-too-old",
              fmt::format("{}: what listens on {} is no espgated, or one of another version", error.text, uri)};
    case ClientError::Kind::system:
    case ClientError::Kind::protocol:
      break;
  }
  return {Exit::refused, "daemon-error", error.text};
}

Failure maps_failure(const base::Error& error, const std::string& bpffs) {
  switch (error.code) {
    case ENOENT:
      return {Exit::refused, "no-maps",
              fmt::format("nothing is pinned under {}/espgate: start espgated, which loads the maps; if it runs, mount "
                          "its bpffs (mount -t bpf bpf {}) or name the right one with --bpffs DIR",
                          bpffs, bpffs)};
    case EACCES:
    case EPERM:
      return {Exit::refused, "no-permission", fmt::format("{}: be root, or have CAP_BPF", error.text())};
    case EPROTO:
      return {Exit::refused, "maps-of-another-version",
              fmt::format("{}: use the espgate that came with the running espgated", error.text())};
    default:
      return {Exit::refused, "maps-error", error.text()};
  }
}

Failure kernel_failure(const base::Error& error) {
  const bool permission = error.code == EPERM || error.code == EACCES;
  return {Exit::refused, permission ? "no-permission" : "kernel-error",
          error.text() + (permission ? ": be root, or have CAP_NET_ADMIN" : "")};
}

}  // namespace espgate::tools
