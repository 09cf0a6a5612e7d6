// SPDX-License-Identifier: Apache-2.0
// vici on the wire (strongSwan src/libcharon/plugins/vici/README.md): frames of a 32-bit length and a packet, the
// packet's type, its name where the type has one, and the message's elements. Strict: whatever is malformed, too deep
// or too large is refused, nothing is guessed.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "control/vici/message.h"

namespace espgate::control::vici {

inline constexpr std::size_t max_packet = 512U << 10U;  // octets after the length; strongSwan's limit
inline constexpr std::size_t max_depth = 32;            // sections within sections

enum class PacketType : std::uint8_t {
  request = 0,
  response = 1,
  unknown_command = 2,
  register_event = 3,
  unregister_event = 4,
  event_confirm = 5,
  event_unknown = 6,
  event = 7,
};

struct Packet {
  PacketType type{};
  std::string name;  // of the command or event: request, register, unregister, event
  Message message;   // request, response, event
  bool operator==(const Packet&) const = default;
};

// The elements of a message. Errors: a name over 255 octets, a value over 65535, or the limits above.
std::expected<base::Bytes, std::string> encode(const Message& message);
std::expected<Message, std::string> decode(base::ByteView elements);

// A packet with its length in front, and a packet without.
std::expected<base::Bytes, std::string> encode_frame(const Packet& packet);
std::expected<Packet, std::string> decode_packet(base::ByteView packet);

// Cuts a stream into packets.
class Framer {
 public:
  Framer() = default;
  Framer(Framer&&) = default;
  Framer& operator=(Framer&&) = default;
  ~Framer();
  // Takes octets from the stream; an error (a length of 0 or above max_packet) is for ever.
  std::expected<void, std::string> feed(base::ByteView octets);
  // The next whole packet, without its length; nullopt: more octets are needed. Good until the next call.
  std::optional<base::ByteView> next();
  [[nodiscard]] std::size_t buffered() const { return buffer_.size() - at_; }

 private:
  [[nodiscard]] std::optional<std::uint32_t> length() const;
  base::Bytes buffer_;
  std::size_t at_ = 0;
};

}  // namespace espgate::control::vici
