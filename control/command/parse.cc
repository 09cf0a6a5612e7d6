// SPDX-License-Identifier: Apache-2.0
#include "control/command/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <vector>

#include "base/ids.h"

namespace espgate::control::command {
namespace {

// Levenshtein distance; the words are short.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, changed});
    }
  }
  return row.back();
}

// `word` stands for the one name that equals it or alone begins with it; otherwise says what would have been right.
std::expected<std::size_t, UsageError> pick(std::string_view word, const std::vector<std::string_view>& names,
                                            std::string_view what) {
  std::vector<std::string_view> near;
  std::size_t found = names.size();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) continue;
    if (names[i] == word) return i;
    if (!word.empty() && names[i].starts_with(word)) {
      near.push_back(names[i]);
      found = i;
    }
  }
  if (near.size() == 1) return found;
  if (near.size() > 1) {
    return std::unexpected(
        UsageError{fmt::format("{} '{}' could be {}: write out which", what, word, fmt::join(near, " or "))});
  }
  std::vector<std::string_view> known;
  std::copy_if(names.begin(), names.end(), std::back_inserter(known), [](auto name) { return !name.empty(); });
  const auto best = std::min_element(known.begin(), known.end(),
                                     [&](auto a, auto b) { return distance(word, a) < distance(word, b); });
  std::string text = fmt::format("unknown {} '{}'", what, word);
  if (best != known.end() && distance(word, *best) <= 2) text += fmt::format(", did you mean '{}'?", *best);
  text += known.empty() ? "; it takes no arguments" : fmt::format("; one of {}", fmt::join(known, ", "));
  return std::unexpected(UsageError{std::move(text)});
}

bool number_within(std::string_view text, std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value >= 1 && value <= most;
}

// What is expected of a value, if `text` is not it.
std::optional<std::string_view> complaint(ValueKind kind, std::string_view text) {
  const auto slashes = std::count(text.begin(), text.end(), '/');
  switch (kind) {
    case ValueKind::none:
    case ValueKind::text:
      return std::nullopt;
    case ValueKind::conn:
      if (text.empty() || slashes > 1 || text.front() == '/' || text.back() == '/') return "CONN or CONN/CHILD";
      return std::nullopt;
    case ValueKind::spi:
      if (!base::Spi::parse(text)) return "1 to 8 hex digits";
      return std::nullopt;
    case ValueKind::device:
      if (text.empty() || text.size() > 15 || slashes > 0) return "a network device's name";
      return std::nullopt;
    case ValueKind::seconds:
      if (!number_within(text, 86400)) return "seconds, 1 to 86400";
      return std::nullopt;
    case ValueKind::count:
      if (!number_within(text, 1000000)) return "a number, 1 to 1000000";
      return std::nullopt;
    case ValueKind::path:
      if (text.empty()) return "a path";
      return std::nullopt;
  }
  return std::nullopt;
}

std::string key_of(const Argument& argument) {
  return std::string(argument.keyword.empty() ? argument.value : argument.keyword);
}

class Words {
 public:
  explicit Words(std::span<const std::string> words) : left_(words) {}
  [[nodiscard]] bool done() const { return left_.empty(); }
  [[nodiscard]] std::string_view peek() const { return left_.front(); }
  std::string_view take() {
    const std::string_view word = left_.front();
    left_ = left_.subspan(1);
    return word;
  }
  bool take_if(std::string_view word) {
    if (done() || peek() != word) return false;
    take();
    return true;
  }

 private:
  std::span<const std::string> left_;
};

// The argument that `word` names: the first positional one not yet given, or a keyword.
std::expected<const Argument*, UsageError> argument_for(const Command& command, const Invocation& so_far,
                                                        std::string_view word) {
  std::vector<std::string_view> names;
  for (const auto& argument : command.arguments) {
    if (argument.keyword.empty() && !so_far.has(key_of(argument)) && !word.starts_with("--")) return &argument;
    names.push_back(argument.keyword);
  }
  const auto index = pick(word, names, "argument");
  if (!index) {
    return std::unexpected(UsageError{fmt::format("{} ({})", index.error().text, usage_line(command))});
  }
  return &command.arguments[*index];
}

std::expected<void, UsageError> take_argument(Words& words, Invocation& into) {
  std::string word(words.take());
  std::optional<std::string> joined;  // the V of --timeout=V
  if (const auto equals = word.find('='); word.starts_with("--") && equals != std::string::npos) {
    joined = word.substr(equals + 1);
    word.resize(equals);
  }
  const auto argument = argument_for(*into.command, into, word);
  if (!argument) return std::unexpected(argument.error());
  const std::string key = key_of(**argument);
  if (into.has(key)) return std::unexpected(UsageError{fmt::format("'{}' is given twice", key)});
  std::string value = (*argument)->keyword.empty() ? word : "";
  if (!(*argument)->keyword.empty() && (*argument)->kind != ValueKind::none) {
    if (!joined && words.done()) {
      return std::unexpected(UsageError{fmt::format("'{}' needs {}", key, (*argument)->value)});
    }
    value = joined ? *joined : std::string(words.take());
  }
  if (const auto expected = complaint((*argument)->kind, value)) {
    return std::unexpected(UsageError{
        fmt::format("'{}': {} '{}' is wrong, expected {}", into.command->name, (*argument)->value, value, *expected)});
  }
  into.values.emplace(key, std::move(value));
  return {};
}

std::expected<void, UsageError> take_object(Words& words, Invocation& into) {
  std::vector<std::string_view> names;
  for (const auto& object : objects()) names.push_back(object.name);
  const auto index = pick(words.take(), names, "object");
  if (!index) return std::unexpected(index.error());
  into.object = &objects()[*index];
  return {};
}

std::expected<void, UsageError> take_command(Words& words, Invocation& into) {
  std::vector<std::string_view> names;
  std::vector<const Command*> rows;
  for (const auto& command : commands()) {
    if (command.object != into.object->name) continue;
    names.push_back(command.name);
    rows.push_back(&command);
  }
  // Of an object with one command its arguments may follow at once: `espgate top interval 1`.
  const auto& arguments = rows.front()->arguments;
  const bool at_once = rows.size() == 1 && !words.done() && std::ranges::any_of(arguments, [&](const auto& argument) {
                         return !argument.keyword.empty() && argument.keyword == words.peek();
                       });
  if (words.done() || at_once) {
    into.command = rows.front();
    return {};
  }
  const auto index = pick(words.take(), names, fmt::format("command of '{}'", into.object->name));
  if (!index) return std::unexpected(index.error());
  into.command = rows[*index];
  return {};
}

}  // namespace

std::optional<std::string> Invocation::get(std::string_view key) const {
  const auto found = values.find(key);
  return found == values.end() ? std::nullopt : std::optional(found->second);
}

std::uint32_t Invocation::number(std::string_view key, std::uint32_t fallback) const {
  const auto found = values.find(key);
  if (found == values.end()) return fallback;
  std::uint32_t value = fallback;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  return value;
}

std::expected<Invocation, UsageError> parse(std::span<const std::string> given) {
  Words words(given);
  Invocation result;
  if (words.done() || words.take_if("help")) {
    result.help = true;
    if (words.done()) return result;
  }
  if (auto object = take_object(words, result); !object) return std::unexpected(object.error());
  if (words.take_if("help") || (result.help && words.done())) {
    result.help = true;
    return result;
  }
  if (auto command = take_command(words, result); !command) return std::unexpected(command.error());
  if (result.help || words.take_if("help")) {
    result.help = true;
    return result;
  }
  while (!words.done()) {
    if (auto argument = take_argument(words, result); !argument) return std::unexpected(argument.error());
  }
  for (const auto& argument : result.command->arguments) {
    if (argument.required && !result.has(key_of(argument))) {
      return std::unexpected(UsageError{
          fmt::format("{} is missing: {} ({})", argument.value, argument.help, usage_line(*result.command))});
    }
  }
  return result;
}

}  // namespace espgate::control::command
