// SPDX-License-Identifier: Apache-2.0
// Broken configurations: each error with its exact place and words, all of them in one run.
#include <gtest/gtest.h>

#include "tests/unit/config/config_testing.h"

namespace espgate::control {
namespace {

using Lines = std::vector<std::string>;

Lines errors_of(const std::string& text) { return testing::texts(load_text(text, "f").report.errors); }

// A connection that is right but for `body`, which begins on line 2.
std::string with(const std::string& body, const std::string& child = "") {
  return "connections { a { local { auth = psk\n } remote { auth = psk\n }\n" + body + "\nchildren { net {\n" + child +
         "\n} } } }\n";
}

struct Case {
  const char* name;
  std::string text;
  Lines errors;
};

class Broken : public ::testing::TestWithParam<Case> {};

TEST_P(Broken, SaysWhereAndWhat) {
  EXPECT_EQ(errors_of(GetParam().text), GetParam().errors);
  EXPECT_FALSE(load_text(GetParam().text, "f").config.has_value());
}

const Case grammar_cases[] = {
    {"unclosed_section",
     "a = 1\n  connections {\n",
     {"f:1:1: unknown key a here, expected no key", "f:2:3: section 'connections' is not closed, expected '}'"}},
    {"stray_brace",
     "connections {\n}\n}\n",
     {"f:3:1: there is no section to close, expected a setting, a section or the end"}},
    {"nameless_section", "connections { }\n { x = 1\n }\n", {"f:2:2: a section without a name, expected 'name {'"}},
    {"word_alone",
     "connections {\n  oops\n}\n",
     {"f:2:3: 'oops' stands alone, expected '=' for a setting or '{' for a section"}},
    {"two_words", "foo bar = x\n", {"f:1:1: 'foo' stands alone, expected '=' for a setting or '{' for a section"}},
    {"value_without_key", " = x\n", {"f:1:2: a value without a key, expected 'key = value'"}},
    {"string_as_key", "\"a\" = x\n", {"f:1:1: a quoted string, expected a key or the name of a section"}},
    {"stray_colon", ": x { }\n", {"f:1:1: a ':', expected a key or the name of a section"}},
    {"stray_comma", "\n\n   , x\n", {"f:3:4: a ',', expected a key or the name of a section"}},
    {"unclosed_string", "connections {\n x = \"abc\n}\n", {"f:2:6: the string is not closed, expected '\"'"}},
    {"dotted_name",
     "connections {\n a.b {\n }\n}\n",
     {"f:2:2: the name 'a.b' holds a '.', expected none: dots separate the names of a reference",
      "f:2:2: connection a.b does not say how this side authenticates, expected local { auth = psk }",
      "f:2:2: connection a.b does not say how the peer authenticates, expected remote { auth = psk }"}},
    {"empty_reference",
     "connections : x..y { }\n",
     {"f:1:15: section 'connections' refers to 'x..y', expected names separated by dots, and by commas between "
      "references"}},
    {"no_reference",
     "connections : { }\n",
     {"f:1:15: section 'connections' refers to '', expected names separated by dots, and by commas between "
      "references"}},
    {"references_go_on",
     "connections : x y { }\n",
     {"f:1:17: the references of section 'connections' go on, expected ',' or '{'"}},
    {"control_character",
     std::string("connections { x = a\x01") + "b\n }\n",
     {"f:1:15: unknown key x in connections, expected no key",
      "f:1:19: a control character in a value, expected it quoted"}},
    {"include_nothing", "include  # what?\n", {"f:1:1: include without a file, expected a path or a pattern"}},
};

const Case key_cases[] = {
    {"unknown_section", "conections { }\n", {"f:1:1: unknown section conections here, expected perhaps connections"}},
    {"unknown_key",
     with("  remote_adrs = 10.0.0.1"),
     {"f:4:3: unknown key remote_adrs in a, expected perhaps remote_addrs"}},
    {"unknown_child_key",
     with("", "  hw_ofload = auto"),
     {"f:6:3: unknown key hw_ofload in net, expected perhaps hw_offload"}},
    {"section_as_key", with("  proposals { }"), {"f:4:3: proposals is a setting, expected 'proposals = value'"}},
    {"key_as_section", "secrets = x\n", {"f:1:1: secrets is a section, expected 'secrets { ... }'"}},
    {"not_boolean", with("encap = maybe"), {"f:4:9: encap = maybe is not possible, expected yes or no"}},
    {"not_a_number", with("local_port = http"), {"f:4:14: local_port = http is not possible, expected a whole number"}},
    {"not_a_time",
     with("dpd_delay = 5x"),
     {"f:4:13: dpd_delay = 5x is not possible, expected a time such as 30s, 5m, 4h or 1d"}},
    {"not_a_choice",
     with("", "hw_offload = full"),
     {"f:6:14: hw_offload = full is not possible, expected one of no, auto, crypto, packet, yes"}},
    {"refused_key",
     with("", "reqid = 7"),
     {"f:6:1: reqid is refused: espgate chooses reqids itself: by them it knows what is its own"}},
};

const Case model_cases[] = {
    {"port_range", with("local_port = 70000"), {"f:4:14: local_port = 70000 is out of range, expected 1 to 65535"}},
    {"ikev1", with("version = 1"), {"f:4:11: IKEv1 is not supported, expected version = 2"}},
    {"second_address",
     with("local_addrs = 10.0.0.1, 10.0.0.299"),
     {"f:4:25: 10.0.0.299 is no address, expected an address, a prefix, a range or %any"}},
    {"dns_name",
     with("remote_addrs = gw.example.org"),
     {"f:4:16: names such as gw.example.org are not looked up yet, expected an address"}},
    {"selector",
     with("", "local_ts = 10.0.0.0/8, 10.0.0.0/8[foo/1]"),
     {"f:6:24: unknown protocol foo, expected a name such as tcp or a number"}},
    {"start_without_peer",
     with("", "start_action = start"),
     {"f:6:16: start_action = start needs a peer to call, expected an address among the remote_addrs of a"}},
    {"mode",
     with("", "mode = beet"),
     {"f:6:8: mode = beet is not supported, expected tunnel, transport, pass or drop"}},
    {"no_auth",
     "connections { a {\n local {\n }\n remote { auth = pubkey\n }\n} }\n",
     {"f:2:2: local has no certificate to show, expected certs = FILE and its key in private; or auth = psk",
      "f:4:2: there is no CA certificate to judge the peer of a by, expected one in x509ca, cacerts = FILE or certs = "
      "FILE; or auth = psk"}},
    {"unknown_auth",
     "connections { a {\n local { auth = eap-tls\n }\n remote { auth = rsa-md5\n }\n} }\n",
     {"f:2:2: local has no certificate to show, expected certs = FILE and its key in private; or auth = psk",
      "f:2:17: auth = eap-tls is not supported yet, expected psk or pubkey",
      "f:4:2: there is no CA certificate to judge the peer of a by, expected one in x509ca, cacerts = FILE or certs = "
      "FILE; or auth = psk",
      "f:4:18: \"md5\" in \"rsa-md5\" is no signature that is known, expected one like \"pubkey\", "
      "\"rsa-2048-sha256\", \"rsa/pss-sha256\", \"ecdsa-sha384\" or \"ed25519\", or psk"}},
    {"two_rounds",
     "connections { a {\n local-1 { auth = psk\n }\n local-2 { auth = psk\n }\n remote { auth = psk\n }\n} }\n",
     {"f:4:2: a second local round is not supported yet, expected one"}},
    {"secret_missing", "secrets {\n ike-a {\n }\n}\n", {"f:2:2: ike-a has no key, expected secret = ..."}},
    {"secret_hex",
     "secrets {\n ike-a { secret = 0x123\n }\n}\n",
     {"f:2:19: the secret is not hex, expected an even count of hex digits after 0x"}},
    {"loopback",
     "gateway { interfaces = eth0, lo\n }\n",
     {"f:1:30: lo offloads nothing and is never worked on, expected another device"}},
    {"retransmission",
     "gateway {\n retransmit_base = 0.5\n }\n",
     {"f:2:20: retransmit_base = 0.5 is out of range, expected 1 to 10"}},
    {"steering",
     "gateway {\n steer {\n  slots = many\n  factor = 0.5\n }\n}\n",
     {"f:3:11: slots = many is neither learned nor a number of slots, expected 0 to 16777216",
      "f:4:12: factor = 0.5 is out of range, expected 1 to 100"}},
    {"shield",
     "gateway {\n shield {\n  mode = hard\n  unknown_spi = pass\n  cookie_rate = 10000001\n  source_rate = many\n"
     "  allow = 192.0.2.1, 0.0.0.0/0, gw.example.org\n }\n}\n",
     {"f:3:10: mode = hard is not possible, expected one of off, generic, native",
      "f:4:17: unknown_spi = pass is not possible, expected one of count, drop",
      "f:5:17: cookie_rate = 10000001 is out of range, expected 0 to 10000000",
      "f:6:17: source_rate = many is not possible, expected a whole number",
      "f:7:22: 0.0.0.0/0 is everybody, expected fewer; mode = off lets all pass",
      "f:7:33: names such as gw.example.org are not looked up yet, expected an address"}},
    {"a_dispatcher_and_generic_xdp",
     "gateway {\n shield {\n  mode = generic\n  dispatcher = yes\n }\n}\n",
     {"f:4:16: a dispatcher is attached natively, expected mode = native or off beside dispatcher = yes"}},
    {"a_dispatcher_and_a_spread",
     "gateway {\n spread = 0, 1\n shield {\n  dispatcher = yes\n }\n}\n",
     {"f:2:11: a program in a dispatcher cannot spread, expected none beside shield.dispatcher = yes"}},
    {"cpus_to_spread_over",
     "gateway { spread = 0, second, 5000\n }\n",
     {"f:1:23: second is no CPU, expected none or numbers from 0 to 4095",
      "f:1:31: 5000 is no CPU, expected none or numbers from 0 to 4095"}},
    {"all_at_once",
     "oops\ngateway {\n workers = 0\n no_such = 1\n}\nsecrets { ike { secret = 0sx\n } }\n",
     {"f:1:1: 'oops' stands alone, expected '=' for a setting or '{' for a section",
      "f:3:12: workers = 0 is out of range, expected 1 to 64",
      "f:4:2: unknown key no_such in gateway, expected one of interfaces, hw_offload, esp_floor, offload_without_esn, "
      "probe, workers, max_sas, spread, "
      "on_stop, "
      "cookie_threshold, half_open_limit, half_open_per_source, half_open_timeout, keep_alive, install_timeout, "
      "retransmit_tries, "
      "retransmit_timeout, "
      "retransmit_base, retransmit_limit, fragment_size, install_routes, routing_table, routing_table_prio",
      "f:6:26: the secret is not base64, expected base64 after 0s"}},
};

std::string name_of(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Grammar, Broken, ::testing::ValuesIn(grammar_cases), name_of);
INSTANTIATE_TEST_SUITE_P(Keys, Broken, ::testing::ValuesIn(key_cases), name_of);
INSTANTIATE_TEST_SUITE_P(Model, Broken, ::testing::ValuesIn(model_cases), name_of);

TEST(BrokenProposal, NamesTheWord) {
  const auto errors = errors_of(with("proposals = aes128gcm16-prfsha256-x25519, aes128-foo"));
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_TRUE(errors[0].starts_with("f:4:43: ")) << errors[0];
  EXPECT_NE(errors[0].find("foo"), std::string::npos) << errors[0];
}

TEST(BrokenSecret, IsNeverShown) {
  for (const auto& error : errors_of("secrets { ike { secret = 0xhunter2\n pin = hunter2\n } }\n")) {
    EXPECT_EQ(error.find("hunter2"), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace espgate::control
