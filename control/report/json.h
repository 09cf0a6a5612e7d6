// SPDX-License-Identifier: Apache-2.0
// The JSON promises of the CLI: members in a fixed order, integers beyond 2^53 as strings, times as epoch seconds.
// Included by renderers only: nlohmann's header is heavy.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/report/table.h"

namespace espgate::control::report {

using Json = nlohmann::ordered_json;

inline constexpr std::uint64_t kExactInDouble = std::uint64_t{1} << 53;

inline Json json_number(std::uint64_t value) {
  return value > kExactInDouble ? Json(std::to_string(value)) : Json(value);
}

inline Json json_text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

template <class T>
Json json_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

inline Json json_count(const Count& count) {
  return Json{{"packets", json_number(count.packets)}, {"bytes", json_number(count.bytes)}};
}

// One line, or indented if `pretty`; octets that are no UTF-8 are replaced; ends with a newline.
inline std::string json_text(const Json& value, bool pretty) {
  return value.dump(pretty ? 2 : -1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace espgate::control::report
