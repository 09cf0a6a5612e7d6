// SPDX-License-Identifier: Apache-2.0
// The fragments of one message as they come in (RFC 7383 2.6). Nothing is kept that was not authenticated; there is one
// of these for each direction of an IKE SA, and it holds one message of bounded size.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "base/bytes.h"
#include "base/rare.h"
#include "ike/crypto/sk_cipher.h"
#include "ike/wire/fragment.h"

namespace espgate::ike {

class Reassembly {
 public:
  // Together, once decrypted: as long as a message may be, and less from who is not authenticated.
  static constexpr std::size_t kMostOctets = wire::kMaxMessageOctets, kMostOctetsHalfOpen = 16384;

  struct Message {
    wire::Parsed<wire::Payloads> payloads;  // a fault of it was found under good checksums
    base::Bytes first;                      // the datagram of fragment 1: what a repeated request is known by
    base::Bytes inner;                      // the payloads as octets
  };
  // Takes a datagram with fragment; the message once it is complete. A fault: nothing was taken of it.
  wire::Parsed<std::optional<Message>> take(std::uint32_t message_id, base::ByteView datagram,
                                            const crypto::SkCipher& cipher, std::size_t most_octets);

  [[nodiscard]] std::size_t octets() const { return parts_ ? parts_->octets : 0; }

 private:
  struct Parts {
    std::uint32_t message_id = 0;
    std::uint16_t total = 0;
    wire::PayloadType type = wire::PayloadType::none;
    base::Bytes first;
    std::map<std::uint16_t, base::Bytes> pieces;
    std::size_t octets = 0;
  };
  [[nodiscard]] Message finish();

  base::Rare<Parts> parts_;  // none: nothing is collected
};

}  // namespace espgate::ike
