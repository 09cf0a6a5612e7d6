// SPDX-License-Identifier: Apache-2.0
// An initiator that knows the secret and does what a test says: everything that a peer can send after it has proved who
// it is, right or wrong. It speaks one suite and keeps its own message ids.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "ike/crypto/auth.h"
#include "ike/crypto/key_exchange.h"
#include "ike/crypto/keys.h"
#include "ike/crypto/sk_cipher.h"
#include "ike/select.h"
#include "ike/wire/sealed.h"
#include "tests/sim/pair.h"

namespace espgate::sim {

class ScriptedPeer {
 public:
  ScriptedPeer(Net& net, Host& host, std::uint64_t seed) : net_(net), host_(host), rng_(seed) {
    exchange_.emplace(*ike::crypto::KeyExchange::generate(ike::crypto::kGroupX25519, rng_));
    spi_ = {rng_.u64()};
    nonce_ = rng_.bytes(32);
  }

  // ------------------------------------------------------------------------------------------- IKE_SA_INIT
  [[nodiscard]] ike::wire::Payloads init_payloads() const {
    return {ike::offer(proposals(ike::Protocol::ike, "aes128gcm16-prfsha256-x25519"), {}),
            ike::wire::KePayload{ike::crypto::kGroupX25519, exchange_->public_value()},
            ike::wire::NoncePayload{nonce_}};
  }
  // What came back; nothing: silence.
  std::optional<ike::wire::Message> init(const ike::wire::Payloads& payloads) {
    request_ = ike::wire::write_message(header(ike::wire::ExchangeType::ike_sa_init), payloads);
    auto answer = deliver(request_);
    if (!answer) return std::nullopt;
    response_ = *answer;
    return *ike::wire::parse_message(response_);
  }
  // Keys from a good answer.
  bool derive(const ike::wire::Message& answer) {
    const auto* ke = ike::wire::find<ike::wire::KePayload>(answer.payloads);
    const auto* nonce = ike::wire::find<ike::wire::NoncePayload>(answer.payloads);
    if (ke == nullptr || nonce == nullptr) return false;
    responder_spi_ = answer.header.spi_r;
    const auto shared = exchange_->derive(ke->data);
    prf_.emplace(*ike::crypto::Prf::make(suite_.prf));
    peer_nonce_ = nonce->data;
    const ike::crypto::Exchange sides{nonce_, peer_nonce_, spi_, responder_spi_};
    const auto seed = ike::crypto::skeyseed(*prf_, shared->view(), sides);
    keys_ = std::move(*ike::crypto::ike_keys(suite_, seed->view(), sides));
    out_.emplace(*ike::crypto::SkCipher::make(suite_, keys_.ei.view(), keys_.ai.view()));
    in_.emplace(*ike::crypto::SkCipher::make(suite_, keys_.er.view(), keys_.ar.view()));
    return true;
  }

  // ------------------------------------------------------------------------------------------- what follows
  [[nodiscard]] ike::wire::Payloads child_payloads(bool with_nonce) {
    ike::wire::Payloads out{ike::offer(proposals(ike::Protocol::esp, "aes128gcm16"), rng_.bytes(4))};
    if (with_nonce) out.emplace_back(ike::wire::NoncePayload{rng_.bytes(32)});
    out.emplace_back(ike::wire::TsPayload{true, {base::TrafficSelector::of(*base::Prefix::parse("10.1.0.0/16"))}, 0});
    out.emplace_back(ike::wire::TsPayload{false, {base::TrafficSelector::of(*base::Prefix::parse("10.2.0.0/16"))}, 0});
    return out;
  }
  [[nodiscard]] ike::wire::Payloads auth_payloads(const std::string& secret = "correct horse battery staple") {
    const ike::wire::IdPayload id{true, ike::Identity::of(address_), {}};
    const auto octets = id.signed_octets();
    const auto proof =
        ike::crypto::psk_auth(*prf_, base::as_bytes(secret), {request_, peer_nonce_, keys_.pi.view(), octets});
    ike::wire::Payloads out{id, ike::wire::AuthPayload{ike::wire::kAuthSharedKey, *proof}};
    for (auto& payload : child_payloads(false)) out.push_back(std::move(payload));
    return out;
  }
  // What the initiator's AUTH is made over.
  [[nodiscard]] base::Bytes signed_octets(const ike::wire::IdPayload& id) const {
    const auto octets = id.signed_octets();
    return *ike::crypto::signed_octets(*prf_, {request_, peer_nonce_, keys_.pi.view(), octets});
  }
  // An IKE SA and a child, or the test is wrong.
  void establish() {
    const auto answer = init(init_payloads());
    ASSERT_TRUE(answer && derive(*answer));
    const auto done = request(ike::wire::ExchangeType::ike_auth, auth_payloads());
    ASSERT_TRUE(done && ike::wire::find<ike::wire::SaPayload>(*done) != nullptr);
  }
  std::optional<ike::wire::Payloads> request(ike::wire::ExchangeType exchange, const ike::wire::Payloads& payloads) {
    base::ByteWriter inner;
    const auto first = ike::wire::write_payloads(inner, payloads);
    return request(exchange, first, inner.take());
  }
  // The same with the inside of SK as it is given.
  std::optional<ike::wire::Payloads> request(ike::wire::ExchangeType exchange, ike::wire::PayloadType first,
                                             base::Bytes inner) {
    inner.push_back(0);  // pad length; a stream cipher's blocks are of one octet
    auto head = header(exchange);
    const std::size_t length = ike::wire::kGenericHeaderOctets + out_->sealed_octets(inner.size());
    head.spi_r = responder_spi_;
    head.message_id = ++last_id_;
    head.next = ike::wire::PayloadType::sk;
    head.length = static_cast<std::uint32_t>(ike::wire::kHeaderOctets + length);
    base::ByteWriter message;
    ike::wire::write_header(message, head);
    message.u8(static_cast<std::uint8_t>(first));
    message.u8(0);
    message.u16(static_cast<std::uint16_t>(length));
    EXPECT_TRUE(out_->seal(message, inner, rng_));
    auto answer = deliver(message.take());
    if (!answer) return std::nullopt;
    auto opened = ike::wire::open(*answer, *in_);
    EXPECT_TRUE(opened.has_value());
    return opened ? std::optional(std::move(*opened)) : std::nullopt;
  }
  std::uint32_t& last_id() { return last_id_; }

 protected:
  [[nodiscard]] ike::wire::Header header(ike::wire::ExchangeType exchange) const {
    ike::wire::Header out;
    out.spi_i = spi_;
    out.exchange = exchange;
    out.from_initiator = true;
    return out;
  }
  std::optional<base::Bytes> deliver(const base::Bytes& message) {
    const auto before = host_.sent.size();
    host_.datagram({{host_.address(), 500}, {address_, 500}, false, message});
    net_.run(milliseconds(100));
    for (std::size_t i = before; i < host_.sent.size(); ++i) {
      const auto& [at, datagram] = host_.sent[i];
      const auto head = ike::wire::peek_header(datagram.data);
      if (datagram.remote.address == address_ && head && head->response && head->spi_i == spi_) return datagram.data;
    }
    return std::nullopt;
  }

  Net& net_;
  Host& host_;
  ike::crypto::SeededRng rng_;
  base::Address address_ = *base::Address::parse("192.0.2.77");
  ike::crypto::IkeSuite suite_;
  std::optional<ike::crypto::KeyExchange> exchange_;
  std::optional<ike::crypto::Prf> prf_;
  ike::crypto::IkeKeys keys_;
  std::optional<ike::crypto::SkCipher> in_, out_;
  base::IkeSpi spi_, responder_spi_;
  base::Bytes nonce_, peer_nonce_, request_, response_;
  std::uint32_t last_id_ = 0;
};

}  // namespace espgate::sim
