// SPDX-License-Identifier: Apache-2.0
// IKE_SA_INIT requests for the BPF tests, payload by payload: IkeInit().sa().ke().nonce().bytes(). Lengths and the
// chain of next payloads are filled in by bytes().
#pragma once

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <cstdint>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"

namespace espgate::test {

inline constexpr std::uint8_t payload_sa = 33, payload_ke = 34, payload_nonce = 40, payload_notify = 41,
                              payload_vendor = 43;

inline base::Bytes octets_from(std::uint8_t first, std::size_t count) {
  base::Bytes out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<std::uint8_t>(first + i);
  return out;
}

class IkeInit {
 public:
  IkeInit& spi(base::ByteView eight) {
    spi_.assign(eight.begin(), eight.end());
    return *this;
  }
  IkeInit& payload(std::uint8_t type, base::ByteView content) {
    payloads_.push_back({type, {content.begin(), content.end()}, 0});
    return *this;
  }
  IkeInit& notify(std::uint16_t type, base::ByteView value, std::uint8_t protocol = 0, std::uint8_t spi_size = 0) {
    base::ByteWriter out;
    out.u8(protocol);
    out.u8(spi_size);
    out.u16(type);
    out.put(value);
    return payload(payload_notify, out.view());
  }
  IkeInit& cookie(base::ByteView value) { return notify(16390, value); }
  IkeInit& sa() { return payload(payload_sa, base::Bytes(44, 1)); }
  IkeInit& ke(std::size_t octets = 36) { return payload(payload_ke, base::Bytes(octets, 2)); }
  IkeInit& nonce(base::ByteView value) { return payload(payload_nonce, value); }
  IkeInit& nonce() { return nonce(octets_from(0x18, 32)); }
  // The last payload says that it has so many octets.
  IkeInit& says(std::uint16_t octets) {
    payloads_.back().lie = octets;
    return *this;
  }
  IkeInit& message_says(std::uint32_t octets) {
    lie_ = octets;
    return *this;
  }
  IkeInit& header(std::uint8_t version, std::uint8_t exchange, std::uint8_t flags, std::uint32_t message_id = 0,
                  std::uint64_t responder_spi = 0) {
    version_ = version;
    exchange_ = exchange;
    flags_ = flags;
    message_id_ = message_id;
    responder_spi_ = responder_spi;
    return *this;
  }

  [[nodiscard]] base::Bytes bytes() const {
    base::ByteWriter out;
    out.put(spi_);
    out.u64(responder_spi_);
    out.u8(payloads_.empty() ? 0 : payloads_[0].type);
    out.u8(version_);
    out.u8(exchange_);
    out.u8(flags_);
    out.u32(message_id_);
    out.u32(0);
    for (std::size_t i = 0; i < payloads_.size(); ++i) {
      out.u8(i + 1 < payloads_.size() ? payloads_[i + 1].type : 0);
      out.u8(0);
      out.u16(payloads_[i].lie != 0 ? payloads_[i].lie : static_cast<std::uint16_t>(payloads_[i].content.size() + 4));
      out.put(payloads_[i].content);
    }
    out.patch_u32(24, lie_ != 0 ? lie_ : static_cast<std::uint32_t>(out.size()));
    return out.take();
  }

 private:
  struct Payload {
    std::uint8_t type;
    base::Bytes content;
    std::uint16_t lie;
  };
  base::Bytes spi_ = octets_from(0, 8);
  std::uint8_t version_ = 0x20, exchange_ = 34, flags_ = 0x08;
  std::uint32_t message_id_ = 0, lie_ = 0;
  std::uint64_t responder_spi_ = 0;
  std::vector<Payload> payloads_;
};

// A whole request as initiators send it.
inline IkeInit usual_init() { return IkeInit().sa().ke().nonce().notify(16388, base::Bytes(20, 3)); }

// SipHash-2-4 by OpenSSL; 8 octets as the reference writes them.
inline base::Bytes siphash24(base::ByteView key, base::ByteView input) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(mac);
  unsigned size = 8;
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end()};
  base::Bytes out(8);
  std::size_t written = 0;
  if (EVP_MAC_init(context, key.data(), key.size(), params) != 1 ||
      EVP_MAC_update(context, input.data(), input.size()) != 1 ||
      EVP_MAC_final(context, out.data(), &written, out.size()) != 1)
    out.clear();
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
  return out;
}

// The cookie as maps/abi.h has it.
inline base::Bytes cookie_for(std::uint8_t number, base::ByteView key, base::ByteView spi, const base::Address& source,
                              base::ByteView nonce) {
  base::ByteWriter input;
  input.put(spi);
  input.put(source.raw());
  input.put(nonce);
  base::Bytes out{number};
  const base::Bytes hash = siphash24(key, input.view());
  out.insert(out.end(), hash.begin(), hash.end());
  return out;
}

}  // namespace espgate::test
