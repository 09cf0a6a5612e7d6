// SPDX-License-Identifier: Apache-2.0
// The `connections` section.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "control/config/model_parts.h"
#include "control/config/parse_values.h"

namespace espgate::control {
namespace {

// Every element of a list through `parse`, each error at its own column.
template <class Out, class Parse>
void each(const Value& value, Report& report, std::vector<Out>& into, Parse parse) {
  for (const auto& item : value.list()) {
    auto parsed = parse(item.text);
    if (!parsed) {
      report.error(item.at, parsed.error());
    } else {
      into.insert(into.end(), parsed->begin(), parsed->end());
    }
  }
}

std::vector<base::Prefix> read_addresses(const SectionReader& from, std::string_view key, Report& report) {
  std::vector<base::Prefix> out;
  const auto* value = from.get(key);
  if (!value) return out;
  const auto items = value->list();
  if (std::ranges::any_of(items, [](const auto& item) { return item.text == "%any"; })) return out;
  each(*value, report, out, [](const std::string& text) { return parse_addresses(text); });
  return out;
}

std::vector<ike::Proposal> read_proposals(const SectionReader& from, std::string_view key, ike::Protocol protocol,
                                          Report& report) {
  std::vector<ike::Proposal> out;
  if (const auto* value = from.get(key); value && !value->list().empty()) {
    each(*value, report, out, [&](const std::string& text) { return ike::parse_proposals(protocol, text); });
  } else if (auto standard = ike::parse_proposals(protocol, "default")) {
    out = std::move(*standard);
  }
  return out;
}

std::vector<ike::TsConfig> read_selectors(const SectionReader& from, std::string_view key, Report& report) {
  std::vector<ike::TsConfig> out;
  const auto one = [](const std::string& text) -> Parsed<std::vector<ike::TsConfig>> {
    auto ts = parse_selector(text);
    if (!ts) return std::unexpected(ts.error());
    return std::vector{*ts};
  };
  if (const auto* value = from.get(key); value && !value->list().empty()) {
    each(*value, report, out, one);
  } else {
    out.push_back(*parse_selector("dynamic"));
  }
  return out;
}

// The one address that is meant, if there is just one to be meant.
std::optional<base::Address> single_address(const std::vector<base::Prefix>& prefixes) {
  std::optional<base::Address> out;
  for (const auto& prefix : prefixes) {
    if (out || prefix.length() != 8 * base::octets(prefix.family())) return std::nullopt;
    out = prefix.address();
  }
  return out;
}

bool has_single_address(const std::vector<base::Prefix>& prefixes) {
  return std::ranges::any_of(prefixes, [](const auto& p) { return p.length() == 8 * base::octets(p.family()); });
}

// Configured selectors as the SPD needs them: `dynamic` as the tunnel end, or left out where that is not known.
std::vector<base::TrafficSelector> resolved(const std::vector<ike::TsConfig>& configured,
                                            const std::vector<base::Prefix>& end) {
  std::vector<base::TrafficSelector> out;
  const auto address = single_address(end);
  for (const auto& [dynamic, ts] : configured) {
    if (dynamic && !address) continue;
    out.push_back(ts);
    if (dynamic) out.back().first = out.back().last = *address;
  }
  return out;
}

class ConnectionBuilder {
 public:
  ConnectionBuilder(const Section& section, Configuration& config, Credentials& credentials, Report& report)
      : section_(section), config_(config), credentials_(credentials), report_(report), from_(section, report) {}

  std::shared_ptr<ike::ConnConfig> build() {
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
    out_->local = build_authentication(section_, true, credentials_, report_);
    out_->remote = build_authentication(section_, false, credentials_, report_);
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
    return out_;
  }

 private:
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
      out_->children.push_back(child(*sub));
      origin.children.emplace(sub->name, sub->at);
    }
  }

  ike::ChildConfig child(const Section& section) {
    SectionReader from(section, report_);
    ike::ChildConfig out;
    out.name = section.name;
    out.esp_proposals = read_proposals(from, "esp_proposals", ike::Protocol::esp, report_);
    out.local_ts = read_selectors(from, "local_ts", report_);
    out.remote_ts = read_selectors(from, "remote_ts", report_);
    out.mode = mode(from);
    const auto* offload = from.get("hw_offload");
    out.offload = offload ? read_offload(offload->text) : config_.gateway.hw_offload;
    out.start_action = action(from, "start_action");
    out.close_action = action(from, "close_action");
    out.dpd_action = action(from, "dpd_action");
    read_lifetimes(from, out, report_);
    plan(out, from);
    return out;
  }

  base::SaMode mode(const SectionReader& from) {
    const auto* value = from.get("mode");
    if (!value || value->text == "tunnel") return base::SaMode::tunnel;
    if (value->text != "transport") {
      report_.error(value->value_at,
                    fmt::format("mode = {} is not supported, expected tunnel or transport", value->text));
    }
    return base::SaMode::transport;
  }

  ike::StartAction action(const SectionReader& from, const char* key) {
    const auto* value = from.get(key);
    if (!value || value->text == "none" || value->text == "add" || value->text == "clear")
      return ike::StartAction::none;
    if (!has_single_address(out_->remote_addrs)) {
      report_.error(value->value_at,
                    fmt::format("{} = {} needs a peer to call, expected an address among the remote_addrs of {}", key,
                                value->text, section_.name));
    }
    if (value->text == "trap" || value->text == "route" || value->text == "hold") {
      report_.warning(value->value_at, fmt::format("{} = {}: packets do not bring a child up yet; it stays down, and "
                                                   "what it covers as when_down says, until it is asked for",
                                                   key, value->text));
      return ike::StartAction::trap;
    }
    if (value->text == "trap|start")
      report_.warning(value->value_at, fmt::format("{} = trap|start is taken as start", key));
    return ike::StartAction::start;
  }

  void plan(const ike::ChildConfig& child, SectionReader& from) {
    sad::ChildPlan out;
    out.conn = section_.name;
    out.child = child.name;
    out.local_ts = resolved(child.local_ts, out_->local_addrs);
    out.remote_ts = resolved(child.remote_ts, out_->remote_addrs);
    out.mode = child.mode;
    const auto* when_down = from.get("when_down");
    out.when_down_said = when_down != nullptr;
    out.when_down = when_down && when_down->text == "pass" ? sad::WhenDown::pass : sad::WhenDown::block;
    out.offload = child.offload;
    out.replay_window = from.integer("replay_window", out.replay_window, 0, 4096);
    config_.plan.children.push_back(std::move(out));
  }

  const Section& section_;
  Configuration& config_;
  Credentials& credentials_;
  Report& report_;
  SectionReader from_;
  std::shared_ptr<ike::ConnConfig> out_;
};

}  // namespace

void build_connections(const Section* section, Configuration& config, ike::Config& ike, Credentials& credentials,
                       Report& report) {
  if (!section) return;
  for (const auto& sub : section->sections) {
    ike.conns.push_back(ConnectionBuilder(*sub, config, credentials, report).build());
  }
}

}  // namespace espgate::control
