// SPDX-License-Identifier: Apache-2.0
// One end of a child SA: sad/ over the kernel of a namespace. Keys are fixed, and crossed between the ends.
#pragma once

#include <string>
#include <vector>

#include "sad/pump.h"
#include "tests/lab/xfrm/playground.h"

namespace espgate::sad {

using base::OffloadWanted;

inline base::Address address(std::string_view text) { return *base::Address::parse(text); }
inline std::vector<base::TrafficSelector> net(std::string_view prefix) {
  return {base::TrafficSelector::of(*base::Prefix::parse(prefix))};
}

inline base::Secret key(std::size_t octets, std::uint8_t seed) {
  base::Secret out(octets);
  for (std::size_t i = 0; i < octets; ++i) out.bytes()[i] = static_cast<std::uint8_t>(seed + i);
  return out;
}

struct Form {
  const char* name;
  base::EspSuite suite;
  bool inner_v6, outer_v6;
};
inline const base::EspSuite kGcm{};
inline const base::EspSuite kGcmEsn{base::EspCipher::aes_gcm_16, 256, base::EspAuth::none, true};
inline const base::EspSuite kCbc{base::EspCipher::aes_cbc, 256, base::EspAuth::hmac_sha2_256_128, false};

// One end: a Sad and its kernel.
struct End {
  End(const lab::Namespace& in, int number) : ns(in), kernel(in.kernel()), self(number) {}

  void carry_out(Outputs outputs) {
    pump(sad, kernel, {}, std::move(outputs), [this](Output&& output) {
      if (auto* answer = std::get_if<ike::ChildAnswer>(&output)) answers.push_back(*answer);
      if (auto* notice = std::get_if<Notice>(&output)) log += notice->text + "\n";
    });
  }
  [[nodiscard]] std::string inner(bool v6, int side) const {
    return v6 ? "2001:db8:" + std::to_string(side) + "::/48" : "10." + std::to_string(side) + ".0.0/16";
  }
  void plan(bool v6) {
    ChildPlan child;
    child.conn = "site";
    child.child = "net";
    child.local_ts = net(inner(v6, self));
    child.remote_ts = net(inner(v6, 3 - self));
    carry_out(sad.on_plan({}, Plan{{child}}));
  }
  bool install(const Form& form, OffloadWanted wanted, const InstallContext& context) {
    ike::InstallChild what;
    auto& child = what.child;
    what.id = {1};
    child.id = {1};
    child.conn = "site";
    child.child = "net";
    const std::string outer = form.outer_v6 ? "2001:db8::" : "192.0.2.";
    child.local = {address(outer + std::to_string(self)), 500};
    child.remote = {address(outer + std::to_string(3 - self)), 500};
    child.suite = form.suite;
    child.spi_in = {0x1000U + static_cast<std::uint32_t>(self)};
    child.spi_out = {0x1000U + static_cast<std::uint32_t>(3 - self)};
    child.local_ts = net(inner(form.inner_v6, self));
    child.remote_ts = net(inner(form.inner_v6, 3 - self));
    child.offload = wanted;
    const auto cipher = form.suite.cipher_key_octets();
    const auto auth = form.suite.auth_key_octets();
    child.keys.cipher_in = key(cipher, static_cast<std::uint8_t>(40 * self));
    child.keys.cipher_out = key(cipher, static_cast<std::uint8_t>(40 * (3 - self)));
    child.keys.auth_in = key(auth, static_cast<std::uint8_t>(40 * self + 1));
    child.keys.auth_out = key(auth, static_cast<std::uint8_t>(40 * (3 - self) + 1));
    carry_out(sad.on_install({}, std::move(what), context));
    return std::holds_alternative<ike::ChildInstalled>(answers.back().result);
  }

  const lab::Namespace& ns;
  xfrm::NetlinkKernel kernel;
  int self;
  Sad sad;
  std::vector<ike::ChildAnswer> answers;
  std::string log;
};

inline bool ping(const lab::Namespace& from, bool v6, const char* options = "-c1 -W1") {
  const std::string to = v6 ? "2001:db8:2::1" : "10.2.0.1";
  return from.run(std::string("ping -q ") + options + " " + to + " >/dev/null 2>&1") == 0;
}

}  // namespace espgate::sad
