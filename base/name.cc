// SPDX-License-Identifier: Apache-2.0
#include "base/name.h"

#include <mutex>
#include <unordered_set>

namespace espgate::base {

// A text leaves the table under its lock alone, so that nobody finds one that is about to go.
struct NameTable {
  struct ByText {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    std::size_t operator()(const Name::Text* text) const { return (*this)(std::string_view(text->text)); }
    static std::string_view of(std::string_view text) { return text; }
    static std::string_view of(const Name::Text* text) { return text->text; }
    bool operator()(const auto& a, const auto& b) const { return of(a) == of(b); }
  };

  const Name::Text* take(std::string_view text) {
    const std::scoped_lock lock(mutex);
    if (const auto found = texts.find(text); found != texts.end()) {
      (*found)->users.fetch_add(1, std::memory_order_relaxed);
      return *found;
    }
    return *texts.insert(new Name::Text(text)).first;
  }

  void give_back(const Name::Text* text) {
    const std::scoped_lock lock(mutex);
    if (text->users.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    texts.erase(text);
    delete text;
  }

  std::mutex mutex;
  std::unordered_set<const Name::Text*, ByText, ByText> texts;

  // Never destroyed: Names in static objects may outlive anything that is.
  static NameTable& the_one() {
    static auto& table = *new NameTable;
    return table;
  }
};

Name::Name(std::string_view text) : text_(text.empty() ? nullptr : NameTable::the_one().take(text)) {}

const std::string& Name::str() const {
  static const std::string none;
  return text_ == nullptr ? none : text_->text;
}

void Name::clear() {
  const auto* text = std::exchange(text_, nullptr);
  if (text == nullptr) return;
  auto users = text->users.load(std::memory_order_relaxed);
  while (users > 1) {
    if (text->users.compare_exchange_weak(users, users - 1, std::memory_order_acq_rel)) return;
  }
  NameTable::the_one().give_back(text);
}

std::size_t Name::count() {
  auto& table = NameTable::the_one();
  const std::scoped_lock lock(table.mutex);
  return table.texts.size();
}

}  // namespace espgate::base
