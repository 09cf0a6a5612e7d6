// SPDX-License-Identifier: Apache-2.0
#include "sad/unsent.h"

#include <fmt/format.h>

namespace espgate::sad {

std::optional<std::string> Unsent::count(base::Instant now, std::uint64_t total,
                                         const std::function<bool()>& packet_mode) {
  if (told_ && (total == *told_ || (total > *told_ && said_ && now - *said_ < kUnsentPause))) return std::nullopt;
  if (!told_ || total < *told_ || !packet_mode()) {
    told_ = total;
    return std::nullopt;
  }
  const auto packets = total - *told_;
  told_ = total;
  said_ = now;
  return fmt::format(
      "{} outbound packets were dropped (XfrmOutError) while children are in packet mode: most likely they are larger "
      "than the tunnel's MTU, may be fragmented (no DF), and the device fragments nothing; clamp the MSS, or use "
      "hw_offload = crypto (docs/packet-mode.md)",
      packets);
}

}  // namespace espgate::sad
