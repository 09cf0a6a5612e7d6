// SPDX-License-Identifier: Apache-2.0
#include "gateway/reroute.h"

#include <chrono>

namespace espgate::gateway {

namespace {
// A routing daemon takes a route away and sets another: looked at when both are done.
constexpr auto kSettle = std::chrono::seconds(1);
}  // namespace

Reroute::~Reroute() {
  if (ready_) (void)ready_->release();  // its owner is the event socket
}

void Reroute::watch(xfrm::RouteEvents events) {
  events_.emplace(std::move(events));
  ready_.emplace(io_, events_->fd());
  wait();
}

void Reroute::stop() {
  timer_.cancel();
  if (ready_) ready_->cancel();
}

void Reroute::wait() {
  ready_->async_wait(asio::posix::stream_descriptor::wait_read, [this](std::error_code error) {
    if (error) return;
    if (events_->changed()) settle();
    wait();
  });
}

void Reroute::settle() {
  if (settling_) return;
  settling_ = true;
  timer_.expires_after(kSettle);
  timer_.async_wait([this](std::error_code error) {
    settling_ = false;
    if (!error) look_();
  });
}

}  // namespace espgate::gateway
