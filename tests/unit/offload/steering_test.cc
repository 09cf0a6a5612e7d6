// SPDX-License-Identifier: Apache-2.0
// The configuration in the order of its devices: only what says `default`, and only its proposals.
#include "control/offload/steering.h"

#include <gmock/gmock.h>

namespace espgate::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto kConfig = R"(
gateway { hw_offload = auto }
connections {
  a {
    remote_addrs = 192.0.2.2
    local { auth = psk
    }
    remote { auth = psk
    }
    children {
      free { }
      said { esp_proposals = default
      }
      fixed { esp_proposals = aes128gcm16, aes256gcm16
      }
      mixed { esp_proposals = aes128gcm16, default
      }
      soft { hw_offload = no
      }
    }
  }
  b {
    remote_addrs = 192.0.2.3
    local { auth = psk
    }
    remote { auth = psk
    }
    children { net { }
    }
  }
}
secrets { ike-x { secret = "a word"
} }
)";

Configuration loaded(const std::string& text = kConfig) {
  auto out = load_text(text, "f");
  for (const auto& error : out.report.errors) ADD_FAILURE() << error.text();
  return std::move(*out.config);
}

sad::DeviceRecord nic() {
  sad::DeviceRecord out{"nic0", {}, {}, {}, {}};
  for (const auto& row : sad::probe_plan()) {
    if (row.suite.cipher == base::EspCipher::aes_gcm_16) {
      out.entries.push_back({row, {sad::ProbeResult::taken, 0, {}, {}}, {}, false, 1});
    }
  }
  return out;
}

std::vector<std::string> proposals(const Steered& steered, std::size_t conn, std::size_t child) {
  std::vector<std::string> out;
  for (const auto& each : steered.ike->conns[conn]->children[child].esp_proposals) out.push_back(each.text());
  return out;
}

const std::vector<std::string> kUsual{"aes128gcm16-aes256gcm16-chacha20poly1305-esn-noesn",
                                      "aes128-aes256-sha256-esn-noesn"};

TEST(Steering, OrdersWhatSaysDefaultAndLeavesTheRest) {
  const auto config = loaded();
  const auto device = nic();
  const auto steered = steer_suites(config, [&](const ike::ConnConfig& conn) {
    return conn.name == "a" ? std::vector{&device} : std::vector<const sad::DeviceRecord*>{};
  });
  const std::vector<std::string> ordered{"aes256gcm16-esn-noesn", "aes128gcm16-esn-noesn", "chacha20poly1305-esn-noesn",
                                         "aes128-sha256-esn-noesn", "aes256-sha256-esn-noesn"};
  EXPECT_EQ(proposals(steered, 0, 0), ordered);
  EXPECT_EQ(proposals(steered, 0, 1), ordered);
  EXPECT_THAT(proposals(steered, 0, 2), ElementsAre("aes128gcm16", "aes256gcm16"));
  EXPECT_EQ(proposals(steered, 0, 3).front(), "aes128gcm16");
  EXPECT_EQ(proposals(steered, 0, 4), kUsual);
  EXPECT_EQ(proposals(steered, 1, 0), kUsual);
  EXPECT_EQ(steered.ike->conns[1], config.ike->conns[1]) << "what did not change is the same object";
  EXPECT_THAT(steered.changes,
              ElementsAre(HasSubstr("a/free: esp_proposals = default means now, in this order: aes256gcm16-esn, "
                                    "aes256gcm16, aes128gcm16-esn, aes128gcm16 (nic0 takes it in crypto mode), cha"),
                          HasSubstr("a/said: ")));
  ASSERT_EQ(steered.ike->secrets.size(), 1U) << "the rest of the configuration goes along";
  EXPECT_EQ(steered.ike->secrets[0].key.size(), 6U);
}

TEST(Steering, AnOrderThatStandsIsLeftAlone) {
  auto config = loaded();
  const auto device = nic();
  const auto all = [&](const ike::ConnConfig&) { return std::vector{&device}; };
  config.ike = steer_suites(config, all).ike;
  const auto again = steer_suites(config, all);
  EXPECT_EQ(again.ike, config.ike);
  EXPECT_THAT(again.changes, IsEmpty());
  const auto back =
      steer_suites(config, [](const ike::ConnConfig&) { return std::vector<const sad::DeviceRecord*>{}; });
  EXPECT_EQ(proposals(back, 0, 0), kUsual);
}

// A device that has room for 32 bits of a sequence number alone.
sad::DeviceRecord narrow() {
  auto out = nic();
  for (auto& entry : out.entries) {
    if (entry.row.suite.esn) entry.answer = {sad::ProbeResult::refused, EINVAL, "No ESN", {}};
  }
  return out;
}

TEST(Steering, EsnIsLeftOutWhereThatIsAllowedAndTheChildIsNotTooFast) {
  const auto device = narrow();
  const auto all = [&](const ike::ConnConfig&) { return std::vector{&device}; };
  const auto steered = steer_suites(loaded(), all, {{"a", "said"}});
  EXPECT_EQ(proposals(steered, 0, 0).front(), "aes256gcm16");
  EXPECT_EQ(proposals(steered, 0, 1), kUsual) << "this one is in a hurry";
  const auto forbidden = loaded("gateway { offload_without_esn = no\n }\n" + std::string(kConfig).substr(31));
  EXPECT_EQ(proposals(steer_suites(forbidden, all), 0, 0), kUsual);
}

TEST(Steering, TheFloorHoldsFromTheLoadOn) {
  const auto config = loaded("gateway { esp_floor = 256\n }\n" + std::string(kConfig).substr(31));
  EXPECT_THAT(proposals({config.ike, {}}, 0, 0),
              ElementsAre("aes256gcm16-chacha20poly1305-esn-noesn", "aes256-sha256-esn-noesn"));
  EXPECT_THAT(proposals({config.ike, {}}, 0, 2), ElementsAre("aes128gcm16", "aes256gcm16")) << "what was said stands";
  const auto broken = load_text("gateway {\n esp_floor = 64\n}\n", "f");
  ASSERT_EQ(broken.report.errors.size(), 1U);
  EXPECT_EQ(broken.report.errors[0].text(), "f:2:14: esp_floor = 64 is out of range, expected 128 to 256");
}

}  // namespace
}  // namespace espgate::control
