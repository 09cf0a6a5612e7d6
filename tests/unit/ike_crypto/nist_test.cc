// SPDX-License-Identifier: Apache-2.0
// All 900 cases of NIST's CAVS vectors for the IKEv2 key derivation.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

#include "ike/crypto/keys.h"
#include "tests/unit/ike_crypto/hex.h"

namespace espgate::ike::crypto {
namespace {

using Fields = std::map<std::string, std::string>;

// "name = value", with or without brackets and carriage return; false for other lines.
bool split(std::string line, std::string& name, std::string& value) {
  std::erase_if(line, [](char c) { return c == '\r' || c == '[' || c == ']'; });
  const auto at = line.find(" = ");
  if (at == std::string::npos || line.front() == '#') return false;
  name = line.substr(0, at);
  value = line.substr(at + 3);
  return true;
}

std::uint16_t prf_of(const std::string& hash) {
  if (hash == "SHA-1") return kPrfHmacSha1;
  if (hash == "SHA-256") return kPrfHmacSha256;
  if (hash == "SHA-384") return kPrfHmacSha384;
  return kPrfHmacSha512;
}

std::uint64_t number(const base::Bytes& octets) { return base::ByteReader(octets).u64().value(); }

void check_case(const std::string& hash, const Fields& fields) {
  const auto octets = [&](const char* name) { return hex(fields.at(name)); };
  const auto prf = Prf::make(prf_of(hash)).value();
  const auto ni = octets("Ni"), nr = octets("Nr"), shared = octets("g^ir"), fresh = octets("g^ir (new)");
  const Exchange exchange{ni, nr, {number(octets("SPIi"))}, {number(octets("SPIr"))}};

  const auto seed = skeyseed(prf, shared, exchange).value();
  EXPECT_EQ(text_of(seed.view()), fields.at("SKEYSEED"));

  const std::size_t dkm_octets = std::stoul(fields.at("DKM length")) / 8;
  const auto dkm = ike_keymat(prf, seed.view(), exchange, dkm_octets).value();
  EXPECT_EQ(text_of(dkm.view()), fields.at("DKM"));

  const std::size_t child_octets = std::stoul(fields.at("Child SA DKM length")) / 8;
  const auto sk_d = dkm.part(0, prf.octets());
  const auto child = child_keymat(prf, sk_d, {}, ni, nr, child_octets).value();
  EXPECT_EQ(text_of(child.view()), fields.at("DKM(Child SA)"));
  const auto child_dh = child_keymat(prf, sk_d, {fresh}, ni, nr, child_octets).value();
  EXPECT_EQ(text_of(child_dh.view()), fields.at("DKM(Child SA D-H)"));

  const auto rekeyed = rekeyed_skeyseed(prf, sk_d, fresh, exchange).value();
  EXPECT_EQ(text_of(rekeyed.view()), fields.at("SKEYSEED(Rekey)"));
}

TEST(NistKdf, AllCases) {
  std::ifstream file("tests/vectors/nist-cavs-ikev2-kdf.txt");
  ASSERT_TRUE(file) << "run from the project's root";
  std::string hash, line, name, value;
  Fields fields;
  int cases = 0;
  while (std::getline(file, line)) {
    if (line.starts_with("[SHA-")) hash = line.substr(1, line.find(']') - 1);
    if (!split(line, name, value)) continue;
    fields[name] = value;
    if (name != "SKEYSEED(Rekey)") continue;
    SCOPED_TRACE(hash + ", Ni length " + fields["Ni length"] + ", COUNT " + fields["COUNT"]);
    check_case(hash, fields);
    ++cases;
    if (HasFailure()) break;
  }
  EXPECT_EQ(cases, 900);
}

}  // namespace
}  // namespace espgate::ike::crypto
