// SPDX-License-Identifier: Apache-2.0
#include "control/vici/message.h"

#include <utility>

#include "base/secret.h"

namespace espgate::control::vici {

Message& Message::set(std::string_view key, std::string_view value) {
  entries_.push_back({Kind::value, std::string(key), std::string(value), {}, {}});
  return *this;
}

Message& Message::take(std::string key, std::string&& value) {
  entries_.push_back({Kind::value, std::move(key), std::move(value), {}, {}});
  return *this;
}

void Message::wipe() {
  for (auto& entry : entries_) {
    base::wipe(entry.text.data(), entry.text.size());
    for (auto& item : entry.items) base::wipe(item.data(), item.size());
    for (auto& section : entry.body) section.wipe();
  }
}

Message& Message::number(std::string_view key, std::uint64_t value) { return set(key, std::to_string(value)); }

Message& Message::list(std::string_view key, std::vector<std::string> items) {
  entries_.push_back({Kind::list, std::string(key), {}, std::move(items), {}});
  return *this;
}

Message& Message::section(std::string_view name, Message body) {
  open(name) = std::move(body);
  return *this;
}

Message& Message::open(std::string_view name) {
  entries_.push_back({Kind::section, std::string(name), {}, {}, {}});
  return entries_.back().body.emplace_back();
}

const Message::Entry* Message::lookup(std::string_view path, Kind kind) const {
  const Message* at = this;
  for (auto dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
    at = at->find(path.substr(0, dot));
    if (!at) return nullptr;
    path.remove_prefix(dot + 1);
  }
  for (const auto& entry : at->entries_) {
    if (entry.kind == kind && entry.name == path) return &entry;
  }
  return nullptr;
}

std::optional<std::string_view> Message::get(std::string_view path) const {
  const auto* entry = lookup(path, Kind::value);
  return entry ? std::optional<std::string_view>(entry->text) : std::nullopt;
}

const std::vector<std::string>* Message::items(std::string_view path) const {
  const auto* entry = lookup(path, Kind::list);
  return entry ? &entry->items : nullptr;
}

const Message* Message::find(std::string_view section) const {
  for (const auto& entry : entries_) {
    if (entry.kind == Kind::section && entry.name == section) return &entry.section();
  }
  return nullptr;
}

}  // namespace espgate::control::vici
