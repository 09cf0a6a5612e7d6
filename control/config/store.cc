// SPDX-License-Identifier: Apache-2.0
#include "control/config/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <utility>

#include "control/config/keys.h"
#include "control/config/model_parts.h"

namespace espgate::control {
namespace {

template <class All>
auto named(All& all, std::string_view name) {
  return std::ranges::find_if(all, [&](const auto& one) { return one.name == name; });
}

template <class All>
std::vector<std::string> names(const All& all) {
  std::vector<std::string> out;
  for (const auto& one : all) out.push_back(one.name);
  return out;
}

template <class T>
void put(std::vector<T>& all, T one) {
  if (const auto found = named(all, one.name); found != all.end()) {
    *found = std::move(one);
  } else {
    all.push_back(std::move(one));
  }
}

// Each of a file's connections by itself.
std::vector<BuiltConnection> take_apart(const Configuration& file) {
  std::unordered_map<std::string, BuiltConnection> by_name;
  for (const auto& conn : file.ike->conns) by_name[conn->name].ike = conn;
  for (const auto& child : file.plan.children) by_name[child.conn].children.push_back(child);
  std::vector<BuiltConnection> out;
  for (const auto& origin : file.origins) {
    auto& built = by_name[origin.name];
    built.origin = origin;
    built.certified = file.certified && file.certified->section(origin.name) != nullptr;
    out.push_back(std::move(built));
  }
  return out;
}

// Names and forms of one section below `top`, as check_keys() knows them from the root on.
void check_alone(std::string_view top, const Section& section, Report& report) {
  Section root;
  root.add_section(top, section.at).sections.push_back(clone(section));
  check_keys(root, report);
}

std::string in_the_file(std::string_view kind, const std::string& name, const Origin& at) {
  return fmt::format("{} {} is in {}: take it out there, then `espgate conn reload`", kind, name, at.text());
}

}  // namespace

std::optional<BuiltConnection> Store::build(const Section& section, const CredentialSet& set, Lack lack,
                                            Report& report) const {
  return build_connection(section, {file_.gateway, set, home_, lack}, report);
}

Report Store::take_file(Configuration file, std::optional<std::filesystem::path> home) {
  Report report;
  file_ = std::move(file);
  home_ = std::move(home);
  from_file_.clear();
  for (auto& built : take_apart(file_)) {
    std::shared_ptr<const Section> section;
    if (built.certified) section = clone(*file_.certified->section(built.origin.name));
    from_file_.push_back({std::move(built), std::move(section)});
  }
  const bool certificates = !loaded_.own.empty() || !loaded_.cas.empty() || !loaded_.keys.empty();
  renew_ = certificates || !authority_credentials_.empty();
  const auto set = credentials();
  std::vector<Loaded> kept;
  for (auto& loaded : from_vici_) {
    const auto& name = loaded.built.origin.name;
    if (std::ranges::any_of(from_file_, [&](const auto& other) { return other.built.origin.name == name; })) continue;
    Report of_this;
    if (auto built = build(*loaded.section, set, Lack::warning, of_this)) {
      kept.push_back({std::move(*built), std::move(loaded.section)});
    } else {
      report.warning(from_vici, fmt::format("connection {} cannot be kept: {}", name, of_this.errors.front().what));
    }
  }
  from_vici_ = std::move(kept);
  std::erase_if(pools_, [&](const auto& pool) { return named(file_.pools, pool.name) != file_.pools.end(); });
  return report;
}

// ------------------------------------------------------------------------------------------------- connections

Store::Loaded* Store::find(std::string_view name) {
  const auto found = std::ranges::find_if(from_vici_, [&](const auto& one) { return one.built.origin.name == name; });
  return found == from_vici_.end() ? nullptr : &*found;
}

Report Store::load_conn(const Section& conn) {
  Report report;
  auto* former = find(conn.name);
  if (former != nullptr && same(*former->section, conn)) return report;
  check_alone("connections", conn, report);
  auto built = build(conn, credentials(), Lack::warning, report);
  if (!built) return report;
  std::shared_ptr<const Section> section = clone(conn);
  if (former != nullptr) {
    *former = {std::move(*built), std::move(section)};
  } else {
    from_vici_.push_back({std::move(*built), std::move(section)});
  }
  fresh_.insert(conn.name);
  ++version_;
  return report;
}

Refusal Store::unload_conn(const std::string& name) {
  const auto is_it = [&](const Loaded& one) { return one.built.origin.name == name; };
  const auto in_file = std::ranges::find_if(from_file_, is_it);
  if (std::erase_if(from_vici_, is_it) > 0) {
    if (in_file != from_file_.end()) fresh_.insert(name);  // it is back
    ++version_;
    return std::nullopt;
  }
  if (in_file == from_file_.end()) return fmt::format("connection '{}' not found", name);
  return in_the_file("connection", name, in_file->built.origin.at);
}

std::vector<std::string> Store::conns() const {
  std::vector<std::string> out;
  for (const auto& one : from_vici_) out.push_back(one.built.origin.name);
  return out;
}

// ------------------------------------------------------------------------------------------------- authorities, pools

Report Store::load_authority(const Section& authority) {
  Report report;
  check_alone("authorities", authority, report);
  Credentials credentials(home_, report, {}, Lack::warning);
  auto built = control::build_authority(authority, credentials, report);
  if (!built.cert && report.ok()) {
    report.error(from_vici, fmt::format("authority {} has no certificate, expected cacert = ...", authority.name));
  }
  if (!report.ok()) return report;
  (void)unload_authority(authority.name);
  authorities_.push_back(std::move(built));
  authority_credentials_.emplace_back(authority.name, credentials.set());
  renew_ = true;
  ++version_;
  return report;
}

Refusal Store::unload_authority(const std::string& name) {
  if (std::erase_if(authorities_, [&](const auto& one) { return one.name == name; }) > 0) {
    std::erase_if(authority_credentials_, [&](const auto& one) { return one.first == name; });
    renew_ = true;
    ++version_;
    return std::nullopt;
  }
  const auto in_file = named(file_.authorities, name);
  if (in_file == file_.authorities.end()) return fmt::format("authority '{}' not found", name);
  return in_the_file("authority", name, in_file->at);
}

std::vector<std::string> Store::authorities() const { return names(authorities_); }

// That no pool is used yet is no news to who loads one.
Report Store::load_pool(const Section& pool) {
  Report report;
  if (auto built = build_pool(pool, report)) {
    put(pools_, std::move(*built));
    ++version_;
  }
  return report;
}

Refusal Store::unload_pool(const std::string& name) {
  if (std::erase_if(pools_, [&](const auto& one) { return one.name == name; }) > 0) {
    ++version_;
    return std::nullopt;
  }
  const auto in_file = named(file_.pools, name);
  if (in_file == file_.pools.end()) return fmt::format("pool '{}' not found", name);
  return in_the_file("pool", name, in_file->at);
}

// ------------------------------------------------------------------------------------------------- all of it

void Store::renew() {
  if (!std::exchange(renew_, false)) return;
  const auto set = credentials();
  const auto again = [&](std::vector<Loaded>& all) {
    for (auto& one : all) {
      if (!one.built.certified) continue;
      Report ignored;  // was told when it was loaded
      if (auto built = build(*one.section, set, Lack::warning, ignored)) one.built = std::move(*built);
    }
  };
  again(from_file_);
  again(from_vici_);
}

Configuration Store::compose(const Configuration* running) {
  renew();
  Configuration out;
  out.gateway = file_.gateway;
  out.credentials = credentials();
  out.authorities = file_.authorities;
  for (const auto& one : authorities_) put(out.authorities, one);
  out.pools = file_.pools;
  for (const auto& one : pools_) put(out.pools, one);

  ike::Config ike = copy_of(*file_.ike);
  for (const auto& one : secrets_) {
    if (one.type != "ike" && one.type != "ppk") continue;
    (one.type == "ike" ? ike.secrets : ike.ppks).push_back({one.id, one.secret.owners, one.secret.key.clone()});
  }
  ike.conns.clear();
  std::unordered_map<std::string_view, std::shared_ptr<const ike::ConnConfig>> run;
  if (running != nullptr && running->ike) {
    for (const auto& conn : running->ike->conns) run.emplace(conn->name, conn);
  }
  std::map<std::string, std::shared_ptr<const ike::ConnConfig>, std::less<>> composed;
  const auto take = [&](const BuiltConnection& one) {
    const auto& name = one.origin.name;
    if (one.ike) {
      const auto before = composed_.find(name);
      const auto runs = run.find(name);
      const bool stays = before != composed_.end() && before->second == one.ike && runs != run.end();
      ike.conns.push_back(stays ? runs->second : one.ike);
      composed.emplace(name, one.ike);
    }
    out.plan.children.insert(out.plan.children.end(), one.children.begin(), one.children.end());
    out.origins.push_back(one.origin);
  };
  std::set<std::string_view> overridden;
  for (const auto& one : from_vici_) overridden.insert(one.built.origin.name);
  for (const auto& one : from_file_) {
    if (!overridden.contains(one.built.origin.name)) take(one.built);
  }
  for (const auto& one : from_vici_) take(one.built);
  composed_ = std::move(composed);
  out.ike = std::make_shared<const ike::Config>(std::move(ike));
  return out;
}

}  // namespace espgate::control
