// SPDX-License-Identifier: Apache-2.0
// Which connection and which secret fit a peer: by addresses, then by identities; the most specific match wins.
#pragma once

#include <compare>
#include <memory>
#include <optional>
#include <vector>

#include "base/address.h"
#include "ike/config.h"

namespace espgate::ike {

// How well a connection fits; larger is better. Identities count before addresses, the peer's side before ours.
struct Fit {
  int remote_id = 0, local_id = 0, remote_address = 0, local_address = 0;
  auto operator<=>(const Fit&) const = default;
};

using ConnList = std::vector<std::shared_ptr<const ConnConfig>>;

// Connections that admit these tunnel ends, best first; equals stay in the order of the config.
ConnList fitting(const Config& config, const base::Address& local, const base::Address& remote);

// The same, of those that admit the identities too. `shown_local` is the peer's IDr, if it sent one.
ConnList fitting(const Config& config, const base::Address& local, const base::Address& remote,
                 const Identity& shown_remote, const std::optional<Identity>& shown_local);

// The identity we show: the configured one, else the one the peer asked for, else our address.
Identity own_identity(const ConnConfig& conn, const base::Address& local,
                      const std::optional<Identity>& asked_for = std::nullopt);

// The secret whose owners match (local, remote) most specifically, the remote one first; nullptr if none does.
// Stricter than strongSwan in one point: of a secret with several owners one must be the peer.
const SharedSecret* choose_secret(const Config& config, const Identity& local, const Identity& remote);

}  // namespace espgate::ike
