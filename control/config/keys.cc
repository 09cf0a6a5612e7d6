// SPDX-License-Identifier: Apache-2.0
#include "control/config/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <memory>
#include <vector>

#include "control/config/keys_tables.h"

namespace espgate::control {
namespace {

// The table as a tree, one node a name of a path; walked along with the configuration.
struct Node {
  std::string_view name;  // "mode", "local*", "<conn>"
  const Key* key = nullptr;
  std::vector<std::unique_ptr<Node>> below;

  [[nodiscard]] bool is_section() const { return key && key->type == KeyType::section; }
  // 3: that name, 2: its prefix and any suffix, 1: any name, 0: another.
  [[nodiscard]] int fit(std::string_view wanted) const {
    if (name == wanted) return 3;
    if (name.ends_with('*') && wanted.starts_with(name.substr(0, name.size() - 1))) return 2;
    return name.starts_with('<') ? 1 : 0;
  }
  [[nodiscard]] const Node* child(std::string_view wanted, bool section) const {
    const Node* best = nullptr;
    int best_fit = 0;
    for (const auto& node : below) {
      if (node->is_section() != section) continue;
      // Of two prefixes ("cert*", "cacert*", "certs*") the longer one is meant.
      const int fits = node->fit(wanted);
      if (fits > best_fit || (fits == 2 && best_fit == 2 && node->name.size() > best->name.size())) {
        best = node.get();
        best_fit = fits;
      }
    }
    return best;
  }
};

void add(Node& root, const Key& key) {
  Node* at = &root;
  for (std::string_view path = key.path; !path.empty();) {
    const auto name = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    const auto found = std::ranges::find_if(at->below, [&](const auto& node) { return node->name == name; });
    if (found == at->below.end()) {
      at->below.push_back(std::make_unique<Node>(Node{name, nullptr, {}}));
      at = at->below.back().get();
    } else {
      at = found->get();
    }
  }
  at->key = &key;
}

const Node& key_tree() {
  static const auto root = [] {
    auto made = std::make_unique<Node>();
    for (const auto& key : all_keys()) add(*made, key);
    return made;
  }();
  return *root;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

bool is_word_of(std::string_view word, std::string_view words) {
  while (!words.empty()) {
    const auto end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == word) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

std::string listed(std::string_view words) {
  std::string out;
  for (const char c : words) out += c == ' ' ? std::string(", ") : std::string(1, c);
  return out;
}

std::string names_below(const Node& node, bool sections) {
  std::string out;
  for (const auto& below : node.below) {
    if (below->is_section() == sections) out += fmt::format("{}{}", out.empty() ? "" : ", ", below->name);
  }
  return out;
}

class Checker {
 public:
  explicit Checker(Report& report) : report_(report) {}

  void check(const Section& section, const Node& node) {
    for (const auto& value : section.values) check(value, section, node);
    for (const auto& sub : section.sections) {
      if (const auto* known = node.child(sub->name, true)) {
        const bool told = say_status(*known->key, "section", sub->name, sub->at);
        muted_ += told ? 1 : 0;
        check(*sub, *known);
        muted_ -= told ? 1 : 0;
      } else {
        unknown(sub->name, sub->at, section, node, true);
      }
    }
  }

 private:
  void check(const Value& value, const Section& section, const Node& node) {
    const auto* known = node.child(value.key, false);
    if (!known) return unknown(value.key, value.at, section, node, false);
    if (!value.set) return;
    const auto& key = *known->key;
    if (!key.harmless.empty() && is_word_of(value.text, key.harmless)) return;
    if (value.text.empty() && !value.is_list && key.default_value.empty()) return;
    if (const auto expected = wrong_form(key, value); !expected.empty()) {
      return report_.error(value.value_at, fmt::format("{} = {} is not possible, expected {}", value.key,
                                                       printable(key, value), expected));
    }
    say_status(key, "", value.key, value.at);
  }

  static std::string printable(const Key& key, const Value& value) {
    if (key.type == KeyType::secret) return "...";
    return value.text.size() > 60 ? value.text.substr(0, 60) + "..." : value.text;
  }

  // What would have been right; empty if the value is.
  static std::string wrong_form(const Key& key, const Value& value) {
    switch (key.type) {
      case KeyType::boolean:
        return read_boolean(value.text) ? "" : "yes or no";
      case KeyType::integer:
        return read_integer(value.text) ? "" : "a whole number";
      case KeyType::number:
        return read_number(value.text) ? "" : "a number such as 4.0";
      case KeyType::duration:
        return read_duration(value.text) ? "" : "a time such as 30s, 5m, 4h or 1d";
      case KeyType::size:
        return read_size(value.text) ? "" : "a size in octets such as 500000, 100k or 2G";
      case KeyType::choice:
        if (is_word_of(value.text, key.choices)) return "";
        // yes and no are written in several ways.
        if (const auto flag = read_boolean(value.text); flag && is_word_of(*flag ? "yes" : "no", key.choices))
          return "";
        return "one of " + listed(key.choices);
      default:
        return "";
    }
  }

  // True if something was said, or would have been.
  bool say_status(const Key& key, std::string_view kind, std::string_view name, const Origin& at) {
    if (key.status == KeyStatus::honoured) return false;
    if (muted_ > 0) return true;
    const auto shown = kind.empty() ? std::string(name) : fmt::format("{} {}", kind, name);
    if (key.status == KeyStatus::ignored) {
      report_.warning(at, fmt::format("{} is accepted, but not honoured: {}", shown, key.why));
    } else {
      report_.error(at, fmt::format("{} is refused: {}", shown, key.why));
    }
    return true;
  }

  void unknown(std::string_view name, const Origin& at, const Section& section, const Node& node, bool is_section) {
    const auto where = section.name.empty() ? std::string("here") : fmt::format("in {}", section.name);
    // The right name of the wrong kind; a name that only begins like one may be a slip of another.
    const auto* other = node.child(name, !is_section);
    const int other_fit = other ? other->fit(name) : 0;
    const auto wrong_kind = [&] {
      report_.error(at, is_section ? fmt::format("{} is a setting, expected '{} = value'", name, name)
                                   : fmt::format("{} is a section, expected '{} {{ ... }}'", name, name));
    };
    if (other_fit == 3) return wrong_kind();
    const Node* nearest = nullptr;
    std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
    for (const auto& below : node.below) {
      if (below->is_section() != is_section || below->name.starts_with('<')) continue;
      const auto plain = below->name.substr(0, below->name.find('*'));
      if (name.size() > 64) break;
      if (const auto distance = edit_distance(name, plain); distance < least) {
        least = distance;
        nearest = below.get();
      }
    }
    const auto* kind = is_section ? "section" : "key";
    if (nearest) {
      const auto plain = nearest->name.substr(0, nearest->name.find('*'));
      return report_.error(at, fmt::format("unknown {} {} {}, expected perhaps {}", kind, name, where, plain));
    }
    if (other_fit == 2) return wrong_kind();
    const auto known = names_below(node, is_section);
    report_.error(at, fmt::format("unknown {} {} {}, expected {}", kind, name, where,
                                  known.empty() ? fmt::format("no {}", kind) : "one of " + known));
  }

  Report& report_;
  int muted_ = 0;  // inside a section that was reported as a whole
};

}  // namespace

std::span<const Key> all_keys() {
  static const auto all = [] {
    std::vector<Key> out;
    for (const auto part : {connection_keys(), child_keys(), other_keys(), gateway_keys()}) {
      out.insert(out.end(), part.begin(), part.end());
    }
    return out;
  }();
  return all;
}

const Key* find_key(std::string_view path) {
  const Node* at = &key_tree();
  while (!path.empty()) {
    const auto name = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    const auto* next = path.empty() ? at->child(name, false) : nullptr;
    if (!next) next = at->child(name, true);
    if (!next) return nullptr;
    at = next;
  }
  return at->key;
}

void check_keys(const Section& root, Report& report) { Checker(report).check(root, key_tree()); }

}  // namespace espgate::control
