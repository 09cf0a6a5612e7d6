// SPDX-License-Identifier: Apache-2.0
#include "gateway/healing.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "gateway/log.h"

namespace espgate::gateway {

namespace {

using std::chrono::milliseconds;

// After a link came up: addresses and routes return one after the other, and nothing tells when all are there. The last
// one is repeated while a child has no way to its peer.
constexpr std::array kLooks{milliseconds(0),   milliseconds(100),  milliseconds(200),  milliseconds(400),
                            milliseconds(800), milliseconds(1500), milliseconds(3000), milliseconds(5000)};

constexpr auto kSettle = std::chrono::seconds(2);

}  // namespace

Healing::~Healing() {
  if (ready_) (void)ready_->release();  // its owner is the link socket
}

void Healing::watch(xfrm::LinkSocket links) {
  links_.emplace(std::move(links));
  ready_.emplace(io_, links_->fd());
  wait();
}

void Healing::stop() {
  timer_.cancel();
  settle_timer_.cancel();
  if (ready_) ready_->cancel();
}

void Healing::wait() {
  ready_->async_wait(asio::posix::stream_descriptor::wait_read, [this](std::error_code error) {
    if (error) return;
    if (auto news = links_->receive()) {
      take(*news);
    } else {
      log_error_limited("links", news.error().text());
    }
    wait();
  });
}

void Healing::take(const xfrm::LinkSocket::News& news) {
  if (news.overrun) {
    log_warn_limited("links", "link events were lost: what there is is looked at");
    check("link events were lost");
    settle();
  }
  bool came_up = false;
  for (const auto& change : news.changes) came_up |= take(change);
  listed_ |= news.listed;
  if (came_up) look_again(0);
}

bool Healing::take(const xfrm::LinkChange& change) {
  const auto found = known_.find(change.ifindex);
  const auto before = found == known_.end() ? Link{change.name, !listed_ && change.up} : found->second;
  if (change.gone) {
    known_.erase(change.ifindex);
  } else {
    known_.insert_or_assign(change.ifindex, Link{change.name, change.up});
  }
  settle();  // what else may have changed, a feature say, is not told here
  const bool concerns = hands_.concerns(before.name) || hands_.concerns(change.name);
  if (before.name != change.name) {
    if (concerns) log_warn(before.name + " is called " + change.name + " now");
    hands_.renamed(change.ifindex, change.name);
  }
  if (!concerns || (before.up == change.up && !change.gone)) return false;
  if (change.up) {
    log_info(change.name + " is up");
    return true;
  }
  log_warn(change.name + (change.gone ? " is gone" : " is down"));
  check(change.name + (change.gone ? " was removed" : " went down"));
  return false;
}

// Which devices matter is asked once for many changes: a host full of containers has some every second.
void Healing::settle() {
  if (settling_) return;
  settling_ = true;
  settle_timer_.expires_after(kSettle);
  settle_timer_.async_wait([this](std::error_code error) {
    settling_ = false;
    if (error) return;
    hands_.links_changed();
    if (waiting_) look_again(0);  // a device that was made anew may be the way
  });
}

void Healing::check(const std::string& why) {
  for (const auto& lost : hands_.lost()) found(lost, why);
}

void Healing::found(const LostChild& lost, const std::string& why) {
  if (lost.reachable) return hands_.heal(lost, why);
  log_warn(lost.where.conn + "/" + lost.where.child + ": its SAs are gone from the kernel (" + why +
           "), and there is no route to " + lost.where.remote.text() + ": waiting for one");
  why_ = why;
  waiting_ = true;
}

void Healing::look_again(std::size_t step) {
  timer_.expires_after(kLooks.at(step));
  timer_.async_wait([this, step](std::error_code error) {
    if (error) return;
    hands_.path_up();
    bool unreachable = false;
    for (const auto& lost : hands_.lost()) {
      if (lost.reachable) {
        hands_.heal(lost, why_.empty() ? "the link was down" : why_);
      } else {
        unreachable = true;
      }
    }
    waiting_ = unreachable;
    const bool last = step + 1 == kLooks.size();
    if (!last || unreachable) look_again(last ? step : step + 1);
  });
}

}  // namespace espgate::gateway
