// SPDX-License-Identifier: Apache-2.0
#include "control/vici/commands.h"

#include <gtest/gtest.h>

#include "tests/unit/vici/commands_fixture.h"

namespace espgate::control::vici {
namespace {

TEST_F(Commands, ListSas) {
  ChildCounters counters;
  counters.in = {3, 300, 2, 200, 4, true};
  counters.reqid = 77;
  daemon.child_counters = counters;
  (void)ask("list-sas", {}, "list-sa");
  ASSERT_EQ(events.size(), 1U);
  const auto* sa = events[0].find("site-a");
  ASSERT_NE(sa, nullptr);
  const std::pair<const char*, const char*> expected[] = {
      {"uniqueid", "7"},
      {"version", "2"},
      {"state", "ESTABLISHED"},
      {"local-host", "192.0.2.1"},
      {"local-port", "500"},
      {"local-id", "gw.example.org"},
      {"remote-host", "198.51.100.1"},
      {"remote-port", "4500"},
      {"remote-id", "peer.example.org"},
      {"initiator", "yes"},
      {"initiator-spi", "1122334455667788"},
      {"responder-spi", "99aabbccddeeff00"},
      {"encr-alg", "AES_GCM_16"},
      {"established", "100"},
      {"child-sas.net-12.name", "net"},
      {"child-sas.net-12.uniqueid", "12"},
      {"child-sas.net-12.reqid", "77"},
      {"child-sas.net-12.state", "INSTALLED"},
      {"child-sas.net-12.mode", "TUNNEL"},
      {"child-sas.net-12.protocol", "ESP"},
      {"child-sas.net-12.spi-in", "c0ffee01"},
      {"child-sas.net-12.spi-out", "c0ffee02"},
      {"child-sas.net-12.encr-keysize", "128"},
      {"child-sas.net-12.bytes-in", "500"},
      {"child-sas.net-12.packets-in", "5"},
      {"child-sas.net-12.use-in", "4"},
      {"child-sas.net-12.packets-out", "0"},
      {"child-sas.net-12.install-time", "60"},
      {"child-sas.net-12.offload.wanted", "auto"},
      {"child-sas.net-12.offload.in.actual", "crypto"},
      {"child-sas.net-12.offload.in.hw-packets", "3"},
      {"child-sas.net-12.offload.out.reason-code", "driver-refused"}};
  for (const auto& [key, value] : expected) EXPECT_EQ(sa->text(key), value) << key;
  EXPECT_FALSE(sa->get("child-sas.net-12.use-out"));
  EXPECT_EQ(*sa->items("child-sas.net-12.local-ts"), std::vector<std::string>{"10.1.0.0/16"});
}

TEST_F(Commands, ChildSasIsThereEvenIfEmpty) {
  daemon.ikes[0].children.clear();
  (void)ask("list-sas", {}, "list-sa");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_NE(events[0].find("site-a")->find("child-sas"), nullptr);
}

TEST_F(Commands, ListSasFilters) {
  const auto count = [&](const char* key, const char* value) {
    (void)ask("list-sas", Message().set(key, value), "list-sa");
    return events.size();
  };
  EXPECT_EQ(count("ike", "site-a"), 1U);
  EXPECT_EQ(count("ike", "site-b"), 0U);
  EXPECT_EQ(count("ike-id", "7"), 1U);
  EXPECT_EQ(count("ike-id", "8"), 0U);
  EXPECT_EQ(count("child", "net"), 1U);
  EXPECT_EQ(count("child", "no"), 0U);
  EXPECT_EQ(count("child-id", "12"), 1U);
}

TEST_F(Commands, ListConns) {
  (void)ask("list-conns", {}, "list-conn");
  ASSERT_EQ(events.size(), 1U);
  const auto* conn = events[0].find("site-a");
  ASSERT_NE(conn, nullptr);
  EXPECT_EQ(*conn->items("local_addrs"), std::vector<std::string>{"192.0.2.1"});
  EXPECT_EQ(conn->text("version"), "IKEv2");
  EXPECT_EQ(conn->text("rekey_time"), "10800");
  EXPECT_EQ(conn->text("reauth_time"), "86400");
  EXPECT_EQ(conn->text("children.net.rekey_time"), "3600");
  EXPECT_EQ(conn->text("local-1.class"), "pre-shared key");
  EXPECT_EQ(conn->text("local-1.id"), "gw.example.org");
  EXPECT_EQ(conn->text("children.net.mode"), "TUNNEL");
  EXPECT_EQ(*conn->items("children.net.local-ts"), (std::vector<std::string>{"10.1.0.0/16", "dynamic[tcp/80]"}));
  // Those are of the file; what vici brought is asked for by these.
  EXPECT_TRUE(ask("get-conns").items("conns")->empty());
  EXPECT_TRUE(ask("get-shared").items("keys")->empty());
}

TEST_F(Commands, LongListsGiveOthersTheirTurn) {
  for (std::uint64_t id = 100; id < 220; ++id) {
    daemon.ikes.push_back(testing::sample_ike());
    daemon.ikes.back().id = {id};
  }
  (void)ask("list-sas", {}, "list-sa");
  EXPECT_EQ(events.size(), 121U);
  EXPECT_EQ(daemon.turns, 2);
  (void)ask("espgate-children", {}, "espgate-child");
  EXPECT_EQ(events.size(), 121U);
  (void)ask("list-sas", Message().set("ike-id", "219"), "list-sa");
  EXPECT_EQ(events.size(), 1U);
}

TEST_F(Commands, CountersAndTheirReset) {
  EXPECT_EQ(ask("get-counters").find("counters")->find("")->text("child-rekey"), "7");
  EXPECT_EQ(ask("reset-counters").text("success"), "yes");
  daemon.counted[1].second = 9;
  const auto after = ask("get-counters");
  EXPECT_EQ(after.find("counters")->find("")->text("child-rekey"), "2");
  EXPECT_EQ(after.find("counters")->find("")->text("ike-rekey-init"), "0");
  EXPECT_TRUE(ask("get-counters", Message().set("all", "yes")).find("counters")->empty());
  EXPECT_EQ(ask("get-counters", Message().set("name", "site-a")).text("success"), "no");
}

TEST_F(Commands, TrapsByHandAndTheListOfPolicies) {
  (void)ask("list-policies", {}, "list-policy");
  EXPECT_TRUE(events.empty());
  EXPECT_EQ(ask("install", Message().set("child", "net")).text("success"), "yes");
  (void)ask("list-policies", Message().set("trap", "yes"), "list-policy");
  ASSERT_EQ(events.size(), 1U);
  const auto& policy = *events[0].find("site-a/net");
  EXPECT_EQ(policy.text("mode"), "TUNNEL");
  EXPECT_EQ(policy.text("child"), "net");
  EXPECT_EQ(policy.text("ike"), "site-a");
  EXPECT_EQ(*policy.items("remote-ts"), std::vector<std::string>{"10.2.0.0/16"});
  (void)ask("list-policies", Message().set("drop", "yes"), "list-policy");
  EXPECT_TRUE(events.empty());
  EXPECT_EQ(ask("install", Message().set("child", "lan")).text("errmsg"), "no child is called lan");
  EXPECT_EQ(ask("uninstall", Message().set("child", "net")).text("success"), "yes");
  (void)ask("list-policies", {}, "list-policy");
  EXPECT_TRUE(events.empty());
  EXPECT_EQ(ask("uninstall").text("success"), "no");
}

TEST_F(Commands, InitiateLogsThenAnswers) {
  const auto done =
      ask("initiate", Message().set("child", "net").set("ike", "site-a").set("timeout", "5000"), "control-log");
  EXPECT_EQ(done.text("success"), "yes");
  EXPECT_EQ(daemon.initiated.conn, "site-a");
  EXPECT_EQ(daemon.initiated.timeout, std::chrono::milliseconds(5000));
  ASSERT_EQ(events.size(), 1U);  // level 2 was not asked for
  EXPECT_EQ(events[0].text("group"), "IKE");
  EXPECT_EQ(ask("initiate").text("success"), "no");
}

TEST_F(Commands, InitiateFailsOrTimesOut) {
  daemon.outcome.failure =
      ike::Failure{ike::Reason::no_proposal, "IKE_AUTH", "no common proposal", "NO_PROPOSAL_CHOSEN"};
  const auto failed = ask("initiate", Message().set("child", "net"));
  EXPECT_EQ(failed.text("success"), "no");
  EXPECT_EQ(failed.text("errmsg"), "IKE_AUTH: no common proposal (peer: NO_PROPOSAL_CHOSEN)");
  EXPECT_EQ(failed.text("code"), "no-proposal");
  daemon.outcome = {std::nullopt, true, 0};
  EXPECT_EQ(ask("initiate", Message().set("child", "net").set("timeout", "10")).text("success"), "no");
  EXPECT_EQ(ask("initiate", Message().set("child", "net").set("timeout", "-1")).text("success"), "yes");
  EXPECT_FALSE(daemon.initiated.timeout->count() > 0);
}

TEST_F(Commands, TerminateNamesWhatItMatched) {
  daemon.outcome.matched = 2;
  const auto done = ask("terminate", Message().set("ike-id", "7").set("force", "yes"));
  EXPECT_EQ(done.text("success"), "yes");
  EXPECT_EQ(done.text("matches"), "2");
  EXPECT_EQ(daemon.terminated.ike, base::IkeId{7});
  EXPECT_TRUE(daemon.terminated.force);
  daemon.outcome.matched = 0;
  EXPECT_EQ(ask("terminate", Message().set("ike", "x")).text("errmsg"), "no matching SAs to terminate found");
  EXPECT_EQ(ask("terminate").text("success"), "no");
  EXPECT_EQ(ask("terminate", Message().set("child-id", "x")).text("success"), "no");
}

TEST_F(Commands, RekeyNamesWhatItMatched) {
  daemon.outcome.matched = 1;
  const auto done = ask("rekey", Message().set("ike", "site-a").set("child", "net"));
  EXPECT_EQ(done.text("success"), "yes");
  EXPECT_EQ(done.text("matches"), "1");
  EXPECT_EQ(daemon.rekeyed.conn, "site-a");
  EXPECT_EQ(daemon.rekeyed.child, "net");
  daemon.outcome = {ike::Failure{ike::Reason::not_found, "rekey", "no SA matches", ""}, false, 0};
  EXPECT_EQ(ask("rekey", Message().set("ike-id", "7")).text("success"), "no");
  EXPECT_EQ(daemon.rekeyed.ike, base::IkeId{7});
  EXPECT_EQ(ask("rekey").text("errmsg"), "missing rekey selector: ike, child, ike-id or child-id");
}

TEST_F(Commands, EventsAreStrongSwans) {
  auto view = std::make_shared<ike::IkeView>(daemon.ikes[0]);
  auto old = view->children[0];
  old.id = {11};
  view->children.push_back(old);
  ike::Event event;
  event.conn = "site-a";
  event.child = "net";
  event.view = view;
  event.kind = ike::Event::Kind::child_rekeyed;
  event.child_id = view->children[0].id;
  event.former_child = {11};
  auto told = event_message(event, daemon);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->name, "child-rekey");
  const auto* pair = told->message.find("site-a")->find("child-sas")->find("net");
  ASSERT_NE(pair, nullptr);
  EXPECT_EQ(pair->text("old.uniqueid"), "11");
  EXPECT_EQ(pair->text("new.uniqueid"), "12");
  event.kind = ike::Event::Kind::ike_rekeyed;
  event.former_ike = {3};
  told = event_message(event, daemon);
  EXPECT_EQ(told->name, "ike-rekey");
  EXPECT_EQ(told->message.find("site-a")->text("old.uniqueid"), "3");
  EXPECT_EQ(told->message.find("site-a")->text("new.uniqueid"), "7");
  event.kind = ike::Event::Kind::child_up;
  told = event_message(event, daemon);
  EXPECT_EQ(told->name, "child-updown");
  EXPECT_EQ(told->message.text("up"), "yes");
  EXPECT_NE(told->message.find("site-a")->find("child-sas")->find("net-12"), nullptr);
  EXPECT_EQ(told->message.find("site-a")->find("child-sas")->find("net-11"), nullptr);
  event.kind = ike::Event::Kind::ike_down;
  told = event_message(event, daemon);
  EXPECT_EQ(told->message.get("up"), std::nullopt);
  EXPECT_EQ(told->message.find("site-a")->text("uniqueid"), "7");
  EXPECT_EQ(told->message.find("site-a")->find("child-sas"), nullptr);
  event.kind = ike::Event::Kind::dropped;
  EXPECT_FALSE(event_message(event, daemon));
}

TEST_F(Commands, Reload) {
  EXPECT_EQ(ask("reload-settings").text("success"), "yes");
  EXPECT_FALSE(daemon.reloaded_dry);
  daemon.reload_report.error({"f", 1, 2}, "wrong");
  const auto out = ask("espgate-reload", Message().set("dry-run", "yes"));
  EXPECT_TRUE(daemon.reloaded_dry);
  EXPECT_EQ(out.text("success"), "no");
  EXPECT_EQ(*out.items("errors"), std::vector<std::string>{"f:1:2: wrong"});
}

TEST_F(Commands, OwnOnesStreamOrAnswerWhole) {
  const auto conns = ask("espgate-conns");
  EXPECT_EQ(conns.text("version"), "1");
  const auto* status = conns.find("conns")->find("site-a/net");
  ASSERT_NE(status, nullptr);
  EXPECT_EQ(status->text("origin"), "/etc/espgate/espgate.conf:1:15");
  EXPECT_EQ(status->text("attempts"), "3");
  EXPECT_EQ(status->text("next-try-at"), "1700000010");
  EXPECT_EQ(status->text("last-error.code"), "no-proposal");
  EXPECT_EQ(status->text("last-error.peer-notify"), "NO_PROPOSAL_CHOSEN");

  const auto children = ask("espgate-children");
  const auto* child = children.find("children")->find("net-12");
  ASSERT_NE(child, nullptr);
  EXPECT_EQ(child->text("suite"), "aes128gcm16");
  EXPECT_EQ(child->text("established-at"), "1699999940");
  EXPECT_EQ(child->text("in.device"), "nic0");
  EXPECT_EQ(child->text("local"), "192.0.2.1");

  const auto streamed = ask("espgate-children", {}, "espgate-child");
  EXPECT_EQ(streamed.find("children"), nullptr);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_NE(events[0].find("children")->find("net-12"), nullptr);
}

TEST_F(Commands, WhatIsRefusedSaysWhy) {
  for (const auto* command : {"load-conn", "unload-conn", "load-shared", "load-cert", "clear-creds", "redirect"}) {
    const auto out = ask(command);
    EXPECT_EQ(out.text("success"), "no") << command;
    EXPECT_FALSE(out.text("errmsg").empty()) << command;
  }
}

TEST_F(Commands, VersionAndStats) {
  EXPECT_EQ(ask("version").text("daemon"), "espgated");
  EXPECT_EQ(ask("version").text("version"), "0.1.0");
  const auto stats = ask("stats");
  EXPECT_EQ(stats.text("ikesas.total"), "1");
  EXPECT_EQ(stats.text("uptime.running"), "16 minutes");
  EXPECT_EQ(stats.text("ikesas.half-open"), "2");
  EXPECT_EQ(stats.text("rejected.bad-cookie"), "5");
  EXPECT_EQ(stats.text("moves.nic0.promote"), "4");
  EXPECT_EQ(stats.text("moves.nic0.demote"), "3");
}

}  // namespace
}  // namespace espgate::control::vici
