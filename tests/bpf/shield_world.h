// SPDX-License-Identifier: Apache-2.0
// A device with addresses, routes and the shield on it, and packets run through the program by BPF_PROG_TEST_RUN; with
// ESPGATE_TEST_DISPATCHER in the environment through libxdp's dispatcher with it. Loading takes a second, in the lab
// ten: what a test finds is loaded once, and emptied after each; after a failure it is made anew.
#pragma once

#include <gmock/gmock.h>
#include <linux/bpf.h>

#include <array>
#include <map>
#include <optional>
#include <string>

#include "base/fd.h"
#include "loader/loader.h"
#include "tests/bpf/bpf_world.h"
#include "tests/bpf/ike_init.h"
#include "tests/bpf/packet.h"

namespace espgate::test {

struct Outcome {
  std::uint32_t action = 0;
  base::Bytes packet;  // as it left the program
};

using Events = std::array<std::uint64_t, ESPGATE_SHIELD_EVENT_COUNT>;

class ShieldTest : public BpfTest {
 protected:
  // Ours, and where packets come from unless said otherwise.
  static constexpr const char *here4 = "192.0.2.2", *here6 = "2001:db8::2", *far4 = "192.0.2.1", *far6 = "2001:db8::1";

  void SetUp() override;
  void TearDown() override;

  // Rules with the shield on; a rate of 1 lets one request a second pass.
  void activate(std::uint32_t cookie_rate = 1);
  void set(const loader::ShieldRules& rules);
  void set_secret(std::uint8_t number, base::ByteView key);
  void set_secrets(std::uint8_t number, base::ByteView key, std::uint8_t before, base::ByteView key_before);
  // Takes what the rate lets pass within a second.
  void exhaust();

  // From far to here, to the device's MAC address, up to the UDP header.
  [[nodiscard]] Packet datagram4(std::uint16_t port = 500, std::string_view source = far4) const;
  [[nodiscard]] Packet datagram6(std::uint16_t port = 500, std::string_view source = far6) const;
  [[nodiscard]] Packet frame() const;

  Outcome pass(base::ByteView packet);     // through the program
  Outcome flooded(base::ByteView packet);  // right behind what the rate lets pass
  [[nodiscard]] std::uint32_t action(base::ByteView packet) { return pass(packet).action; }
  [[nodiscard]] Events events() const;
  // What counted since the last call.
  Events counted();
  [[nodiscard]] std::map<std::pair<unsigned, unsigned>, std::uint64_t> classes() const;  // by class and verdict

  static std::optional<loader::Loader> loader_;
  static base::Fd program_;
  static std::uint32_t ifindex_;
  static bool dispatched_;  // through libxdp's dispatcher (ESPGATE_TEST_DISPATCHER in the environment)
  loader::ShieldRules rules_;
  Events before_{};

 private:
  void load();   // devices, programs, maps
  void empty();  // whatever a test left in the maps
};

// Events with these counted once, the rest not at all.
Events only(std::initializer_list<espgate_shield_event> events);

}  // namespace espgate::test
