// SPDX-License-Identifier: Apache-2.0
// The `connections` section.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>

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
  ConnectionBuilder(const Section& section, const GatewayOptions& gateway, Credentials& credentials, Report& report)
      : section_(section), gateway_(gateway), credentials_(credentials), report_(report), from_(section, report) {}

  BuiltConnection build() {
    speaks_ = !only_shunts(section_);
    out_ = std::make_shared<ike::ConnConfig>();
    out_->name = section_.name;
    built_.origin.name = section_.name;
    built_.origin.at = section_.at;
    if (const auto* version = from_.get("version"); version && version->text == "1") {
      report_.error(version->value_at, "IKEv1 is not supported, expected version = 2");
    }
    ends();
    out_->proposals = read_proposals(from_, "proposals", ike::Protocol::ike, report_);
    out_->encap = from_.flag("encap", false);
    out_->dpd_delay = from_.duration("dpd_delay", std::chrono::seconds(0));
    out_->keying_tries = from_.integer("keyingtries", 1, 0, 1'000'000);
    post_quantum();
    read_lifetimes(from_, *out_);
    authentication();
    out_->unique = unique();
    out_->send_certreq = from_.flag("send_certreq", true);
    const auto fragmentation = from_.text("fragmentation", "yes");
    out_->fragmentation = fragmentation == "accept"              ? ike::Fragmentation::accept
                          : read_boolean(fragmentation) == false ? ike::Fragmentation::no
                                                                 : ike::Fragmentation::yes;
    const auto childless = from_.text("childless", "allow");
    out_->childless = childless == "prefer"  ? ike::Childless::prefer
                      : childless == "force" ? ike::Childless::force
                      : childless == "never" ? ike::Childless::never
                                             : ike::Childless::allow;
    const auto send_cert = from_.text("send_cert", "ifasked");
    out_->send_cert = send_cert == "always"  ? ike::SendCert::always
                      : send_cert == "never" ? ike::SendCert::never
                                             : ike::SendCert::if_asked;
    children();
    (speaks_ ? built_.ike : built_.origin.silent) = out_;
    return std::move(built_);
  }

 private:
  static bool only_shunts(const Section& section) {
    const auto* all = section.section("children");
    return all != nullptr && !all->sections.empty() &&
           std::ranges::all_of(all->sections, [](const auto& child) { return is_shunt(*child); });
  }

  // Where all children pass or drop traffic nobody authenticates; the word for it is but listed.
  void authentication() {
    for (const bool local : {true, false}) {
      auto& side = local ? out_->local : out_->remote;
      if (speaks_) {
        side = build_authentication(section_, local, credentials_, built_.origin, report_);
        built_.certified = built_.certified || side.method == ike::AuthMethod::pubkey;
      } else {
        const auto* round = section_.section(local ? "local" : "remote");
        const auto* auth = round != nullptr ? round->value("auth") : nullptr;
        (local ? built_.origin.local : built_.origin.remote).auth = auth != nullptr;
        if (auth == nullptr || auth->text != "psk") side.method = ike::AuthMethod::pubkey;
      }
    }
  }

  ike::Unique unique() {
    const auto text = from_.text("unique", "no");
    return text == "never"     ? ike::Unique::never
           : text == "replace" ? ike::Unique::replace
           : text == "keep"    ? ike::Unique::keep
                               : ike::Unique::no;
  }

  // RFC 8784.
  void post_quantum() {
    out_->ppk_required = from_.flag("ppk_required", false);
    const auto* id = from_.get("ppk_id");
    if (id == nullptr || id->text.empty()) return;
    out_->ppk_id = ike::Identity::parse(id->text);
    if (!out_->ppk_id) {
      report_.error(id->value_at,
                    fmt::format("{} is no identity that is supported, expected a name or keyid:", id->text));
    }
  }

  std::vector<std::string> words(std::string_view key) {
    std::vector<std::string> out;
    if (const auto* value = from_.get(key)) {
      for (auto& item : value->list()) out.push_back(std::move(item.text));
    }
    return out;
  }

  void ends() {
    out_->local_addrs = read_addresses(from_, "local_addrs", report_);
    out_->remote_addrs = read_addresses(from_, "remote_addrs", report_);
    built_.origin.local_addrs = words("local_addrs");
    built_.origin.remote_addrs = words("remote_addrs");
    out_->local_port = static_cast<std::uint16_t>(from_.integer("local_port", 500, 1, 65535));
    out_->remote_port = static_cast<std::uint16_t>(from_.integer("remote_port", 500, 1, 65535));
  }

  void children() {
    const auto* all = section_.section("children");
    if (!all || all->sections.empty()) {
      return report_.warning(section_.at,
                             fmt::format("connection {} has no children: it protects nothing", section_.name));
    }
    for (const auto& sub : all->sections) {
      built_.origin.children.emplace(sub->name, sub->at);
      auto child = build_child({section_, *sub, *out_, gateway_}, report_);
      if (child.plan.treatment == sad::Treatment::protect) {
        out_->children.push_back(std::move(child.ike));
      } else {
        const auto position = out_->children.size() + built_.origin.shunts.size();
        built_.origin.shunts.push_back({position, child.plan.treatment, std::move(child.ike)});
      }
      built_.children.push_back(std::move(child.plan));
    }
  }

  const Section& section_;
  const GatewayOptions& gateway_;
  Credentials& credentials_;
  Report& report_;
  SectionReader from_;
  BuiltConnection built_;
  std::shared_ptr<ike::ConnConfig> out_;
  bool speaks_ = true;
};

}  // namespace

BuiltConnection build_connection(const Section& section, const GatewayOptions& gateway, Credentials& credentials,
                                 Report& report) {
  return ConnectionBuilder(section, gateway, credentials, report).build();
}

std::optional<BuiltConnection> build_connection(const Section& connection, const ConnContext& context, Report& report) {
  Credentials credentials(context.home, report, context.credentials, context.lack);
  auto out = build_connection(connection, context.gateway, credentials, report);
  report.sort();
  return report.ok() ? std::optional(std::move(out)) : std::nullopt;
}

void build_connections(const Section* section, Configuration& config, ike::Config& ike, Credentials& credentials,
                       Report& report) {
  if (!section) return;
  auto certified = std::make_shared<Section>();
  for (const auto& sub : section->sections) {
    auto built = build_connection(*sub, config.gateway, credentials, report);
    if (built.certified) certified->sections.push_back(clone(*sub));
    if (built.ike) ike.conns.push_back(std::move(built.ike));
    std::ranges::move(built.children, std::back_inserter(config.plan.children));
    config.origins.push_back(std::move(built.origin));
  }
  if (!certified->sections.empty()) config.certified = std::move(certified);
}

}  // namespace espgate::control
