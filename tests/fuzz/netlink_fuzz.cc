// SPDX-License-Identifier: Apache-2.0
// Any octets as a datagram of the kernel: of XFRM (answers, dumps, events) and of rtnetlink. A policy that was read is
// written and read again: the two must be equal, since what was read at a start is deleted by what was read.
#include <algorithm>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "xfrm/attributes.h"
#include "xfrm/message.h"
#include "xfrm/rtnetlink.h"

namespace {

namespace base = espgate::base;
namespace xfrm = espgate::xfrm;

bool whole(const base::Prefix& prefix) { return prefix.length() <= 8 * base::octets(prefix.family()); }

void check(const xfrm::Selector& selector) {
  if (!whole(selector.source) || !whole(selector.destination)) std::abort();
  (void)selector.text();
}

void check_policy(const xfrm::PolicySpec& policy) {
  check(policy.id.selector);
  std::vector<std::uint64_t> room(xfrm::kMessageRoom / sizeof(std::uint64_t));
  auto* octets = reinterpret_cast<std::uint8_t*>(room.data());
  const auto used = xfrm::encode(xfrm::PutPolicy{policy}, 1, {}, {octets, xfrm::kMessageRoom});
  const auto again = used <= xfrm::kMessageRoom ? xfrm::decode_policy(*reinterpret_cast<const nlmsghdr*>(octets))
                                                : std::optional<xfrm::PolicySpec>();
  if (!again || again->id.direction != policy.id.direction || again->action != policy.action) std::abort();
}

void read(const nlmsghdr& message) {
  if (const auto sa = xfrm::decode_sa(message)) (void)(sa->id.destination.text() + sa->source.text());
  (void)xfrm::has_direction(message);
  if (const auto policy = xfrm::decode_policy(message)) check_policy(*policy);
  if (const auto event = xfrm::decode_notification(message)) {
    check(event->policy.selector);
    check(event->packet);
    (void)event->remote.text();
  }
  (void)xfrm::decode_sad_info(message);
  if (const auto ack = xfrm::decode_ack(message); ack && ack->code == INT_MIN) std::abort();
  (void)xfrm::decode_link_change(message);
  (void)xfrm::decode_link(message);
  if (const auto route = xfrm::decode_route(message); route && route->source) (void)route->source->text();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // As recv() leaves it: at the start of a buffer that suits a header.
  std::vector<std::uint64_t> buffer(size / sizeof(std::uint64_t) + 1);
  auto* octets = reinterpret_cast<std::uint8_t*>(buffer.data());
  if (size != 0) std::memcpy(octets, data, size);
  xfrm::for_each_message({octets, size}, [](const nlmsghdr& message) {
    read(message);
    return true;
  });
  return 0;
}
