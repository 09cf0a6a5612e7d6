// SPDX-License-Identifier: Apache-2.0
#include "control/config/tree.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace espgate::control {

std::string Origin::text() const {
  if (line == 0) return file;
  return file + ':' + std::to_string(line) + ':' + std::to_string(column);
}

std::string Problem::text() const { return origin.text() + ": " + what; }

void Report::error(const Origin& at, std::string what) { errors.push_back({at, std::move(what)}); }
void Report::warning(const Origin& at, std::string what) { warnings.push_back({at, std::move(what)}); }

void Report::sort() {
  std::map<std::string, std::size_t> file_order;
  for (const auto* list : {&errors, &warnings}) {
    for (const auto& problem : *list) file_order.try_emplace(problem.origin.file, file_order.size());
  }
  for (auto* list : {&errors, &warnings}) {
    // Place, then the order they were found in; std::stable_sort would do, but for clang's complaints of libstdc++.
    std::vector<std::tuple<std::size_t, std::uint32_t, std::uint32_t, std::size_t>> order;
    for (const auto& [origin, what] : *list) {
      order.emplace_back(file_order.at(origin.file), origin.line, origin.column, order.size());
    }
    std::ranges::sort(order);
    std::vector<Problem> unique;
    for (const auto& [file, line, column, index] : order) {
      auto& problem = (*list)[index];
      // Equal problems need not be neighbours: one place may have several things wrong with it, each found twice.
      const auto elsewhere = [&](const Problem& other) { return other.origin != problem.origin; };
      const auto here = std::find_if(unique.rbegin(), unique.rend(), elsewhere);
      if (std::find(unique.rbegin(), here, problem) == here) unique.push_back(std::move(problem));
    }
    *list = std::move(unique);
  }
}

namespace {
constexpr std::string_view blanks = " \t\r\n";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}
}  // namespace

std::vector<Value::Item> Value::list() const {
  std::vector<Item> out;
  if (is_list) {
    for (const auto& item : items) {
      if (const auto part = trim(item); !part.empty()) out.push_back({std::string(part), value_at});
    }
    return out;
  }
  const std::string_view all = text;
  for (std::size_t from = 0; from <= all.size();) {
    const auto end = std::min(all.find(',', from), all.size());
    if (const auto part = trim(all.substr(from, end - from)); !part.empty()) {
      Origin where = value_at;
      if (verbatim) where.column += static_cast<std::uint32_t>(part.data() - all.data());
      out.push_back({std::string(part), where});
    }
    from = end + 1;
  }
  return out;
}

namespace {
constexpr std::size_t worth_an_index = 16;

// The position of `wanted` in `all`, or all.size().
template <class All, class Index, class NameOf>
std::size_t position(const All& all, Index& index, std::string_view wanted, NameOf name_of) {
  if (all.size() <= worth_an_index) {
    const auto found = std::ranges::find(all, wanted, name_of);
    return static_cast<std::size_t>(found - all.begin());
  }
  if (index.size() != all.size()) {
    index.clear();
    for (std::size_t i = 0; i < all.size(); ++i) index.emplace(name_of(all[i]), i);
  }
  const auto found = index.find(std::string(wanted));
  return found == index.end() ? all.size() : found->second;
}

const std::string& key_of(const Value& value) { return value.key; }
const std::string& name_of(const std::unique_ptr<Section>& section) { return section->name; }
}  // namespace

const Value* Section::value(std::string_view key) const {
  const auto at_index = position(values, value_index_, key, key_of);
  return at_index == values.size() ? nullptr : &values[at_index];
}

const Section* Section::section(std::string_view wanted) const {
  const auto at_index = position(sections, section_index_, wanted, name_of);
  return at_index == sections.size() ? nullptr : sections[at_index].get();
}

Section& Section::add_section(std::string_view wanted, const Origin& place) {
  const auto at_index = position(sections, section_index_, wanted, name_of);
  if (at_index < sections.size()) return *sections[at_index];
  auto& made = sections.emplace_back(std::make_unique<Section>());
  made->name = wanted;
  made->at = place;
  if (sections.size() > worth_an_index + 1) section_index_.emplace(made->name, sections.size() - 1);
  return *made;
}

void Section::put(Value value) {
  const auto at_index = position(values, value_index_, value.key, key_of);
  if (at_index < values.size()) {
    values[at_index] = std::move(value);
    return;
  }
  values.push_back(std::move(value));
  if (values.size() > worth_an_index + 1) value_index_.emplace(values.back().key, values.size() - 1);
}

std::unique_ptr<Section> clone(const Section& section) {
  auto out = std::make_unique<Section>();
  out->name = section.name;
  out->at = section.at;
  out->values = section.values;
  for (const auto& sub : section.sections) out->sections.push_back(clone(*sub));
  return out;
}

bool same(const Section& a, const Section& b) {
  const auto same_value = [](const Value& x, const Value& y) {
    return x.key == y.key && x.text == y.text && x.items == y.items && x.is_list == y.is_list && x.set == y.set;
  };
  return a.name == b.name && std::ranges::equal(a.values, b.values, same_value) &&
         std::ranges::equal(a.sections, b.sections, [](const auto& x, const auto& y) { return same(*x, *y); });
}

}  // namespace espgate::control
