// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/config/config_testing.h"

namespace espgate::control {
namespace {

using testing::texts;

constexpr auto whole = R"(
gateway {
  interfaces = eth0, eth1
  spread = 2, 3
  hw_offload = auto
  on_stop = keep
  retransmit_timeout = 0.5
  retransmit_tries = 3
  retransmit_limit = 10
  half_open_timeout = 1m
  install_routes = no
  steer {
    slots = 1024
    reserve = 8
    interval = 5s
    budget = 2.5
  }
  shield {
    mode = native
    unknown_spi = drop
    cookie_rate = 50
    source_rate = 0
    allow = 192.0.2.0/24, 2001:db8::7, 198.51.100.1
  }
}
defaults {
  local_addrs = 192.0.2.1
  proposals = aes128gcm16-prfsha256-x25519, aes256-sha256-ecp256
  local { auth = psk
          id = gw.example.org }
  remote { auth = psk }
}
connections {
  site-a : defaults {
    version = 2
    remote_addrs = 198.51.100.1
    encap = yes
    dpd_delay = 30s
    keyingtries = 0
    remote { id = peer.example.org }
    children {
      net {
        local_ts = 10.1.0.0/16, 10.2.0.0/16[tcp/80]
        remote_ts = 10.3.0.0/16
        esp_proposals = aes128gcm16
        hw_offload = yes
        start_action = start
        when_down = pass
        replay_window = 256
      }
      host { }
    }
  }
  road : defaults {
    children { any { remote_ts = dynamic[udp/53]
      mode = transport } }
  }
}
secrets {
  ike-a { id-1 = gw.example.org
          id-2 = peer.example.org
          secret = "top # secret" }
  ike { secret = 0x0102 }
}
)";

class Model : public ::testing::Test {
 protected:
  void SetUp() override {
    loaded_ = load_text(whole, "f");
    ASSERT_EQ(texts(loaded_.report.errors), std::vector<std::string>{});
    ASSERT_TRUE(loaded_.config.has_value());
  }
  [[nodiscard]] const Configuration& config() const { return *loaded_.config; }
  [[nodiscard]] const ike::ConnConfig& conn(std::size_t index) const { return *config().ike->conns.at(index); }
  Loaded loaded_;
};

TEST_F(Model, Gateway) {
  const auto& gateway = config().gateway;
  EXPECT_EQ(gateway.interfaces, (std::vector<std::string>{"eth0", "eth1"}));
  EXPECT_EQ(gateway.spread, (std::vector<std::uint32_t>{2, 3}));
  EXPECT_EQ(gateway.hw_offload, base::OffloadWanted::automatic);
  EXPECT_EQ(gateway.on_stop, OnStop::keep);
  EXPECT_FALSE(gateway.install_routes);
  EXPECT_EQ(config().ike->retransmission.timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(config().ike->retransmission.tries, 3U);
  EXPECT_EQ(config().ike->retransmission.limit, std::chrono::seconds(10));
  EXPECT_EQ(config().ike->half_open_timeout, std::chrono::minutes(1));
  const auto& steer = gateway.steer;
  EXPECT_EQ(steer.slots, 1024U);
  EXPECT_EQ(steer.reserve, 8U);
  EXPECT_EQ(steer.interval, std::chrono::seconds(5));
  EXPECT_DOUBLE_EQ(steer.budget_share, 0.025);
  EXPECT_EQ(GatewayOptions{}.steer.slots, std::nullopt);
}

TEST_F(Model, Shield) {
  const auto& shield = config().gateway.shield;
  EXPECT_EQ(shield.mode, ShieldMode::native);
  EXPECT_FALSE(shield.dispatcher);
  EXPECT_EQ(shield.rules, (loader::ShieldRules{true, true, 50, 100, 0}));
  EXPECT_EQ(shield.allow.size(), 3U);
  std::vector<std::string> allowed;
  for (const auto& prefix : shield_allowed(config())) allowed.push_back(prefix.text());
  EXPECT_EQ(allowed, (std::vector<std::string>{"192.0.2.0/24", "198.51.100.1/32", "2001:db8::7/128"}))
      << "site-a's peer once, and nobody for road's, who may be anybody";
}

TEST(ShieldModel, OffUnlessSaid) {
  for (const auto* text : {"", "gateway { }\n", "gateway { shield { } }\n", "gateway { shield { mode = off\n } }\n"}) {
    const auto loaded = load_text(text, "f");
    ASSERT_TRUE(loaded.config) << text;
    EXPECT_EQ(loaded.config->gateway.shield, ShieldOptions{}) << text;
    EXPECT_FALSE(loaded.config->gateway.shield.rules.active) << text;
  }
  const auto generic = load_text("gateway { shield { mode = generic\n } }\n", "f");
  EXPECT_EQ(generic.config->gateway.shield.mode, ShieldMode::generic);
  EXPECT_TRUE(generic.config->gateway.shield.rules.active);
  const auto dispatched = load_text("gateway { shield { dispatcher = yes\n } }\n", "f");
  EXPECT_TRUE(dispatched.config->gateway.shield.dispatcher);
  EXPECT_FALSE(dispatched.config->gateway.shield.rules.active);
}

TEST(ShieldModel, WhoeverMayBeAnybodyIsNotAllowed) {
  for (const auto* remote : {"%any", "0.0.0.0/0", "%any4, %any6", "::/0", "0.0.0.0-255.255.255.255"}) {
    const auto loaded = load_text(std::string("connections { a {\n remote_addrs = ") + remote +
                                      "\n local { auth = psk\n }\n remote { auth = psk\n }\n children { c { } }\n} }\n",
                                  "f");
    ASSERT_TRUE(loaded.config) << remote;
    EXPECT_TRUE(shield_allowed(*loaded.config).empty()) << remote;
  }
}

TEST_F(Model, Connection) {
  ASSERT_EQ(config().ike->conns.size(), 2U);
  const auto& site = conn(0);
  EXPECT_EQ(site.name, "site-a");
  ASSERT_EQ(site.local_addrs.size(), 1U);
  EXPECT_EQ(site.local_addrs[0].text(), "192.0.2.1/32");
  EXPECT_EQ(site.remote_addrs[0].text(), "198.51.100.1/32");
  EXPECT_EQ(site.proposals.size(), 2U);
  EXPECT_TRUE(site.encap);
  EXPECT_EQ(site.dpd_delay, std::chrono::seconds(30));
  EXPECT_EQ(site.keying_tries, 0U);
  EXPECT_EQ(site.local.id.text(), "gw.example.org");
  EXPECT_EQ(site.remote.id.text(), "peer.example.org");
  EXPECT_EQ(conn(1).remote.id.type, ike::IdType::any);
  EXPECT_TRUE(conn(1).remote_addrs.empty());
  EXPECT_EQ(conn(1).keying_tries, 1U);
}

TEST_F(Model, Children) {
  const auto& children = conn(0).children;
  ASSERT_EQ(children.size(), 2U);
  EXPECT_EQ(children[0].local_ts.size(), 2U);
  EXPECT_EQ(children[0].local_ts[1].ts.protocol, 6);
  EXPECT_EQ(children[0].offload, base::OffloadWanted::crypto);
  EXPECT_EQ(children[0].start_action, ike::StartAction::start);
  EXPECT_EQ(children[0].esp_proposals.size(), 1U);
  EXPECT_EQ(children[1].offload, base::OffloadWanted::automatic);
  EXPECT_TRUE(children[1].local_ts.at(0).dynamic);
  EXPECT_FALSE(children[1].esp_proposals.empty());
  EXPECT_EQ(conn(1).children[0].mode, base::SaMode::transport);
}

TEST_F(Model, Plan) {
  const auto& children = config().plan.children;
  ASSERT_EQ(children.size(), 3U);
  EXPECT_EQ(children[0].conn, "site-a");
  EXPECT_EQ(children[0].child, "net");
  EXPECT_EQ(children[0].when_down, sad::WhenDown::pass);
  EXPECT_TRUE(children[0].when_down_said);
  EXPECT_EQ(children[0].handling.replay_window, 256U);
  EXPECT_EQ(children[0].local_ts[0].text(), "10.1.0.0/16");
  // dynamic: both ends are known
  EXPECT_EQ(children[1].local_ts.at(0).text(), "192.0.2.1/32");
  EXPECT_EQ(children[1].remote_ts.at(0).text(), "198.51.100.1/32");
  EXPECT_EQ(children[1].when_down, sad::WhenDown::block);
  EXPECT_FALSE(children[1].when_down_said);
  EXPECT_EQ(children[1].handling.replay_window, 128U);
  // dynamic, and the peer may be anyone
  EXPECT_TRUE(children[2].remote_ts.empty());
}

TEST_F(Model, Secrets) {
  const auto& secrets = config().ike->secrets;
  ASSERT_EQ(secrets.size(), 2U);
  EXPECT_EQ(secrets[0].name, "ike-a");
  EXPECT_EQ(secrets[0].owners.size(), 2U);
  EXPECT_EQ(base::as_text(secrets[0].key.view()), "top # secret");
  EXPECT_EQ(base::to_hex(secrets[1].key.view()), "0102");
  EXPECT_TRUE(secrets[1].owners.empty());
}

TEST_F(Model, Origins) {
  ASSERT_EQ(config().origins.size(), 2U);
  EXPECT_EQ(config().origins[0].name, "site-a");
  EXPECT_EQ(config().origins[0].at.text(), "f:34:3");
  EXPECT_EQ(config().origins[0].children.at("net").text(), "f:42:7");
}

// What vici's load-conn will do: a tree that no file stands behind.
TEST(ModelFromATree, ListsAndOriginVici) {
  Section root;
  const Origin vici{"vici", 0, 0};
  auto& conn = root.add_section("connections", vici).add_section("x", vici);
  Value addresses;
  addresses.key = "local_addrs";
  addresses.items = {"10.0.0.1", "bad one"};
  addresses.is_list = true;
  addresses.at = addresses.value_at = vici;
  conn.put(addresses);
  for (const auto* side : {"local", "remote"}) {
    Value auth;
    auth.key = "auth";
    auth.text = "psk";
    conn.add_section(side, vici).put(auth);
  }
  const auto refused = build(root);
  ASSERT_EQ(refused.report.errors.size(), 1U);
  EXPECT_TRUE(refused.report.errors[0].text().starts_with("vici: names such as bad one"));
  addresses.items = {"10.0.0.1", "10.0.0.2"};
  conn.put(addresses);
  const auto taken = build(root);
  ASSERT_TRUE(taken.config.has_value());
  EXPECT_EQ(taken.config->ike->conns[0]->local_addrs.size(), 2U);
}

TEST(CheckConfig, PrintsErrorsThenWarnings) {
  const testing::Folder folder;
  const auto file = folder.write("espgate.conf", "gateway {\n install_routes = yes\n workers = many\n}\n");
  const auto result = check_config(file);
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(result.text,
            file.string() + ":3:12: workers = many is not possible, expected a whole number\n" + file.string() +
                ":2:2: warning: install_routes is accepted, but not honoured: espgate installs no routes yet\n");
  const auto good = check_config(folder.write("good.conf", "connections { }\n"));
  EXPECT_TRUE(good.ok);
  EXPECT_EQ(good.text, "");
}

}  // namespace
}  // namespace espgate::control
