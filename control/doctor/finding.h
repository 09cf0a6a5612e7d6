// SPDX-License-Identifier: Apache-2.0
// What `espgate doctor` says: findings, each with its cause and the next step, as text and as JSON
// (docs/schema/doctor.json).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace espgate::control::doctor {

enum class Level : std::uint8_t { ok, note, warning, error };
std::string_view to_string(Level level);

struct Finding {
  Level level = Level::note;
  std::string check;      // closed code of the check: "rp-filter", "route", ...
  std::string subject;    // what it is about: a device, a connection, a file; may be empty
  std::string text;       // what is wrong, and what that does
  std::string next_step;  // what to do about it
};

// A check that could not be made, and why.
struct Unmade {
  std::string check, why;
};

struct Diagnosis {
  std::vector<std::string> checked;  // codes of the checks that were made, in order
  std::vector<Unmade> unmade;
  std::vector<Finding> findings;  // the worst first

  [[nodiscard]] Level worst() const;  // ok if there is no finding
};

std::string diagnosis_text(const Diagnosis& diagnosis, bool color);
std::string diagnosis_json(const Diagnosis& diagnosis, bool pretty);

}  // namespace espgate::control::doctor
