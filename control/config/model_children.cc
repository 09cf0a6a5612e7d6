// SPDX-License-Identifier: Apache-2.0
// connections.<conn>.children.<child>: what IKE negotiates, and what the kernel's policies follow from.
#include <fmt/format.h>

#include <algorithm>

#include "control/config/model_parts.h"
#include "control/config/parse_values.h"
#include "sad/suite_order.h"

namespace espgate::control {

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

namespace {

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

// Whom to call, or from where: the first single address.
std::optional<base::Address> first_address(const std::vector<base::Prefix>& prefixes,
                                           std::optional<base::Family> family = {}) {
  for (const auto& prefix : prefixes) {
    const bool host = prefix.length() == 8 * base::octets(prefix.family());
    if (host && !prefix.address().is_any() && (!family || prefix.family() == *family)) return prefix.address();
  }
  return std::nullopt;
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

class ChildBuilder {
 public:
  ChildBuilder(const ChildSource& source, Report& report)
      : source_(source), report_(report), from_(source.section, report) {}

  BuiltChild build() {
    BuiltChild out;
    treatment();
    out.ike = ike_part();
    out.plan = plan(out.ike);
    return out;
  }

 private:
  void treatment() {
    const auto mode = from_.text("mode", "tunnel");
    if (mode == "pass") treatment_ = sad::Treatment::pass;
    if (mode == "drop") treatment_ = sad::Treatment::drop;
  }

  ike::ChildConfig ike_part() {
    ike::ChildConfig out;
    out.name = source_.section.name;
    const auto* ah = from_.get("ah_proposals");
    const bool has_ah = ah != nullptr && !ah->list().empty();
    if (!has_ah || from_.get("esp_proposals")) {
      const bool standard = says_default();
      default_proposals_ = standard && !has_ah;  // with AH beside it the order is as written
      // Nothing is known of devices here: the usual order.
      out.esp_proposals = standard ? sad::proposals_of(sad::order_suites({}, {}, source_.gateway.esp_floor))
                                   : read_proposals(from_, "esp_proposals", ike::Protocol::esp, report_);
    }
    if (has_ah)
      std::ranges::move(read_proposals(from_, "ah_proposals", ike::Protocol::ah, report_),
                        std::back_inserter(out.esp_proposals));
    out.local_ts = read_selectors(from_, "local_ts", report_);
    out.remote_ts = read_selectors(from_, "remote_ts", report_);
    out.mode = mode();
    const auto* offload = from_.get("hw_offload");
    out.offload = offload ? read_offload(offload->text) : source_.gateway.hw_offload;
    out.start_action = action("start_action");
    out.close_action = action("close_action");
    out.dpd_action = action("dpd_action");
    read_lifetimes(from_, out, report_);
    return out;
  }

  // Not where default stands beside others: their order is what was written.
  [[nodiscard]] bool says_default() const {
    const auto* value = from_.get("esp_proposals");
    if (value == nullptr || value->list().empty()) return true;
    const auto items = value->list();
    return items.size() == 1 && items.front().text == "default";
  }

  base::SaMode mode() {
    const auto* value = from_.get("mode");
    if (!value || value->text == "tunnel" || treatment_ != sad::Treatment::protect) return base::SaMode::tunnel;
    if (value->text != "transport") {
      report_.error(value->value_at,
                    fmt::format("mode = {} is not supported, expected tunnel, transport, pass or drop", value->text));
    }
    return base::SaMode::transport;
  }

  ike::StartAction action(const char* key) {
    const auto* value = from_.get(key);
    if (!value || value->text == "none" || value->text == "add" || value->text == "clear")
      return ike::StartAction::none;
    if (treatment_ != sad::Treatment::protect) return shunt_action(*value, key);
    if (!first_address(source_.conn.remote_addrs)) {
      report_.error(value->value_at,
                    fmt::format("{} = {} needs a peer to call, expected an address among the remote_addrs of {}", key,
                                value->text, source_.conn_section.name));
    }
    if (value->text == "trap" || value->text == "route" || value->text == "hold") return ike::StartAction::trap;
    if (value->text == "trap|start") return ike::StartAction::trap_start;
    return ike::StartAction::start;
  }

  ike::StartAction shunt_action(const Value& value, const char* key) {
    if (key != std::string_view("start_action")) return ike::StartAction::none;
    if (value.text == "start" || value.text == "restart") {
      report_.error(value.value_at,
                    fmt::format("{} passes or drops traffic, there is nothing to start, expected start_action = trap",
                                source_.section.name));
    }
    return ike::StartAction::trap;
  }

  sad::ChildPlan plan(const ike::ChildConfig& child) {
    sad::ChildPlan out;
    out.conn = source_.conn_section.name;
    out.child = child.name;
    out.local_ts = resolved(child.local_ts, source_.conn.local_addrs);
    out.remote_ts = resolved(child.remote_ts, source_.conn.remote_addrs);
    out.mode = child.mode;
    const auto* when_down = from_.get("when_down");
    out.when_down_said = when_down != nullptr;
    out.when_down = when_down && when_down->text == "pass" ? sad::WhenDown::pass : sad::WhenDown::block;
    out.offload = child.offload;
    out.default_proposals = default_proposals_ && treatment_ == sad::Treatment::protect;
    out.treatment = treatment_;
    out.trap = ike::traps(child.start_action);
    out.remote = first_address(source_.conn.remote_addrs);
    if (out.remote) out.local = first_address(source_.conn.local_addrs, out.remote->family());
    out.handling = build_handling(source_, report_);
    if (treatment_ != sad::Treatment::protect && !out.trap) {
      report_.warning(source_.section.at, fmt::format("{} does nothing: it passes or drops traffic from the load on "
                                                      "with start_action = trap",
                                                      source_.section.name));
    }
    return out;
  }

  const ChildSource& source_;
  Report& report_;
  SectionReader from_;
  sad::Treatment treatment_ = sad::Treatment::protect;
  bool default_proposals_ = false;
};

}  // namespace

bool is_shunt(const Section& child) {
  const auto* mode = child.value("mode");
  return mode != nullptr && mode->set && (mode->text == "pass" || mode->text == "drop");
}

BuiltChild build_child(const ChildSource& source, Report& report) { return ChildBuilder(source, report).build(); }

}  // namespace espgate::control
