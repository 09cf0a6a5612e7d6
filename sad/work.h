// SPDX-License-Identifier: Apache-2.0
// The outputs of the call under way, and what each awaited result is for; inside sad/ only.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "base/name.h"
#include "sad/sad.h"

namespace espgate::sad {

// A configured child, as the ledger and the log name it.
struct Named {
  base::ChildUid uid;
  base::Name conn, child;
};

// What a child's request was about.
enum class Role : std::uint8_t {
  add_in,
  get_in,
  del_in,
  add_out,
  get_out,
  del_out,
  add_trial,
  get_trial,
  del_trial,
  add_anchor,
  del_anchor,
  last_in,  // what the driver counted until then, before del_in
  last_out
};

struct ForChild {
  base::ChildId child;
  Role role{};
};
struct ForPolicyPut {
  xfrm::PolicyId policy;
  std::optional<base::ChildId> child;  // whose installation waits for it
  Named named;
};
struct ForPolicyDel {
  xfrm::PolicyId policy;
};
// An SA of a former self.
struct ForLeftover {
  std::optional<std::uint32_t> slot;
};
using Purpose = std::variant<ForChild, ForPolicyPut, ForPolicyDel, ForLeftover>;

class Work {
 public:
  void ask(xfrm::Request request, Purpose purpose) {
    const OpId id{next_++};
    awaited_.emplace(id, std::move(purpose));
    out_.emplace_back(Op{id, std::move(request)});
  }
  void emit(Output output) { out_.push_back(std::move(output)); }
  // nullopt: not awaited (any more).
  std::optional<Purpose> arrived(OpId id) {
    auto node = awaited_.extract(id);
    if (node.empty()) return std::nullopt;
    return std::move(node.mapped());
  }
  [[nodiscard]] bool idle() const { return awaited_.empty(); }
  Outputs take() { return std::exchange(out_, {}); }

 private:
  Outputs out_;
  std::map<OpId, Purpose> awaited_;
  std::uint64_t next_ = 1;
};

}  // namespace espgate::sad
