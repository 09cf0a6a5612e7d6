// SPDX-License-Identifier: Apache-2.0
// Notify and Delete payloads, RFC 7296 3.10 and 3.11.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "ike/proposal.h"
#include "ike/wire/error.h"
#include "ike/wire/notify_types.h"

namespace espgate::ike::wire {

struct NotifyPayload {
  Protocol protocol = Protocol::none;  // of the SPI; none without one
  base::Bytes spi;                     // network order; ESP, AH: empty or 4 octets; empty for the IKE SA
  NotifyType type{};
  base::Bytes data;

  [[nodiscard]] bool is_error() const { return wire::is_error(type); }
  bool operator==(const NotifyPayload&) const = default;
};

// A notify without SPI. `data` e.g. from notify_u16().
NotifyPayload notify(NotifyType type, base::Bytes data = {});
// A notify about an ESP SA (REKEY_SA, CHILD_SA_NOT_FOUND).
NotifyPayload notify(NotifyType type, base::Spi spi, base::Bytes data = {});
// Data of INVALID_KE_PAYLOAD (the group wanted) and back; nullopt unless it is two octets.
base::Bytes notify_u16(std::uint16_t value);
std::optional<std::uint16_t> notify_u16(const NotifyPayload& payload);

struct DeletePayload {
  Protocol protocol = Protocol::ike;  // ike: the IKE SA itself, no SPIs
  std::vector<base::Spi> spis;        // those the sender of the payload expects inbound
  bool operator==(const DeletePayload&) const = default;
};

Parsed<NotifyPayload> parse_notify(base::ByteView body);
Parsed<DeletePayload> parse_delete(base::ByteView body);
void write(base::ByteWriter& out, const NotifyPayload& payload);
void write(base::ByteWriter& out, const DeletePayload& payload);

}  // namespace espgate::ike::wire
