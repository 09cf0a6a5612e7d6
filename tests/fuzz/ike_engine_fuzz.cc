// SPDX-License-Identifier: Apache-2.0
// Strangers' datagrams into an engine with a config. The input is a list of records: operation, u16 length, data.
//   0 a datagram as it is        1 the same, with the SPIs of the last message that the engine sent
//   2 time passes, as many milliseconds as the length says (no data)        3 the engine starts a connection
// No secret is known to the input, so nobody may come to be authenticated: no child is ever installed.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/bytes.h"
#include "ike/crypto/rng.h"
#include "ike/engine.h"
#include "ike/wire/header.h"

namespace {

using namespace espgate;

std::shared_ptr<const ike::Config> make_config() {
  auto conn = std::make_shared<ike::ConnConfig>();
  conn->name = "site";
  for (const char* text : {"aes128gcm16-prfsha256-x25519", "aes256-sha256-ecp256",
                           "aes128gcm16-prfsha256-x25519-ke1_ecp256-ke2_x448-ke2_none"}) {
    const auto parsed = ike::parse_proposals(ike::Protocol::ike, text);
    conn->proposals.insert(conn->proposals.end(), parsed->begin(), parsed->end());
  }
  ike::ChildConfig child;
  child.name = "net";
  child.esp_proposals = *ike::parse_proposals(ike::Protocol::esp, "aes128gcm16");
  conn->children.push_back(std::move(child));
  auto out = std::make_shared<ike::Config>();
  out->conns.push_back(std::move(conn));
  out->secrets.push_back({"psk", {}, base::Secret::copy_of(base::as_bytes("secret"))});
  return out;
}

class Play {
 public:
  Play() : rng_(1), engine_({}, rng_) { act(engine_.on_command(now_, ike::Load{make_config()})); }

  void run(base::ByteReader in) {
    while (!in.done()) {
      const auto operation = in.u8().value_or(0) % 4;
      const auto length = in.u16().value_or(0);
      if (operation == 2) {
        pass(length);
      } else if (operation == 3) {
        act(engine_.on_command(now_, ike::Initiate{{++commands_}, "site", "", local_, remote_}));
      } else {
        datagram(operation == 1, in.take(std::min<std::size_t>(length, in.left())).value_or(base::ByteView()));
      }
    }
    pass(1'000'000);  // whatever was started must come to its end
    if (engine_.next_timer()) std::abort();
  }

 private:
  void datagram(bool patch, base::ByteView data) {
    ike::Datagram out{local_, remote_, false, {data.begin(), data.end()}};
    if (patch && out.data.size() >= 16 && last_.size() >= 16) {
      // After our own IKE_SA_INIT only the initiator's SPI is known: the answer brings the other.
      const bool half = std::all_of(last_.begin() + 8, last_.begin() + 16, [](auto octet) { return octet == 0; });
      std::copy_n(last_.begin(), half ? 8 : 16, out.data.begin());
    }
    act(engine_.on_datagram(now_, std::move(out)));
  }
  void pass(int milliseconds) {
    const auto until = now_ + std::chrono::milliseconds(milliseconds);
    for (auto next = engine_.next_timer(); next && *next <= until; next = engine_.next_timer()) {
      now_ = std::max(now_, *next);
      act(engine_.on_timer(now_));
    }
    now_ = until;
  }
  void act(std::vector<ike::Action> actions) {
    for (auto& action : actions) {
      if (std::holds_alternative<ike::InstallChild>(action)) std::abort();
      if (auto* send = std::get_if<ike::Send>(&action)) last_ = std::move(send->datagram.data);
    }
  }

  ike::crypto::SeededRng rng_;
  ike::Engine engine_;
  base::Instant now_{};
  base::Endpoint local_{*base::Address::parse("192.0.2.1"), 500}, remote_{*base::Address::parse("192.0.2.2"), 500};
  base::Bytes last_;
  std::uint64_t commands_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Play().run(base::ByteReader({data, size}));
  return 0;
}
