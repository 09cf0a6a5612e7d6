// SPDX-License-Identifier: Apache-2.0
// Connections, credentials, authorities and pools over vici.
#include <gmock/gmock.h>

#include "tests/pki/pki.h"
#include "tests/unit/vici/commands_fixture.h"

namespace espgate::control::vici {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// As stock swanctl sends one.
Message connection(const std::string& name) {
  Message body;
  body.list("local_addrs", {"192.0.2.1"}).list("remote_addrs", {"198.51.100.7"});
  body.open("local").set("auth", "psk").set("id", "gw.example.org");
  body.open("remote").set("auth", "psk");
  auto& net = body.open("children").open("net");
  net.list("local_ts", {"10.1.0.0/16"}).list("remote_ts", {"10.7.0.0/16"}).set("rekey_time", "30m");
  return Message().section(name, std::move(body));
}

std::string text_of(const base::Bytes& octets) { return std::string(base::as_text(octets)); }

struct Loading : Commands {
  pki::Entity root = pki::self_signed({.subject = "O=espgate, CN=root", .ca = true}, pki::ec("P-256", 1));
  pki::Entity own = pki::issue(root, {.subject = "O=espgate, CN=gw", .names = {"DNS:gw.example.org"}}, pki::rsa());

  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (const auto& conn : daemon.config().ike->conns) out.push_back(conn->name);
    return out;
  }
  void load(const Message& conn) { EXPECT_EQ(ask("load-conn", conn).text("errmsg"), ""); }
  Message load_cert(const std::string& flag, const std::string& data) {
    return ask("load-cert", Message().set("type", "X509").set("flag", flag).set("data", data));
  }
};

TEST_F(Loading, AConnectionComesAndGoes) {
  load(connection("b"));
  EXPECT_EQ(daemon.stored_what, "connection b");
  EXPECT_THAT(names(), ElementsAre("site-a", "b"));
  EXPECT_THAT(*ask("get-conns").items("conns"), ElementsAre("b"));
  const auto& origin = daemon.config().origins.at(1);
  EXPECT_EQ(origin.at.text(), "vici");
  EXPECT_EQ(daemon.config().ike->conns.at(1)->children.at(0).time.rekey, 1800U);
  EXPECT_EQ(daemon.config().plan.children.size(), 2U);

  EXPECT_EQ(ask("unload-conn", Message().set("name", "b")).text("success"), "yes");
  EXPECT_THAT(names(), ElementsAre("site-a"));
  EXPECT_EQ(ask("unload-conn", Message().set("name", "b")).text("errmsg"), "connection 'b' not found");
  EXPECT_EQ(ask("unload-conn").text("success"), "no");
}

TEST_F(Loading, TheSameAgainChangesNothing) {
  load(connection("b"));
  const auto before = daemon.config().ike->conns.at(1);
  EXPECT_THAT(daemon.store().take_fresh(), ElementsAre("b"));
  load(connection("b"));
  EXPECT_EQ(daemon.config().ike->conns.at(1), before);
  EXPECT_THAT(daemon.store().take_fresh(), IsEmpty());
}

TEST_F(Loading, OneOfTheFileIsOverriddenAndComesBack) {
  load(connection("site-a"));
  EXPECT_THAT(names(), ElementsAre("site-a"));
  EXPECT_EQ(daemon.config().ike->conns.at(0)->remote_addrs.at(0).address().text(), "198.51.100.7");
  EXPECT_EQ(ask("unload-conn", Message().set("name", "site-a")).text("success"), "yes");
  EXPECT_EQ(daemon.config().ike->conns.at(0)->remote_addrs.at(0).address().text(), "198.51.100.1");
  EXPECT_THAT(ask("unload-conn", Message().set("name", "site-a")).text("errmsg"),
              HasSubstr("/etc/espgate/espgate.conf:1:15"));
}

TEST_F(Loading, WhatIsWrongIsSaidWhole) {
  auto body = Message().set("version", "1").set("frobnicate", "yes");
  body.open("local").set("auth", "psk");
  body.open("remote").set("auth", "psk");
  body.list("vips", {"0.0.0.0"});
  const auto out = ask("load-conn", Message().section("b", std::move(body)));
  EXPECT_EQ(out.text("success"), "no");
  EXPECT_THAT(*out.items("errors"),
              ::testing::UnorderedElementsAre(HasSubstr("IKEv1 is not supported"), HasSubstr("unknown key frobnicate"),
                                              HasSubstr("vips is refused")));
  EXPECT_THAT(out.text("errmsg"), HasSubstr("(and 2 more)"));
  EXPECT_THAT(names(), ElementsAre("site-a"));
  EXPECT_EQ(ask("load-conn").text("success"), "no");
  EXPECT_THAT(ask("load-conn", connection("\xc3\x9c")).text("errmsg"), HasSubstr("not printable ASCII"));
}

TEST_F(Loading, CredentialsMayComeAfterTheConnection) {
  Message body;
  body.list("remote_addrs", {"198.51.100.7"});
  body.open("local").set("auth", "pubkey").set("id", "gw.example.org").list("certs", {pki::pem(own.cert)});
  body.open("remote").set("auth", "pubkey");
  body.open("children").open("net");
  const auto loaded = ask("load-conn", Message().section("b", std::move(body)));
  EXPECT_EQ(loaded.text("success"), "yes");
  EXPECT_THAT(*loaded.items("warnings"),
              ElementsAre(HasSubstr("there is no private key"), HasSubstr("there is no CA certificate")));
  const auto conn = [&] { return daemon.config().ike->conns.at(1); };
  EXPECT_TRUE(conn()->local.credentials.empty());

  EXPECT_EQ(load_cert("CA", text_of(root.cert.der())).text("success"), "yes");
  const auto key = ask("load-key", Message().set("type", "any").set("data", pki::key_pem(own.key)));
  EXPECT_EQ(key.text("success"), "yes");
  ASSERT_EQ(conn()->local.credentials.size(), 1U);
  EXPECT_EQ(conn()->local.id.text(), "gw.example.org");
  EXPECT_EQ(conn()->remote.trust->anchors().size(), 1U);
  EXPECT_THAT(*ask("get-keys").items("keys"), ElementsAre(key.text("id")));

  (void)ask("list-conns", Message().set("ike", "b"), "list-conn");
  EXPECT_THAT(*events.at(0).find("b")->items("local-1.certs"), ElementsAre("O=espgate, CN=gw"));

  EXPECT_EQ(ask("unload-key", Message().set("id", key.text("id"))).text("success"), "yes");
  EXPECT_EQ(ask("unload-key", Message().set("id", key.text("id"))).text("success"), "no");
  EXPECT_TRUE(conn()->local.credentials.empty());
  EXPECT_EQ(ask("clear-creds").text("success"), "yes");
  EXPECT_TRUE(conn()->remote.trust->anchors().empty());
}

TEST_F(Loading, CertificatesAreListed) {
  EXPECT_EQ(load_cert("NONE", pki::pem(own.cert)).text("success"), "yes");
  EXPECT_EQ(load_cert("ca", pki::pem(root.cert)).text("success"), "yes");
  EXPECT_THAT(load_cert("CA", pki::pem(own.cert)).text("errmsg"), HasSubstr("is no CA certificate"));
  EXPECT_EQ(load_cert("NONE", "banana").text("success"), "no");
  EXPECT_EQ(load_cert("frob", pki::pem(own.cert)).text("success"), "no");
  EXPECT_EQ(ask("load-cert", Message().set("type", "X509_AC").set("data", "x")).text("success"), "no");
  EXPECT_EQ(ask("load-key", Message().set("type", "any").set("data", pki::key_pem(own.key))).text("success"), "yes");
  (void)ask("list-certs", {}, "list-cert");
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].text("type"), "X509");
  EXPECT_EQ(events[0].text("flag"), "NONE");
  EXPECT_EQ(events[0].text("has_privkey"), "yes");
  EXPECT_EQ(events[0].text("data"), text_of(own.cert.der()));
  EXPECT_EQ(events[1].text("flag"), "CA");
  EXPECT_FALSE(events[1].get("has_privkey"));
  (void)ask("list-certs", Message().set("type", "X509").set("flag", "CA"), "list-cert");
  EXPECT_EQ(events.size(), 1U);
  (void)ask("list-certs", Message().set("subject", "O=espgate, CN=gw"), "list-cert");
  EXPECT_EQ(events.size(), 1U);
  (void)ask("list-certs", Message().set("type", "X509_CRL"), "list-cert");
  EXPECT_TRUE(events.empty());
  EXPECT_EQ(ask("flush-certs").text("success"), "yes");
}

TEST_F(Loading, SecretsReachIkeAndNobodyElse) {
  const auto shared = [&](const char* id, const char* type, const char* data) {
    return ask("load-shared",
               Message().set("id", id).set("type", type).set("data", data).list("owners", {"a.example"}));
  };
  EXPECT_EQ(shared("ike-b", "ike", "a long secret").text("success"), "yes");
  EXPECT_EQ(shared("eap-b", "EAP", "another").text("success"), "yes");
  EXPECT_EQ(shared("x", "banana", "another").text("success"), "no");
  EXPECT_EQ(shared("x", "ike", "").text("success"), "no");
  const auto& secrets = daemon.config().ike->secrets;
  ASSERT_EQ(secrets.size(), 2U);  // the file's, and the one that is for IKE
  EXPECT_EQ(secrets[1].name, "ike-b");
  EXPECT_EQ(base::as_text(secrets[1].key.view()), "a long secret");
  EXPECT_EQ(secrets[1].owners.at(0).text(), "a.example");
  EXPECT_THAT(*ask("get-shared").items("keys"), ElementsAre("ike-b", "eap-b"));
  EXPECT_EQ(shared("ike-b", "ike", "a newer secret").text("success"), "yes");
  ASSERT_EQ(daemon.config().ike->secrets.size(), 2U);
  EXPECT_EQ(base::as_text(daemon.config().ike->secrets[1].key.view()), "a newer secret");
  EXPECT_EQ(ask("unload-shared", Message().set("id", "ike-b")).text("success"), "yes");
  EXPECT_EQ(ask("unload-shared", Message().set("id", "ike-b")).text("success"), "no");
  EXPECT_EQ(daemon.config().ike->secrets.size(), 1U);
  EXPECT_THAT(ask("load-token", Message().set("handle", "00")).text("errmsg"), HasSubstr("not supported"));
}

TEST_F(Loading, AuthoritiesAreBelieved) {
  Message body;
  body.set("cacert", text_of(root.cert.der())).list("crl_uris", {"http://crl.example.org/a"});
  EXPECT_EQ(ask("load-authority", Message().section("ours", body)).text("success"), "yes");
  EXPECT_EQ(daemon.config().credentials.cas.size(), 1U);
  EXPECT_THAT(*ask("get-authorities").items("authorities"), ElementsAre("ours"));
  (void)ask("list-authorities", {}, "list-authority");
  EXPECT_EQ(events.at(0).find("ours")->text("cacert"), "O=espgate, CN=root");
  EXPECT_THAT(*events.at(0).find("ours")->items("crl_uris"), ElementsAre("http://crl.example.org/a"));
  EXPECT_EQ(ask("load-authority", Message().section("none", Message())).text("success"), "no");
  EXPECT_EQ(ask("unload-authority", Message().set("name", "ours")).text("success"), "yes");
  EXPECT_EQ(ask("unload-authority", Message().set("name", "ours")).text("success"), "no");
  EXPECT_TRUE(daemon.config().credentials.cas.empty());
}

TEST_F(Loading, PoolsAreListed) {
  const auto pool = [&](const char* name, const char* addrs) {
    return ask("load-pool", Message().section(name, Message().set("addrs", addrs).list("dns", {"10.9.0.1"})));
  };
  const std::pair<const char*, const char*> sizes[] = {
      {"10.9.0.0/24", "254"}, {"10.9.0.5/24", "250"},     {"10.9.0.0/31", "2"},       {"10.9.0.7", "1"},
      {"10.9.0.7/32", "1"},   {"10.9.0.0/30", "2"},       {"10.9.0.1-10.9.0.9", "9"}, {"fec0::/64", "2147483646"},
      {"fec0::1/128", "1"},   {"0.0.0.0/0", "2147483646"}};
  for (const auto& [addrs, size] : sizes) {
    EXPECT_EQ(pool("p", addrs).text("success"), "yes") << addrs;
    EXPECT_EQ(ask("get-pools").find("p")->text("size"), size) << addrs;
  }
  EXPECT_EQ(ask("get-pools").find("p")->text("base"), "%any");
  EXPECT_EQ(pool("q", "banana").text("success"), "no");
  EXPECT_EQ(ask("load-pool", Message().section("q", Message().set("addrs", "10.0.0.0/8").list("frob", {"1"})))
                .text("success"),
            "no");
  EXPECT_EQ(ask("unload-pool", Message().set("name", "p")).text("success"), "yes");
  EXPECT_EQ(ask("unload-pool", Message().set("name", "p")).text("success"), "no");
  EXPECT_TRUE(ask("get-pools").empty());
}

}  // namespace
}  // namespace espgate::control::vici
