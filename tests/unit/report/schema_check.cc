// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/report/schema_check.h"

#include <fmt/format.h>

#include <fstream>
#include <regex>
#include <set>

namespace espgate::test {
namespace {

using nlohmann::json;

const std::set<std::string> kKnown{"$schema", "$id",         "$defs",      "$ref",     "$comment",
                                   "title",   "description", "type",       "enum",     "const",
                                   "pattern", "minimum",     "properties", "required", "additionalProperties",
                                   "items",   "anyOf"};

bool is_type(const json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  return type == "null" && value.is_null();
}

class Check {
 public:
  explicit Check(const json& document) : document_(document) {}
  std::vector<std::string> breaches;

  void value(const json& schema, const json& value, const std::string& at) {
    for (const auto& [keyword, unused] : schema.items()) {
      if (!kKnown.contains(keyword)) say(at, fmt::format("the schema uses '{}', which is not checked", keyword));
    }
    if (schema.contains("$ref")) this->value(resolve(schema["$ref"]), value, at);
    scalar(schema, value, at);
    if (value.is_object()) object(schema, value, at);
    if (value.is_array() && schema.contains("items")) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        this->value(schema["items"], value[i], fmt::format("{}/{}", at, i));
      }
    }
    if (schema.contains("anyOf")) any_of(schema["anyOf"], value, at);
  }

 private:
  void say(const std::string& at, const std::string& text) { breaches.push_back(fmt::format("at {}: {}", at, text)); }

  const json& resolve(const std::string& reference) {
    return document_.at(json::json_pointer(reference.substr(1)));  // "#/$defs/x"
  }

  void scalar(const json& schema, const json& value, const std::string& at) {
    if (schema.contains("type")) {
      const json types = schema["type"].is_array() ? schema["type"] : json::array({schema["type"]});
      bool fits = false;
      for (const auto& type : types) fits = fits || is_type(value, type);
      if (!fits) say(at, fmt::format("{} is not of type {}", value.dump(), types.dump()));
    }
    if (schema.contains("const") && value != schema["const"])
      say(at, fmt::format("{} is not the constant", value.dump()));
    if (schema.contains("enum")) {
      bool among = false;
      for (const auto& each : schema["enum"]) among = among || each == value;
      if (!among) say(at, fmt::format("{} is not one of {}", value.dump(), schema["enum"].dump()));
    }
    if (schema.contains("pattern") && value.is_string() &&
        !std::regex_search(value.get<std::string>(), std::regex(schema["pattern"].get<std::string>()))) {
      say(at, fmt::format("{} does not match {}", value.dump(), schema["pattern"].dump()));
    }
    if (schema.contains("minimum") && value.is_number() && value < schema["minimum"]) {
      say(at, fmt::format("{} is less than {}", value.dump(), schema["minimum"].dump()));
    }
  }

  void object(const json& schema, const json& value, const std::string& at) {
    for (const auto& name : schema.value("required", json::array())) {
      if (!value.contains(name)) say(at, fmt::format("'{}' is missing", name.get<std::string>()));
    }
    const json properties = schema.value("properties", json::object());
    for (const auto& [name, member] : value.items()) {
      if (properties.contains(name)) {
        this->value(properties[name], member, fmt::format("{}/{}", at, name));
      } else if (schema.contains("additionalProperties") && schema["additionalProperties"] == false) {
        say(at, fmt::format("'{}' is in no schema", name));
      }
    }
  }

  void any_of(const json& choices, const json& value, const std::string& at) {
    std::string reasons;
    for (const auto& choice : choices) {
      Check one(document_);
      one.value(choice, value, at);
      if (one.breaches.empty()) return;
      reasons += "; " + one.breaches.front();
    }
    say(at, "fits none of anyOf" + reasons);
  }

  const json& document_;
};

}  // namespace

std::vector<std::string> schema_breaches(const json& schema, const json& value) {
  Check check(schema);
  check.value(schema, value, "");
  return check.breaches;
}

json load_schema(const std::string& name) {
  std::ifstream file("docs/schema/" + name + ".json");
  return json::parse(file);
}

}  // namespace espgate::test
