// SPDX-License-Identifier: Apache-2.0
#include "control/config/model.h"

#include "base/secret.h"
#include "control/config/grammar.h"
#include "control/config/keys.h"
#include "control/config/model_parts.h"

namespace espgate::control {
namespace {

const std::vector<std::string_view> known_sections{"connections", "secrets", "pools", "authorities", "gateway"};

// Passwords stand in the tree as plain strings; they do not stay behind when it goes.
void wipe_secrets(Section& section) {
  for (auto& value : section.values) {
    if (value.key == "secret" || value.key == "pin") base::wipe(value.text.data(), value.text.size());
  }
  for (auto& sub : section.sections) wipe_secrets(*sub);
}

// Everything after the grammar. Errors of the grammar do not end it: one run shows them all.
Loaded from_tree(Section& tree, Report report, const std::optional<std::filesystem::path>& home = std::nullopt) {
  const auto resolved = resolve(tree, known_sections, report);
  auto built = build(*resolved, home);
  wipe_secrets(*resolved);
  wipe_secrets(tree);
  report.errors.insert(report.errors.end(), built.report.errors.begin(), built.report.errors.end());
  report.warnings.insert(report.warnings.end(), built.report.warnings.begin(), built.report.warnings.end());
  report.sort();
  if (!report.ok()) built.config.reset();
  return {std::move(built.config), std::move(report)};
}

}  // namespace

Loaded build(const Section& resolved, const std::optional<std::filesystem::path>& home) {
  Loaded out;
  auto& report = out.report;
  check_keys(resolved, report);
  Configuration config;
  auto ike = std::make_shared<ike::Config>();
  build_gateway(resolved.section("gateway"), config, *ike, report);
  build_secrets(resolved.section("secrets"), *ike, report);
  Credentials credentials(home, report);
  credentials.load(resolved.section("secrets"));
  build_authorities(resolved.section("authorities"), config, credentials, report);
  build_pools(resolved.section("pools"), config, report);
  build_connections(resolved.section("connections"), config, *ike, credentials, report);
  config.credentials = credentials.set();
  report.sort();
  config.ike = std::move(ike);
  if (report.ok()) out.config = std::move(config);
  return out;
}

// A member that is added to ike::Config is missed here, and the compiler says so.
ike::Config copy_of(const ike::Config& config) {
  const auto& [conns, secrets, ppks, retransmission, half_open_timeout, keep_alive, install_timeout, fragment_size,
               cookie_threshold, half_open_per_source] = config;
  ike::Config out{conns,
                  {},
                  {},
                  retransmission,
                  half_open_timeout,
                  keep_alive,
                  install_timeout,
                  fragment_size,
                  cookie_threshold,
                  half_open_per_source};
  for (const auto& secret : secrets) out.secrets.push_back({secret.name, secret.owners, secret.key.clone()});
  for (const auto& ppk : ppks) out.ppks.push_back({ppk.name, ppk.owners, ppk.key.clone()});
  return out;
}

Loaded load_text(std::string_view text, const std::string& name) {
  Report report;
  const auto tree = parse_text(text, name, false, report);
  return from_tree(*tree, std::move(report));
}

Loaded load_file(const std::filesystem::path& path) {
  Report report;
  const auto tree = parse_file(path, report);
  const auto home = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  return from_tree(*tree, std::move(report), home);
}

CheckResult check_config(const std::filesystem::path& path) {
  const auto loaded = load_file(path);
  CheckResult out;
  out.ok = loaded.config.has_value();
  for (const auto& error : loaded.report.errors) out.text += error.text() + '\n';
  for (const auto& warning : loaded.report.warnings) {
    out.text += warning.origin.text() + ": warning: " + warning.what + '\n';
  }
  return out;
}

}  // namespace espgate::control
