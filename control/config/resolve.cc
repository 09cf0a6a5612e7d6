// SPDX-License-Identifier: Apache-2.0
// Inheritance. A resolved section is made of layers: the section itself, then what it refers to, each with its own
// references behind it. The first layer that has a key wins; sub-sections of one name are layers of each other.
#include <algorithm>
#include <set>
#include <unordered_map>

#include "control/config/tree.h"

namespace espgate::control {
namespace {

constexpr std::size_t most_nodes = 500'000;  // values and sections of the resolved tree
constexpr std::size_t most_depth = 64;
constexpr std::size_t most_layers = 1000;

using Layers = std::vector<const Section*>;

std::string dotted(const std::vector<std::string>& path) {
  std::string out;
  for (const auto& name : path) out += (out.empty() ? "" : ".") + name;
  return out;
}

class Resolver {
 public:
  Resolver(const Section& root, Report& report) : root_(root), report_(report) {}

  std::unique_ptr<Section> flatten(const Layers& roots, std::size_t depth) {
    auto out = std::make_unique<Section>();
    out->name = roots.front()->name;
    out->at = roots.front()->at;
    if (depth > most_depth) {
      too_much(out->at, "its references nest without an end: does a section refer to one that holds it?");
      return out;
    }
    Layers layers;
    for (const auto* section : roots) expand(*section, layers);
    take_values(layers, *out);
    take_sections(layers, *out, depth);
    return out;
  }

  Section& resolve_top(const std::set<std::string_view>& templates, Section& out) {
    take_values({&root_}, out);
    for (const auto& sub : root_.sections) {
      if (templates.contains(sub->name)) continue;
      out.sections.push_back(flatten({sub.get()}, 1));
    }
    return out;
  }

 private:
  void too_much(const Origin& at, std::string_view what) {
    if (!stopped_) report_.error(at, std::string(what));
    stopped_ = true;
  }

  // Appends `section` and, depth first, everything it refers to.
  void expand(const Section& section, Layers& layers) {
    if (stopped_) return;
    if (layers.size() >= most_layers) return too_much(section.at, "refers to too many sections");
    layers.push_back(&section);
    active_.push_back(&section);
    for (const auto& reference : section.references) {
      for (const auto* target : find(reference)) {
        if (std::ranges::find(active_, target) != active_.end()) {
          report_.error(reference.at,
                        "'" + dotted(reference.path) + "' refers back to this section, expected no cycle");
        } else {
          expand(*target, layers);
        }
      }
    }
    active_.pop_back();
  }

  // What a reference stands for: the section written under that path, or those inherited under it.
  Layers find(const Reference& reference) {
    Layers at{&root_};
    for (const auto& name : reference.path) {
      Layers next = children_of(at, name);
      if (next.empty()) next = inherited_children_of(at, name);
      if (next.empty()) {
        report_.error(reference.at, "there is no section '" + dotted(reference.path) +
                                        "' to refer to, expected the full path of one, from the top");
        return {};
      }
      at = std::move(next);
    }
    return at;
  }

  static Layers children_of(const Layers& layers, std::string_view name) {
    Layers out;
    for (const auto* layer : layers) {
      if (const auto* sub = layer->section(name)) out.push_back(sub);
    }
    return out;
  }

  Layers inherited_children_of(const Layers& layers, std::string_view name) {
    Layers all;
    for (const auto* layer : layers) {
      if (std::ranges::find(active_, layer) == active_.end()) expand(*layer, all);
    }
    return children_of(all, name);
  }

  bool room_for_one(const Origin& at) {
    if (++nodes_ > most_nodes) too_much(at, "with its references followed the configuration grows too large");
    return !stopped_;
  }

  void take_values(const Layers& layers, Section& out) {
    std::set<std::string_view> seen;
    for (const auto* layer : layers) {
      for (const auto& value : layer->values) {
        if (!seen.insert(value.key).second) continue;
        if (!room_for_one(value.at)) return;
        out.values.push_back(value);
      }
    }
  }

  void take_sections(const Layers& layers, Section& out, std::size_t depth) {
    std::unordered_map<std::string_view, std::size_t> index;
    std::vector<Layers> groups;
    for (const auto* layer : layers) {
      for (const auto& sub : layer->sections) {
        const auto [found, added] = index.try_emplace(sub->name, groups.size());
        if (added) groups.emplace_back();
        groups[found->second].push_back(sub.get());
      }
    }
    for (const auto& group : groups) {
      if (!room_for_one(group.front()->at)) return;
      out.sections.push_back(flatten(group, depth + 1));
    }
  }

  const Section& root_;
  Report& report_;
  Layers active_;
  std::size_t nodes_ = 0;
  bool stopped_ = false;
};

void collect_first_names(const Section& section, std::set<std::string_view>& names) {
  for (const auto& reference : section.references) {
    if (!reference.path.empty()) names.insert(reference.path.front());
  }
  for (const auto& sub : section.sections) collect_first_names(*sub, names);
}

}  // namespace

std::unique_ptr<Section> resolve(const Section& root, const std::vector<std::string_view>& keep, Report& report) {
  std::set<std::string_view> templates;
  collect_first_names(root, templates);
  for (const auto name : keep) templates.erase(name);
  auto out = std::make_unique<Section>();
  out->at = root.at;
  Resolver(root, report).resolve_top(templates, *out);
  return out;
}

}  // namespace espgate::control
