// SPDX-License-Identifier: Apache-2.0
#include "control/offload/device_cache.h"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <nlohmann/json.hpp>

namespace espgate::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr std::size_t kLongestText = 1024;  // of names and of what drivers say
constexpr std::size_t kMostDevices = 256, kMostAnswers = 1024;

// ------------------------------------------------------------------------------------------------ writing

std::string plain_name(base::EspSuite suite) {
  suite.esn = false;  // a member of its own
  return suite.name();
}

// Drivers may say anything; the file stays one that can be read back.
std::string cut(const std::string& text) { return text.substr(0, kLongestText); }

Json entry_json(const sad::DeviceEntry& entry) {
  const auto& row = entry.row;
  return Json{{"suite", plain_name(row.suite)},
              {"esn", row.suite.esn},
              {"mode", sad::to_string(row.mode)},
              {"dir", base::to_string(row.direction)},
              {"sa_mode", base::to_string(row.sa_mode)},
              {"family", row.family == base::Family::ipv4 ? "ipv4" : "ipv6"},
              {"encap", row.encap},
              {"replay_window", row.replay_window},
              {"result", sad::to_string(entry.answer.result)},
              {"errno", entry.answer.code},
              {"words", cut(entry.answer.words)},
              {"learned", sad::to_string(entry.learned)},
              {"at", entry.at}};
}

Json slots_json(const std::optional<std::uint32_t>& slots) { return slots ? Json(*slots) : Json(nullptr); }

Json distrust_json(const sad::Distrust& distrust) {
  return Json{{"suite", plain_name(distrust.suite)},
              {"mode", sad::to_string(distrust.mode)},
              {"dir", distrust.direction ? Json(base::to_string(*distrust.direction)) : Json(nullptr)},
              {"seen", cut(distrust.text)},
              {"at", distrust.at}};
}

Json record_json(const sad::DeviceRecord& record) {
  Json answers = Json::array();
  for (const auto& entry : record.entries) answers.push_back(entry_json(entry));
  Json distrusted = Json::array();
  for (const auto& each : record.distrusted) distrusted.push_back(distrust_json(each));
  return Json{{"dev", record.name},
              {"driver", cut(record.identity.driver)},
              {"driver_version", cut(record.identity.driver_version)},
              {"firmware", cut(record.identity.firmware)},
              {"kernel", cut(record.identity.kernel)},
              {"slots", {{"in", slots_json(record.slots_in)}, {"out", slots_json(record.slots_out)}}},
              {"answers", std::move(answers)},
              {"distrusted", std::move(distrusted)}};
}

// ------------------------------------------------------------------------------------------------ reading

// Members of one object; the first that is missing or of a wrong kind is remembered, and what is read then means
// nothing.
class Reader {
 public:
  Reader(const Json& object, std::string& wrong) : object_(object), wrong_(wrong) {
    if (!object.is_object()) fail("something that is no object");
  }

  std::string text(const char* name) {
    const Json* member = find(name);
    if (member != nullptr && member->is_string()) {
      const auto& value = member->get_ref<const std::string&>();
      if (value.size() <= kLongestText) return value;
    }
    fail(name);
    return {};
  }
  bool flag(const char* name) {
    const Json* member = find(name);
    if (member != nullptr && member->is_boolean()) return member->get<bool>();
    fail(name);
    return false;
  }
  std::int64_t number(const char* name, std::int64_t most) {
    const Json* member = find(name);
    if (member != nullptr && member->is_number_unsigned()) {
      const auto value = member->get<std::uint64_t>();
      if (value <= static_cast<std::uint64_t>(most)) return static_cast<std::int64_t>(value);
    }
    fail(name);
    return 0;
  }
  std::optional<std::uint32_t> number_or_null(const char* name) {
    const Json* member = find(name);
    if (member != nullptr && member->is_null()) return std::nullopt;
    return static_cast<std::uint32_t>(number(name, std::numeric_limits<std::uint32_t>::max()));
  }
  // The position of a word among `words`.
  std::size_t choice(const char* name, std::initializer_list<std::string_view> words) {
    const std::string value = text(name);
    std::size_t at = 0;
    for (const auto word : words) {
      if (word == value) return at;
      ++at;
    }
    fail(name);
    return 0;
  }
  const Json& array(const char* name, std::size_t most) {
    static const Json nothing = Json::array();
    const Json* member = find(name);
    if (member != nullptr && member->is_array() && member->size() <= most) return *member;
    fail(name);
    return nothing;
  }
  // Of a member that former versions did not write.
  const Json& array_if_any(const char* name, std::size_t most) {
    static const Json nothing = Json::array();
    return find(name) == nullptr ? nothing : array(name, most);
  }
  bool null(const char* name) const {
    const Json* member = find(name);
    return member != nullptr && member->is_null();
  }
  Reader object(const char* name) {
    static const Json nothing = Json::object();
    const Json* member = find(name);
    return {member == nullptr ? nothing : *member, wrong_};
  }
  void fail(std::string_view what) {
    if (wrong_.empty()) wrong_ = what;
  }

 private:
  [[nodiscard]] const Json* find(const char* name) const {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  const Json& object_;
  std::string& wrong_;
};

sad::DeviceEntry read_entry(const Json& json, std::string& wrong) {
  constexpr std::int64_t kMostErrno = 4095;  // MAX_ERRNO
  Reader from(json, wrong);
  sad::DeviceEntry out;
  auto& row = out.row;
  const auto suite = suite_called(from.text("suite"));
  if (!suite) from.fail("suite");
  row.suite = suite.value_or(base::EspSuite{});
  row.suite.esn = from.flag("esn");
  row.mode = from.choice("mode", {"crypto", "packet"}) == 0 ? xfrm::OffloadKind::crypto : xfrm::OffloadKind::packet;
  row.direction = from.choice("dir", {"in", "out"}) == 0 ? base::Direction::in : base::Direction::out;
  row.sa_mode = from.choice("sa_mode", {"tunnel", "transport"}) == 0 ? base::SaMode::tunnel : base::SaMode::transport;
  row.family = from.choice("family", {"ipv4", "ipv6"}) == 0 ? base::Family::ipv4 : base::Family::ipv6;
  row.encap = from.flag("encap");
  row.replay_window = static_cast<std::uint32_t>(from.number("replay_window", 1 << 20));
  out.answer.result = static_cast<sad::ProbeResult>(from.choice("result", {"taken", "silent-software", "refused"}));
  out.answer.code = static_cast<int>(from.number("errno", kMostErrno));
  out.answer.words = from.text("words");
  out.learned = from.choice("learned", {"probe", "install"}) == 0 ? sad::Learned::probe : sad::Learned::install;
  out.at = from.number("at", std::numeric_limits<std::int64_t>::max());
  if ((out.answer.result == sad::ProbeResult::refused) != (out.answer.code != 0)) from.fail("errno");
  return out;
}

sad::Distrust read_distrust(const Json& json, std::string& wrong) {
  Reader from(json, wrong);
  sad::Distrust out;
  const auto suite = suite_called(from.text("suite"));
  if (!suite) from.fail("suite");
  out.suite = suite.value_or(base::EspSuite{});
  out.mode = from.choice("mode", {"crypto", "packet"}) == 0 ? xfrm::OffloadKind::crypto : xfrm::OffloadKind::packet;
  if (!from.null("dir")) {
    out.direction = from.choice("dir", {"in", "out"}) == 0 ? base::Direction::in : base::Direction::out;
  }
  out.text = from.text("seen");
  out.at = from.number("at", std::numeric_limits<std::int64_t>::max());
  return out;
}

sad::DeviceRecord read_record(const Json& json, std::string& wrong) {
  Reader from(json, wrong);
  sad::DeviceRecord out;
  out.name = from.text("dev");
  if (out.name.empty()) from.fail("dev");
  out.identity = {from.text("driver"), from.text("driver_version"), from.text("firmware"), from.text("kernel")};
  auto slots = from.object("slots");
  out.slots_in = slots.number_or_null("in");
  out.slots_out = slots.number_or_null("out");
  for (const auto& each : from.array("answers", kMostAnswers)) {
    auto entry = read_entry(each, wrong);
    if (out.find(entry.row) != nullptr) from.fail("answers");
    out.entries.push_back(std::move(entry));
    if (!wrong.empty()) break;
  }
  for (const auto& each : from.array_if_any("distrusted", kMostAnswers)) {
    out.distrusted.push_back(read_distrust(each, wrong));
    if (!wrong.empty()) break;
  }
  return out;
}

}  // namespace

std::string device_cache_text(const std::vector<sad::DeviceRecord>& records) {
  Json devices = Json::array();
  for (const auto& record : records) devices.push_back(record_json(record));
  const Json whole{{"version", kVersion}, {"devices", std::move(devices)}};
  return whole.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::expected<std::vector<sad::DeviceRecord>, std::string> parse_device_cache(std::string_view text) {
  if (text.size() > kDeviceCacheOctets) return std::unexpected("it is too long");
  const Json whole = Json::parse(text, nullptr, false);
  if (whole.is_discarded()) return std::unexpected("it is no JSON");
  std::string wrong;
  Reader from(whole, wrong);
  const auto version = from.number("version", std::numeric_limits<std::int32_t>::max());
  if (wrong.empty() && version != kVersion) {
    return std::unexpected(fmt::format("it is of version {}, this espgate knows {}", version, kVersion));
  }
  std::vector<sad::DeviceRecord> out;
  for (const auto& each : from.array("devices", kMostDevices)) {
    out.push_back(read_record(each, wrong));
    if (!wrong.empty()) break;
  }
  if (!wrong.empty()) return std::unexpected(fmt::format("it is not as espgate writes it: {}", wrong));
  return out;
}

std::optional<base::EspSuite> suite_called(std::string_view name) {
  using base::EspAuth;
  using base::EspCipher;
  static constexpr std::array kCiphers{EspCipher::aes_cbc, EspCipher::aes_gcm_16, EspCipher::aes_gcm_12,
                                       EspCipher::aes_gcm_8};
  static constexpr std::array kAuths{EspAuth::hmac_sha2_256_128, EspAuth::hmac_sha2_384_192,
                                     EspAuth::hmac_sha2_512_256};
  const auto fits = [&](const base::EspSuite& suite) { return suite.name() == name; };
  if (const base::EspSuite chacha{EspCipher::chacha20_poly1305, 256, EspAuth::none, false}; fits(chacha)) return chacha;
  for (const auto cipher : kCiphers) {
    for (const std::uint16_t bits : {std::uint16_t{128}, std::uint16_t{192}, std::uint16_t{256}}) {
      base::EspSuite suite{cipher, bits, EspAuth::none, false};
      if (suite.aead()) {
        if (fits(suite)) return suite;
        continue;
      }
      for (const auto auth : kAuths) {
        suite.auth = auth;
        if (fits(suite)) return suite;
      }
    }
  }
  return std::nullopt;
}

}  // namespace espgate::control
