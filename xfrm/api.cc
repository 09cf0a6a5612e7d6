// SPDX-License-Identifier: Apache-2.0
#include "xfrm/api.h"

#include <fmt/format.h>

namespace espgate::xfrm {
namespace {

std::string port_text(std::string_view name, const PortMatch& port) {
  if (port.mask == 0) return {};
  if (port.mask == 0xffff) return fmt::format(" {} {}", name, port.value);
  return fmt::format(" {} {}/{:#x}", name, port.value, port.mask);
}

std::string describe_one(const AddSa& add) {
  return fmt::format("add {} SA {} to {} ({}{})", base::to_string(add.spec.direction), add.spec.spi.text(),
                     add.spec.destination.text(), add.spec.suite.name(), add.spec.offload ? ", offloaded" : "");
}
std::string describe_one(const GetSa& get) {
  return fmt::format("read SA {} to {}", get.id.spi.text(), get.id.destination.text());
}
std::string describe_one(const DelSa& del) {
  return fmt::format("delete SA {} to {}", del.id.spi.text(), del.id.destination.text());
}
std::string describe_one(const PutPolicy& put) {
  return fmt::format("put {} policy {}", to_string(put.policy.id.direction), put.policy.id.selector.text());
}
std::string describe_one(const DelPolicy& del) {
  return fmt::format("delete {} policy {}", to_string(del.id.direction), del.id.selector.text());
}

}  // namespace

std::string Selector::text() const {
  std::string out = fmt::format("{} -> {}", source.text(), destination.text());
  if (protocol != 0) out += fmt::format(" proto {}", protocol);
  return out + port_text("sport", source_port) + port_text("dport", destination_port);
}

SaSpec SaSpec::clone() const {
  SaSpec out;
  out.direction = direction;
  out.source = source;
  out.destination = destination;
  out.spi = spi;
  out.suite = suite;
  out.cipher_key = cipher_key.clone();
  out.auth_key = auth_key.clone();
  out.mode = mode;
  out.reqid = reqid;
  out.replay_window = replay_window;
  out.encap = encap;
  out.offload = offload;
  out.limits = limits;
  out.sequence_notice = sequence_notice;
  out.selector = selector;
  out.mark = mark;
  out.set_mark = set_mark;
  out.if_id = if_id;
  out.acquire = acquire;
  out.number = number;
  out.copied = copied;
  return out;
}

std::string describe(const Request& request) {
  return std::visit([](const auto& what) { return describe_one(what); }, request);
}

std::string_view to_string(PolicyDirection direction) {
  switch (direction) {
    case PolicyDirection::in:
      return "in";
    case PolicyDirection::out:
      return "out";
    case PolicyDirection::forward:
      return "fwd";
  }
  return "?";
}

}  // namespace espgate::xfrm
