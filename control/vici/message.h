// SPDX-License-Identifier: Apache-2.0
// A vici message: an ordered tree of sections, key/values and lists.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace espgate::control::vici {

class Message {
 public:
  enum class Kind : std::uint8_t { value, list, section };
  struct Entry {
    Kind kind = Kind::value;
    std::string name;
    std::string text;                // value
    std::vector<std::string> items;  // list
    std::vector<Message> body;       // section: exactly one
    [[nodiscard]] const Message& section() const { return body.front(); }
    bool operator==(const Entry&) const = default;
  };

  // Building; all append, in order, and return this message.
  Message& set(std::string_view key, std::string_view value);
  Message& take(std::string key, std::string&& value);  // without a copy that nobody would wipe
  Message& set(std::string_view key, const char* value) { return set(key, std::string_view(value)); }
  Message& set(std::string_view key, bool value) { return set(key, value ? "yes" : "no"); }
  Message& number(std::string_view key, std::uint64_t value);
  Message& list(std::string_view key, std::vector<std::string> items);
  Message& section(std::string_view name, Message body);
  // Appends an empty section and returns it; the reference stays good while this message lives and is not moved from.
  Message& open(std::string_view name);

  // Reading; a dot separates sections, so names that hold dots must be read step by step.
  [[nodiscard]] std::optional<std::string_view> get(std::string_view path) const;
  [[nodiscard]] std::string text(std::string_view path) const { return std::string(get(path).value_or("")); }
  [[nodiscard]] const std::vector<std::string>* items(std::string_view path) const;  // nullptr if there is no such list
  [[nodiscard]] const Message* find(std::string_view section) const;                 // a direct sub-section
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] bool empty() const { return entries_.empty(); }

  // Overwrites every value, where there are keys among them.
  void wipe();

  bool operator==(const Message&) const = default;

 private:
  [[nodiscard]] const Entry* lookup(std::string_view path, Kind kind) const;
  std::vector<Entry> entries_;
};

}  // namespace espgate::control::vici
