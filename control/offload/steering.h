// SPDX-License-Identifier: Apache-2.0
// The configuration with its `esp_proposals = default` in the order that the devices speak for. Pure: whoever asks says
// what is known of the devices.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/config/model.h"
#include "sad/suite_order.h"

namespace espgate::control {

// The devices by which a connection's packets leave; those under a bond, a VLAN or a bridge in its place.
using DevicesOf = std::function<std::vector<const sad::DeviceRecord*>(const ike::ConnConfig&)>;

struct Steered {
  std::shared_ptr<const ike::Config> ike;  // the same object if nothing changed
  std::vector<std::string> changes;        // a line for the log each
};

// Children that are too fast for SAs without ESN, by conn and child.
using Hurried = std::set<std::pair<std::string, std::string>>;

// Only children whose esp_proposals are `default` are touched, and of them only the proposals.
Steered steer_suites(const Configuration& config, const DevicesOf& devices, const Hurried& hurried = {});

// What a child would be offered as it is known before it is negotiated.
sad::OfferShape shape_of(const ike::ConnConfig& conn, const ike::ChildConfig& child);

}  // namespace espgate::control
