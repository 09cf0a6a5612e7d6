// SPDX-License-Identifier: Apache-2.0
#include "sad/ledger.h"

namespace espgate::sad {
namespace {

maps::PolicyKind kind_of(xfrm::Layer layer) {
  switch (layer) {
    case xfrm::Layer::child:
      return maps::PolicyKind::child;
    case xfrm::Layer::floor:
      return maps::PolicyKind::floor;
    case xfrm::Layer::trap:
      return maps::PolicyKind::trap;
    case xfrm::Layer::shunt:
      return maps::PolicyKind::shunt;
    case xfrm::Layer::guard:
      return maps::PolicyKind::guard;
    case xfrm::Layer::bypass:
    case xfrm::Layer::foreign:
      break;
  }
  return maps::PolicyKind::bypass;
}

xfrm::Layer layer_of(maps::PolicyKind kind) {
  switch (kind) {
    case maps::PolicyKind::child:
      return xfrm::Layer::child;
    case maps::PolicyKind::floor:
      return xfrm::Layer::floor;
    case maps::PolicyKind::trap:
      return xfrm::Layer::trap;
    case maps::PolicyKind::shunt:
      return xfrm::Layer::shunt;
    case maps::PolicyKind::guard:
      return xfrm::Layer::guard;
    case maps::PolicyKind::bypass:
      break;
  }
  return xfrm::Layer::bypass;
}

maps::PolicyDir dir_of(xfrm::PolicyDirection direction) {
  switch (direction) {
    case xfrm::PolicyDirection::in:
      return maps::PolicyDir::in;
    case xfrm::PolicyDirection::out:
      return maps::PolicyDir::out;
    case xfrm::PolicyDirection::forward:
      break;
  }
  return maps::PolicyDir::fwd;
}

xfrm::PolicyDirection direction_of(maps::PolicyDir dir) {
  switch (dir) {
    case maps::PolicyDir::in:
      return xfrm::PolicyDirection::in;
    case maps::PolicyDir::out:
      return xfrm::PolicyDirection::out;
    case maps::PolicyDir::fwd:
      break;
  }
  return xfrm::PolicyDirection::forward;
}

}  // namespace

maps::PolicyRecord record_of(const xfrm::PolicySpec& policy) {
  const xfrm::Selector& selector = policy.id.selector;
  maps::PolicyRecord out;
  out.kind = kind_of(policy.id.layer);
  out.dir = dir_of(policy.id.direction);
  out.src = selector.source;
  out.dst = selector.destination;
  out.proto = selector.protocol;
  out.src_port = selector.source_port.value;
  out.src_port_mask = selector.source_port.mask;
  out.dst_port = selector.destination_port.value;
  out.dst_port_mask = selector.destination_port.mask;
  out.priority = policy.priority;
  out.mark = policy.id.mark.value;
  out.mark_mask = policy.id.mark.mask;
  out.if_id = policy.id.if_id;
  out.offload = policy.device != 0;
  return out;
}

xfrm::PolicyId id_of(const maps::PolicyRecord& record) {
  xfrm::PolicyId out;
  out.direction = direction_of(record.dir);
  out.layer = layer_of(record.kind);
  out.selector = {record.src,
                  record.dst,
                  record.proto,
                  {record.src_port, record.src_port_mask},
                  {record.dst_port, record.dst_port_mask}};
  out.mark = {record.mark, record.mark_mask};
  out.if_id = record.if_id;
  return out;
}

}  // namespace espgate::sad
