// SPDX-License-Identifier: Apache-2.0
// What configuration is before anyone knows its keys: a tree of sections and values, each with the place it came from.
// A file (grammar.h) and a vici message make the same tree, so that the model (model.h) does not care.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace espgate::control {

// Where something was written. Lines and columns count from 1, columns in octets. Line 0: not from a file.
struct Origin {
  std::string file;  // as it was opened; "vici" for what came over the control socket
  std::uint32_t line = 0, column = 0;

  [[nodiscard]] std::string text() const;  // "FILE:LINE:COLUMN", or just "vici"
  auto operator<=>(const Origin&) const = default;
};

// One thing the operator has to know: an error, or a warning.
struct Problem {
  Origin origin;
  std::string what;  // "what is wrong, what is expected"

  [[nodiscard]] std::string text() const;  // "FILE:LINE:COLUMN: what"
  bool operator==(const Problem&) const = default;
};

struct Report {
  std::vector<Problem> errors, warnings;

  [[nodiscard]] bool ok() const { return errors.empty(); }
  void error(const Origin& at, std::string what);
  void warning(const Origin& at, std::string what);
  void sort();  // by file in order of first mention, then line and column; duplicates go
};

// `key = value`. A key without a value (`key =`) is unset: the default applies, and nothing is inherited.
struct Value {
  std::string key;
  std::string text;                // parts joined by one space, quotes and escapes resolved
  std::vector<std::string> items;  // only if `is_list` (vici); a file's lists are comma-separated text
  bool is_list = false;
  bool set = true;
  bool verbatim = false;  // `text` stands in the file just so: offsets into it are columns
  Origin at;              // of the key
  Origin value_at;        // of the value's first character (of the key, if unset)

  struct Item {
    std::string text;
    Origin at;
  };
  // The elements of a list, blanks around them removed, empty ones left out.
  [[nodiscard]] std::vector<Item> list() const;
};

struct Reference {
  std::vector<std::string> path;  // from the root
  Origin at;
};

struct Section {
  std::string name;  // empty for the root
  Origin at;
  std::vector<Value> values;
  std::vector<std::unique_ptr<Section>> sections;
  std::vector<Reference> references;  // `name : other.section`; gone after resolve()

  [[nodiscard]] const Value* value(std::string_view key) const;  // also an unset one; nullptr if never written
  [[nodiscard]] const Section* section(std::string_view name) const;
  Section& add_section(std::string_view name, const Origin& at);  // or the one that is there
  void put(Value value);                                          // replaces one of the same key

 private:
  // Names to positions, once there are many; rebuilt when it does not fit the vector any more.
  using Index = std::unordered_map<std::string, std::size_t>;
  mutable Index value_index_, section_index_;
};

// Copies without references; whether two have the same keys, values and sections in the same order, wherever written.
std::unique_ptr<Section> clone(const Section& section);
bool same(const Section& a, const Section& b);

// A copy of `root` with every reference followed: own values first, then those of the sections referred to, from left
// to right; sub-sections likewise. Reports references to nothing, cycles, and trees that grow beyond reason. Top-level
// sections that are referred to and are not in `keep` are templates: they are left out.
std::unique_ptr<Section> resolve(const Section& root, const std::vector<std::string_view>& keep, Report& report);

}  // namespace espgate::control
