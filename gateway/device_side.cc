// SPDX-License-Identifier: Apache-2.0
#include "gateway/device_side.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "control/offload/device_cache.h"
#include "control/offload/device_file.h"
#include "gateway/log.h"

namespace espgate::gateway {

namespace {
constexpr auto kLookAgain = std::chrono::seconds(30);
constexpr std::size_t kLine = 1024;  // octets of a line of the log

std::vector<std::string> names(const std::vector<base::EspSuite>& suites) {
  std::vector<std::string> out;
  for (const auto& suite : suites) out.push_back(suite.name());
  std::ranges::sort(out);
  return out;
}
}  // namespace

DeviceSide::DeviceSide(Means means) : means_(std::move(means)) {}

void DeviceSide::begin(base::Instant now, const control::Configuration& config, xfrm::RouteTable& routes) {
  if (auto cached = control::read_device_cache(means_.cache)) {
    table_.adopt(std::move(*cached));
  } else {
    log_warn(printable("what devices take is found out anew: " + cached.error(), kLine));
    unsaved_ = true;
  }
  survey(now, config, routes);
  for (const auto& [name, facts] : table_.devices()) {
    const auto* known = table_.find(name);
    if (known == nullptr || known->entries.empty()) continue;
    log_info(printable(fmt::format("{}: {} answers of the driver are known from before, of {}", name,
                                   known->entries.size(), means_.cache),
                       kLine));
  }
  if (means_.real_kernel) probe_.begin(now);
}

void DeviceSide::survey(base::Instant now, const control::Configuration& config, xfrm::RouteTable& routes) {
  unsteered_ = true;
  take(now, config, survey_devices(config, routes));
}

void DeviceSide::look_again(base::Instant now, const control::Configuration& config, xfrm::RouteTable& routes) {
  take(now, config, survey_devices(config, routes, &survey_));
}

void DeviceSide::take(base::Instant now, const control::Configuration& config, base::Result<DeviceSurvey> found) {
  look_again_ = now + kLookAgain;
  probe_.allow(config.gateway.probe);
  if (!found) {
    log_warn("devices cannot be listed: " + found.error().text());
    return;
  }
  if (found->of_conn != survey_.of_conn) unsteered_ = true;
  survey_ = std::move(*found);
  const auto before = table_.devices();
  for (const auto& sentence : table_.follow(survey_.facts)) log_info(printable(sentence, kLine));
  say_features(before);
  for (const auto& [device, held] : means_.held()) table_.holds(device, held);
  if (table_.take_changed()) unsaved_ = unsteered_ = true;
  probe_.follow(now);
  compare_members();
}

// The kernel leaves SAs on a device whose feature is switched off, and does their packets itself.
void DeviceSide::say_features(const std::map<std::string, sad::DeviceFacts>& before) const {
  const auto held = means_.held();
  for (const auto& [name, facts] : table_.devices()) {
    const auto was = before.find(name);
    if (was == before.end() || was->second.esp_hw_offload == facts.esp_hw_offload) continue;
    const auto at = held.find(name);
    const auto count = at == held.end() ? 0U : at->second.in + at->second.out;
    if (facts.esp_hw_offload == true) {
      log_info(printable(fmt::format("{}: esp-hw-offload was switched on: {} SAs of ours run in hardware", name, count),
                         kLine));
    } else {
      log_warn(
          printable(fmt::format("{}: esp-hw-offload was switched off: {} SAs of ours that it holds run in software "
                                "until `ethtool -K {} esp-hw-offload on`",
                                name, count, name),
                    kLine));
    }
  }
}

sad::PacketMode DeviceSide::packet_mode(const std::string& device) const {
  if (!means_.real_kernel) return sad::PacketMode::refuses;
  const auto* record = table_.find(device);
  return record == nullptr ? sad::PacketMode::unknown : sad::packet_mode(*record);
}

void DeviceSide::learn(const sad::DeviceVerdict& verdict, std::int64_t wall_clock) {
  if (!means_.real_kernel) return;
  if (verdict.answer.code == ENOSPC) {
    const auto held = means_.held();
    const auto at = held.find(verdict.device);
    table_.met_limit(verdict.device, verdict.row.direction, at == held.end() ? sad::Held{} : at->second);
  } else {
    table_.learn(verdict.device, verdict.row, verdict.answer, sad::Learned::install, wall_clock);
  }
  if (table_.take_changed()) unsaved_ = unsteered_ = true;
}

void DeviceSide::distrust(const std::string& device, sad::Distrust what, std::int64_t wall_clock) {
  what.at = wall_clock;
  table_.distrust(device, std::move(what));
  if (table_.take_changed()) unsaved_ = unsteered_ = true;
}

std::string DeviceSide::distrusted(const std::string& device, const base::EspSuite& suite,
                                   xfrm::OffloadKind mode) const {
  const auto* record = table_.find(device);
  const auto* wrong = record == nullptr ? nullptr : record->distrust(suite, mode);
  return wrong == nullptr ? std::string{} : sad::sentence(device, *wrong);
}

base::Instant DeviceSide::due() const {
  if ((unsaved_ || unsteered_) && !probe_.in_between()) return base::Instant{};
  const auto next = probe_.due();
  return next ? std::min(*next, look_again_) : look_again_;
}

void DeviceSide::on_timer(base::Instant now, std::int64_t wall_clock) {
  if (const auto due = probe_.due(); due && *due <= now) {
    const auto held = means_.held();
    if (const auto step = probe_.next(now, held)) {
      const auto at = held.find(step->device);
      probe_.answered(now, *step, means_.try_row(step->ifindex, step->row), at == held.end() ? sad::Held{} : at->second,
                      wall_clock);
    }
  }
  if (table_.take_changed()) unsaved_ = unsteered_ = true;
  say_notices();
  if (!probe_.in_between()) save();
}

void DeviceSide::say_notices() {
  for (const auto& notice : probe_.take_notices()) {
    notice.level == sad::Notice::Level::info ? log_info(printable(notice.text, kLine))
                                             : log_warn(printable(notice.text, kLine));
  }
}

void DeviceSide::save() {
  if (!std::exchange(unsaved_, false) || !means_.real_kernel) return;
  compare_members();
  const auto written = control::write_device_cache(means_.cache, table_.records());
  if (!written && !write_failed_) {
    log_warn("what devices take is not kept over a restart: " + written.error().text());
  }
  write_failed_ = !written;
}

std::optional<control::Steered> DeviceSide::steer(const control::Configuration& config) {
  if (!unsteered_ || probe_.in_between()) return std::nullopt;
  unsteered_ = false;
  const auto devices_of = [this](const ike::ConnConfig& conn) {
    std::vector<const sad::DeviceRecord*> out;
    const auto found = survey_.of_conn.find(conn.name);
    if (found == survey_.of_conn.end()) return out;
    for (const auto& name : found->second) {
      if (const auto* record = table_.find(name)) out.push_back(record);
    }
    return out;
  };
  return control::steer_suites(config, devices_of, hurried_);
}

void DeviceSide::hurried(control::Hurried children) {
  if (children == hurried_) return;
  hurried_ = std::move(children);
  unsteered_ = true;
}

std::string DeviceSide::disagreement(const std::vector<std::string>& members) const {
  const sad::DeviceRecord* first = nullptr;
  for (const auto& name : members) {
    const auto* record = table_.find(name);
    if (record == nullptr || record->entries.empty()) return {};  // not known yet
    if (first == nullptr) first = record;
    for (const auto mode : {xfrm::OffloadKind::crypto, xfrm::OffloadKind::packet}) {
      const auto a = names(sad::suites_taken(*first, mode));
      const auto b = names(sad::suites_taken(*record, mode));
      if (a == b) continue;
      return fmt::format("in {} mode {} takes {}, {} takes {}: what is offloaded depends on which of them carries it",
                         sad::to_string(mode), first->name,
                         a.empty() ? "nothing" : fmt::format("{}", fmt::join(a, ", ")), record->name,
                         b.empty() ? "nothing" : fmt::format("{}", fmt::join(b, ", ")));
    }
  }
  return {};
}

void DeviceSide::compare_members() {
  if (probe_.in_between()) return;
  std::map<std::string, std::string> now;
  for (const auto& [upper, members] : survey_.beneath) {
    if (auto text = disagreement(members); !text.empty()) now.emplace(upper, std::move(text));
  }
  for (const auto& [upper, text] : now) {
    const auto before = disagreements_.find(upper);
    if (before != disagreements_.end() && before->second == text) continue;
    log_warn(printable(fmt::format("{}: the devices beneath it disagree: {}", upper, text), kLine));
  }
  disagreements_ = std::move(now);
}

std::vector<control::DeviceReport> DeviceSide::reports(const control::GatewayOptions& gateway) const {
  std::vector<control::DeviceReport> out;
  sad::OfferShape shape;
  if (!gateway.offload_without_esn) shape.without_esn = sad::WithoutEsn::forbidden;
  const auto held = means_.held();
  for (const auto& [name, facts] : table_.devices()) {
    control::DeviceReport report;
    report.facts = facts;
    if (const auto* record = table_.find(name)) report.record = *record;
    if (const auto at = held.find(name); at != held.end()) report.held = at->second;
    report.state = probe_.state(name);
    report.state_text = means_.real_kernel ? probe_.text(name) : "not tried: --kernel null";
    for (const auto& [upper, members] : survey_.beneath) {
      if (std::ranges::find(members, name) == members.end()) continue;
      report.carries.push_back(upper);
      const auto apart = disagreements_.find(upper);
      if (apart != disagreements_.end()) report.disagreement = fmt::format("under {}: {}", upper, apart->second);
    }
    report.floor = gateway.esp_floor;
    const sad::DeviceRecord* one[] = {&report.record};
    report.offers = sad::order_suites(one, shape, gateway.esp_floor);
    out.push_back(std::move(report));
  }
  return out;
}

std::expected<std::size_t, std::string> DeviceSide::forgive(base::Instant now, const std::string& device,
                                                            const std::string& suite) {
  if (!suite.empty() && !control::suite_called(suite)) {
    return std::unexpected(fmt::format("{} is no suite; `espgate offload show dev {}` names them", suite, device));
  }
  const auto gone = table_.forgive(device, suite);
  if (!gone) return std::unexpected(fmt::format("{} is no device that a connection leaves by", device));
  if (table_.take_changed()) unsaved_ = unsteered_ = true;
  probe_.follow(now);
  log_info(printable(fmt::format("{}: forgiven {}: {} answers dropped, they are found out anew", device,
                                 suite.empty() ? "all" : suite, *gone),
                     kLine));
  return *gone;
}

}  // namespace espgate::gateway
