// SPDX-License-Identifier: Apache-2.0
// A bounded queue between two threads. A full queue refuses: for datagrams that is a lost datagram, as on any wire.
#pragma once

#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace espgate::gateway {

template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t limit) : limit_(limit) {}

  enum class Pushed { refused, first, more };

  // `first`: the queue was empty, so the consumer has to be woken. `beyond`: it is taken though the queue is full; only
  // for what is bounded otherwise and must not be lost.
  Pushed push(T item, bool beyond = false) {
    const std::scoped_lock lock(mutex_);
    if (!beyond && items_.size() >= limit_) return Pushed::refused;
    items_.push_back(std::move(item));
    return items_.size() == 1 ? Pushed::first : Pushed::more;
  }

  // Everything that waits, in order.
  std::vector<T> drain() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(items_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<T> items_;
  const std::size_t limit_;
};

}  // namespace espgate::gateway
