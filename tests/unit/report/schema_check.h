// SPDX-License-Identifier: Apache-2.0
// Validates JSON against the part of JSON Schema (2020-12) that docs/schema/ uses: type, enum, const, pattern, minimum,
// properties, required, additionalProperties: false, items, anyOf, $ref to #/$defs. Any other keyword is an error, so
// that a schema cannot promise what nobody checks.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace espgate::test {

// Each breach as "at /0/in/spi: ..."; empty if `value` fits. `schema` is a whole schema document.
std::vector<std::string> schema_breaches(const nlohmann::json& schema, const nlohmann::json& value);

// Reads docs/schema/<name>.json; the working directory is the source tree.
nlohmann::json load_schema(const std::string& name);

}  // namespace espgate::test
