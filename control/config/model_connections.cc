// SPDX-License-Identifier: Apache-2.0
// The `connections` section.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "control/config/model_parts.h"
#include "control/config/parse_values.h"

namespace espgate::control {
namespace {

std::vector<base::Prefix> read_addresses(const SectionReader& from, std::string_view key, Report& report) {
  std::vector<base::Prefix> out;
  const auto* value = from.get(key);
  if (!value) return out;
  const auto items = value->list();
  if (std::ranges::any_of(items, [](const auto& item) { return item.text == "%any"; })) return out;
  each(*value, report, out, [](const std::string& text) { return parse_addresses(text); });
  return out;
}

class ConnectionBuilder {
 public:
  ConnectionBuilder(const Section& section, Configuration& config, Credentials& credentials, Report& report)
      : section_(section), config_(config), credentials_(credentials), report_(report), from_(section, report) {}

  // nullptr: all its children pass or drop traffic, and no IKE is spoken.
  std::shared_ptr<ike::ConnConfig> build() {
    speaks_ = !only_shunts(section_);
    out_ = std::make_shared<ike::ConnConfig>();
    out_->name = section_.name;
    ConnOrigin origin{section_.name, section_.at, {}};
    if (const auto* version = from_.get("version"); version && version->text == "1") {
      report_.error(version->value_at, "IKEv1 is not supported, expected version = 2");
    }
    ends();
    out_->proposals = read_proposals(from_, "proposals", ike::Protocol::ike, report_);
    out_->encap = from_.flag("encap", false);
    out_->dpd_delay = from_.duration("dpd_delay", std::chrono::seconds(0));
    out_->keying_tries = from_.integer("keyingtries", 1, 0, 1'000'000);
    read_lifetimes(from_, *out_);
    if (speaks_) out_->local = build_authentication(section_, true, credentials_, report_);
    if (speaks_) out_->remote = build_authentication(section_, false, credentials_, report_);
    out_->unique = unique();
    out_->send_certreq = from_.flag("send_certreq", true);
    const auto fragmentation = from_.text("fragmentation", "yes");
    out_->fragmentation = fragmentation == "accept"              ? ike::Fragmentation::accept
                          : read_boolean(fragmentation) == false ? ike::Fragmentation::no
                                                                 : ike::Fragmentation::yes;
    const auto send_cert = from_.text("send_cert", "ifasked");
    out_->send_cert = send_cert == "always"  ? ike::SendCert::always
                      : send_cert == "never" ? ike::SendCert::never
                                             : ike::SendCert::if_asked;
    children(origin);
    config_.origins.push_back(std::move(origin));
    return speaks_ ? out_ : nullptr;
  }

 private:
  static bool only_shunts(const Section& section) {
    const auto* all = section.section("children");
    return all != nullptr && !all->sections.empty() &&
           std::ranges::all_of(all->sections, [](const auto& child) { return is_shunt(*child); });
  }

  ike::Unique unique() {
    const auto text = from_.text("unique", "no");
    return text == "never"     ? ike::Unique::never
           : text == "replace" ? ike::Unique::replace
           : text == "keep"    ? ike::Unique::keep
                               : ike::Unique::no;
  }

  void ends() {
    out_->local_addrs = read_addresses(from_, "local_addrs", report_);
    out_->remote_addrs = read_addresses(from_, "remote_addrs", report_);
    out_->local_port = static_cast<std::uint16_t>(from_.integer("local_port", 500, 1, 65535));
    out_->remote_port = static_cast<std::uint16_t>(from_.integer("remote_port", 500, 1, 65535));
  }

  void children(ConnOrigin& origin) {
    const auto* all = section_.section("children");
    if (!all || all->sections.empty()) {
      return report_.warning(section_.at,
                             fmt::format("connection {} has no children: it protects nothing", section_.name));
    }
    for (const auto& sub : all->sections) {
      origin.children.emplace(sub->name, sub->at);
      auto built = build_child({section_, *sub, *out_, config_.gateway}, report_);
      config_.plan.children.push_back(std::move(built.plan));
      if (built.ike) out_->children.push_back(std::move(*built.ike));
    }
  }

  const Section& section_;
  Configuration& config_;
  Credentials& credentials_;
  Report& report_;
  SectionReader from_;
  std::shared_ptr<ike::ConnConfig> out_;
  bool speaks_ = true;
};

}  // namespace

void build_connections(const Section* section, Configuration& config, ike::Config& ike, Credentials& credentials,
                       Report& report) {
  if (!section) return;
  for (const auto& sub : section->sections) {
    if (auto conn = ConnectionBuilder(*sub, config, credentials, report).build()) ike.conns.push_back(std::move(conn));
  }
}

}  // namespace espgate::control
