// SPDX-License-Identifier: Apache-2.0
// When a request that was not answered goes out again (RFC 7296 2.1, 2.4): exponential, as the config says.
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "ike/config.h"

namespace espgate::ike {

class Retransmit {
 public:
  // The request went out at `now` for the first time.
  void start(const Retransmission& schedule, base::Instant now);

  // As it was in a process before this one.
  void go_on(const Retransmission& schedule, std::uint32_t sent, base::Instant due) {
    schedule_ = schedule;
    sent_ = sent;
    due_ = due;
  }

  [[nodiscard]] base::Instant due() const { return due_; }
  [[nodiscard]] std::uint32_t sent() const { return sent_; }  // retransmissions, without the first transmission

  // Called when due: true if the request is to be sent once more (and the next time is set), false to give up.
  bool again(base::Instant now);

  // The time between transmission n (0: the first) and what follows it: timeout * base^n, at most `limit`.
  static base::Duration wait(const Retransmission& schedule, std::uint32_t n);

 private:
  Retransmission schedule_;
  std::uint32_t sent_ = 0;
  base::Instant due_;
};

}  // namespace espgate::ike
