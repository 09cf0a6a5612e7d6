// SPDX-License-Identifier: Apache-2.0
#include "sad/pump.h"

#include <deque>

namespace espgate::sad {
namespace {

// Ops that stand next to one another, sent as one batch.
class Batch {
 public:
  void add(Op&& op) {
    ids_.push_back(op.id);
    requests_.push_back(std::move(op.request));
  }
  // Appends the results to `to`.
  void send(xfrm::Kernel& kernel, std::deque<std::pair<OpId, xfrm::Result>>& to) {
    if (ids_.empty()) return;
    auto results = kernel.execute(requests_);
    for (std::size_t i = 0; i < ids_.size(); ++i) to.emplace_back(ids_[i], std::move(results[i]));
    ids_.clear();
    requests_.clear();
  }

 private:
  std::vector<OpId> ids_;
  std::vector<xfrm::Request> requests_;
};

}  // namespace

void pump(Sad& sad, xfrm::Kernel& kernel, base::Instant now, Outputs outputs, const Sink& sink) {
  std::deque<std::pair<OpId, xfrm::Result>> results;
  const auto carry_out = [&](Outputs todo) {
    Batch batch;
    for (auto& output : todo) {
      if (auto* op = std::get_if<Op>(&output)) {
        batch.add(std::move(*op));
      } else {
        batch.send(kernel, results);  // order matters: the ledger is written before what follows it
        sink(std::move(output));
      }
    }
    batch.send(kernel, results);
  };
  carry_out(std::move(outputs));
  while (!results.empty()) {
    auto [id, result] = std::move(results.front());
    results.pop_front();
    carry_out(sad.on_result(now, id, std::move(result)));
  }
}

}  // namespace espgate::sad
