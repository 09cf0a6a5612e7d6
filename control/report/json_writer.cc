// SPDX-License-Identifier: Apache-2.0
#include "control/report/json_writer.h"

#include "control/report/json.h"

namespace espgate::control::report {

void JsonWriter::line() {
  if (!pretty_) return;
  out_ += '\n';
  out_.append(2 * depth_, ' ');
}

void JsonWriter::begin() {
  if (named_) {
    named_ = false;
    return;
  }
  if (!empty_) out_ += ',';
  if (depth_ > 0) line();
  empty_ = false;
}

void JsonWriter::text(std::string_view value) {
  bool special = false;  // no early end, so that many octets are looked at in one step
  for (const char c : value) special = special | (c < 0x20) | (c == 0x7f) | (c == '"') | (c == '\\');
  if (special) return raw(Json(value).dump(-1, ' ', false, Json::error_handler_t::replace));
  begin();
  out_ += '"';
  out_ += value;
  out_ += '"';
}

void JsonWriter::number(std::uint64_t value) {
  if (value <= kExactInDouble) return digits(value);
  text(std::to_string(value));
}

}  // namespace espgate::control::report
