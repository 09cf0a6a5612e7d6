// SPDX-License-Identifier: Apache-2.0
// From a tree of sections to what the daemon runs on: ike::Config, sad::Plan and the gateway's own options.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/esp.h"
#include "control/config/credential_set.h"
#include "control/config/tree.h"
#include "ike/config.h"
#include "loader/shield.h"
#include "maps/abi.h"
#include "sad/plan.h"
#include "steer/steer.h"

namespace espgate::control {

enum class OnStop : std::uint8_t { close, keep };

// gateway.shield: what the XDP program keeps away.
enum class ShieldMode : std::uint8_t { off, generic, native };
struct ShieldOptions {
  ShieldMode mode = ShieldMode::off;
  bool dispatcher = false;          // XDP is attached through libxdp's dispatcher, also where `mode` is off
  loader::ShieldRules rules;        // active unless `mode` is off
  std::vector<base::Prefix> allow;  // sources as the section names them
  bool operator==(const ShieldOptions&) const = default;
};

// The `gateway` section. Retransmission, fragmentation, cookies and half-open time are in ike::Config, where they are
// used.
struct GatewayOptions {
  std::vector<std::string> interfaces;  // empty: auto, the devices that hold local_addrs or route to remote_addrs
  base::OffloadWanted hw_offload = base::OffloadWanted::no;  // for children that do not say
  std::uint32_t esp_floor = 128;                             // bits; esp_proposals = default has nothing weaker
  bool offload_without_esn = true;                           // where the device takes nothing else (sad/pace.h)
  bool probe = true;                                         // find out what devices take, with throw-away SAs
  std::uint32_t workers = 1;                                 // IKE engines
  std::uint32_t max_sas = ESPGATE_DEFAULT_SLOTS / 2;         // child SAs, each a slot a direction in the BPF maps
  std::vector<std::uint32_t> spread;       // CPUs for inbound ESP in software; empty: where it comes in
  OnStop on_stop = OnStop::close;          // a clean stop closes SAs, or leaves them in the kernel
  std::uint32_t half_open_limit = 10'000;  // half-open IKE SAs; 0: no limit
  bool install_routes = true;
  std::uint32_t routing_table = 220;
  std::uint32_t routing_table_priority = 220;
  steer::Config steer;  // who is in hardware when a device has less room than there are children
  ShieldOptions shield;
};

// A child that passes or drops traffic, as it was written.
struct Shunt {
  std::size_t position = 0;  // among the connection's children
  sad::Treatment treatment{};
  ike::ChildConfig child;
};

// Where a connection and its children were written, and what only those who list it want to know; also those of which
// ike::Config knows nothing, as they only pass or drop traffic.
struct ConnOrigin {
  std::string name;
  Origin at;
  std::map<std::string, Origin> children;
  std::vector<std::string> local_addrs, remote_addrs;  // as written
  struct Side {
    bool auth = false;                    // whether it says how
    std::string id;                       // as written
    std::vector<std::string> certs, cas;  // subjects of those it names
  };
  Side local, remote;
  std::vector<Shunt> shunts;
  std::shared_ptr<const ike::ConnConfig> silent;  // of a connection that speaks no IKE
};

// A pool of virtual IPs. None is handed out yet.
struct Pool {
  std::string name;
  Origin at;
  base::Address base;
  std::uint64_t size = 0;
  std::vector<std::pair<std::string, std::vector<std::string>>> attributes;  // dns = ...
};

// A certification authority. Nothing is fetched: its URIs are but listed, file:// ones are read.
struct Authority {
  std::string name;
  Origin at;
  std::optional<ike::crypto::Certificate> cert;
  std::vector<std::string> crl_uris, ocsp_uris;
  std::string cert_uri_base;
};

struct Configuration {
  std::shared_ptr<const ike::Config> ike;
  sad::Plan plan;
  GatewayOptions gateway;
  std::vector<ConnOrigin> origins;
  std::vector<Pool> pools;
  std::vector<Authority> authorities;
  CredentialSet credentials;
  // The connections that certificates are used for, as a `connections` section: built anew when there are others.
  std::shared_ptr<const Section> certified;
};

// Whom the shield never challenges nor limits: peers that are configured by address, prefix or range, and whom the
// section names. Each once, in order; a connection that takes anybody adds nobody.
std::vector<base::Prefix> shield_allowed(const Configuration& config);

// Either a whole configuration or errors; warnings in any case. Nothing is half taken.
struct Loaded {
  std::optional<Configuration> config;
  Report report;
};

// Of a tree that resolve() returned. `home`: where swanctl's folders (x509, private, ...) are; none: nowhere.
Loaded build(const Section& resolved, const std::optional<std::filesystem::path>& home = std::nullopt);

// One connection by itself, with these credentials and this gateway's defaults. What is wrong with it is in the report.
// `lack`: what a missing certificate or key is. nullopt: errors.
struct ConnContext {
  const GatewayOptions& gateway;
  const CredentialSet& credentials;
  std::optional<std::filesystem::path> home;
  Lack lack = Lack::error;
};
struct BuiltConnection {
  std::shared_ptr<const ike::ConnConfig> ike;  // nullptr: it speaks no IKE
  std::vector<sad::ChildPlan> children;
  ConnOrigin origin;
  bool certified = false;  // it depends on certificates
};
std::optional<BuiltConnection> build_connection(const Section& connection, const ConnContext& context, Report& report);
std::optional<Pool> build_pool(const Section& section, Report& report);

// Secrets are cloned, and copied by nobody by accident.
ike::Config copy_of(const ike::Config& config);

Loaded load_text(std::string_view text, const std::string& name);  // without includes
Loaded load_file(const std::filesystem::path& path);

// What `espgated --check-config` prints: one line a problem, errors first, then warnings ("...: warning: ...").
struct CheckResult {
  std::string text;  // empty if there is nothing to say
  bool ok = false;
};
CheckResult check_config(const std::filesystem::path& path);

}  // namespace espgate::control
