// SPDX-License-Identifier: Apache-2.0
#include "control/vici/tree_of.h"

#include "control/config/store.h"

namespace espgate::control::vici {

std::unique_ptr<Section> tree_of(std::string_view name, const Message& section) {
  auto out = std::make_unique<Section>();
  out->name = name;
  out->at = from_vici;
  for (const auto& entry : section.entries()) {
    if (entry.kind == Message::Kind::section) {
      out->sections.push_back(tree_of(entry.name, entry.section()));
      continue;
    }
    Value value;
    value.key = entry.name;
    value.text = entry.text;
    value.items = entry.items;
    value.is_list = entry.kind == Message::Kind::list;
    value.at = value.value_at = from_vici;
    out->put(std::move(value));
  }
  return out;
}

}  // namespace espgate::control::vici
