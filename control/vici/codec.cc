// SPDX-License-Identifier: Apache-2.0
#include "control/vici/codec.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/secret.h"

namespace espgate::control::vici {
namespace {

enum class Element : std::uint8_t {
  section_start = 1,
  section_end = 2,
  key_value = 3,
  list_start = 4,
  list_item = 5,
  list_end = 6,
};

constexpr std::size_t longest_name = 255;
constexpr std::size_t longest_value = 65535;

void put(base::ByteWriter& out, Element element) { out.u8(static_cast<std::uint8_t>(element)); }

bool put_name(base::ByteWriter& out, std::string_view name) {
  if (name.size() > longest_name) return false;
  out.u8(static_cast<std::uint8_t>(name.size()));
  out.put(base::as_bytes(name));
  return true;
}

bool put_value(base::ByteWriter& out, std::string_view value) {
  if (value.size() > longest_value) return false;
  out.u16(static_cast<std::uint16_t>(value.size()));
  out.put(base::as_bytes(value));
  return true;
}

bool put_list(base::ByteWriter& out, const std::vector<std::string>& items) {
  for (const auto& item : items) {
    put(out, Element::list_item);
    if (!put_value(out, item)) return false;
  }
  put(out, Element::list_end);
  return true;
}

bool put_message(base::ByteWriter& out, const Message& message, std::size_t depth);

bool put_entry(base::ByteWriter& out, const Message::Entry& entry, std::size_t depth) {
  switch (entry.kind) {
    case Message::Kind::value:
      put(out, Element::key_value);
      return put_name(out, entry.name) && put_value(out, entry.text);
    case Message::Kind::list:
      put(out, Element::list_start);
      return put_name(out, entry.name) && put_list(out, entry.items);
    case Message::Kind::section:
      put(out, Element::section_start);
      if (depth >= max_depth || !put_name(out, entry.name)) return false;
      if (!put_message(out, entry.section(), depth + 1)) return false;
      put(out, Element::section_end);
      return true;
  }
  return false;
}

bool put_message(base::ByteWriter& out, const Message& message, std::size_t depth) {
  for (const auto& entry : message.entries()) {
    if (!put_entry(out, entry, depth)) return false;
  }
  return true;
}

class Decoder {
 public:
  explicit Decoder(base::ByteView data) : in_(data) {}

  std::expected<Message, std::string> message() {
    Message out;
    if (!elements(out, 0)) return std::unexpected(fmt::format("octet {}: {}", in_.position(), why_));
    return out;
  }

 private:
  bool fail(const char* why) {
    why_ = why;
    return false;
  }

  bool name(std::string& out) {
    const auto size = in_.u8();
    const auto bytes = size ? in_.take(*size) : std::nullopt;
    if (!bytes) return fail("a name ends too early");
    out = base::as_text(*bytes);
    return true;
  }

  bool value(std::string& out) {
    const auto size = in_.u16();
    const auto bytes = size ? in_.take(*size) : std::nullopt;
    if (!bytes) return fail("a value ends too early");
    out = base::as_text(*bytes);
    return true;
  }

  // Until the section ends; at depth 0 until the message does.
  bool elements(Message& into, std::size_t depth) {
    while (!in_.done()) {
      const auto element = static_cast<Element>(*in_.u8());
      if (element == Element::section_end) return depth > 0 || fail("a section ends that did not start");
      if (!one(element, into, depth)) return false;
    }
    return depth == 0 || fail("a section does not end");
  }

  bool one(Element element, Message& into, std::size_t depth) {
    std::string key;
    switch (element) {
      case Element::section_start:
        if (depth >= max_depth) return fail("sections nest too deeply");
        return name(key) && elements(into.open(key), depth + 1);
      case Element::key_value: {
        std::string text;
        if (!name(key) || !value(text)) return false;
        into.take(std::move(key), std::move(text));
        return true;
      }
      case Element::list_start: {
        std::vector<std::string> items;
        if (!name(key) || !list(items)) return false;
        into.list(key, std::move(items));
        return true;
      }
      default:
        return fail("an element that does not belong there");
    }
  }

  bool list(std::vector<std::string>& items) {
    for (;;) {
      const auto element = in_.u8();
      if (!element) return fail("a list does not end");
      if (*element == static_cast<std::uint8_t>(Element::list_end)) return true;
      if (*element != static_cast<std::uint8_t>(Element::list_item))
        return fail("a list holds something else than items");
      if (!value(items.emplace_back())) return false;
    }
  }

  base::ByteReader in_;
  const char* why_ = "";
};

bool has_name(PacketType type) {
  return type == PacketType::request || type == PacketType::register_event || type == PacketType::unregister_event ||
         type == PacketType::event;
}

bool has_message(PacketType type) {
  return type == PacketType::request || type == PacketType::response || type == PacketType::event;
}

constexpr std::size_t length_octets = 4;

}  // namespace

std::expected<base::Bytes, std::string> encode(const Message& message) {
  base::ByteWriter out;
  if (!put_message(out, message, 0)) return std::unexpected("a name, a value or the nesting is too large for vici");
  return out.take();
}

std::expected<Message, std::string> decode(base::ByteView elements) { return Decoder(elements).message(); }

std::expected<base::Bytes, std::string> encode_frame(const Packet& packet) {
  base::ByteWriter out;
  out.u32(0);
  out.u8(static_cast<std::uint8_t>(packet.type));
  bool good = !has_name(packet.type) || put_name(out, packet.name);
  good = good && (!has_message(packet.type) || put_message(out, packet.message, 0));
  if (!good) return std::unexpected("a name, a value or the nesting is too large for vici");
  const auto length = out.size() - length_octets;
  if (length > max_packet) return std::unexpected(fmt::format("a packet of {} octets is too large for vici", length));
  out.patch_u32(0, static_cast<std::uint32_t>(length));
  return out.take();
}

std::expected<Packet, std::string> decode_packet(base::ByteView packet) {
  base::ByteReader in(packet);
  Packet out;
  const auto type = in.u8();
  if (!type) return std::unexpected("an empty packet");
  if (*type > static_cast<std::uint8_t>(PacketType::event))
    return std::unexpected(fmt::format("packet type {}", *type));
  out.type = static_cast<PacketType>(*type);
  if (has_name(out.type)) {
    const auto size = in.u8();
    const auto bytes = size ? in.take(*size) : std::nullopt;
    if (!bytes || bytes->empty()) return std::unexpected("a packet without the name it needs");
    out.name = base::as_text(*bytes);
  }
  if (has_message(out.type)) {
    auto message = decode(in.rest());
    if (!message) return std::unexpected(message.error());
    out.message = std::move(*message);
  } else if (!in.done()) {
    return std::unexpected("a packet with something behind its end");
  }
  return out;
}

std::optional<std::uint32_t> Framer::length() const {
  return base::ByteReader(base::ByteView(buffer_).subspan(at_)).u32();
}

std::expected<void, std::string> Framer::feed(base::ByteView octets) {
  // There may be keys in it: what was taken, and memory that is given back, is overwritten.
  base::wipe(buffer_.data(), at_);
  if (at_ >= buffer_.size() / 2 || buffer_.size() + octets.size() > buffer_.capacity()) {
    base::Bytes next;
    next.reserve(std::max(buffer_.capacity(), buffered() + octets.size()));
    next.assign(buffer_.begin() + static_cast<std::ptrdiff_t>(at_), buffer_.end());
    base::wipe(buffer_.data(), buffer_.size());
    buffer_ = std::move(next);
    at_ = 0;
  }
  buffer_.insert(buffer_.end(), octets.begin(), octets.end());
  // Refused when the length shows, not when all of it is there.
  if (const auto size = length(); size && (*size == 0 || *size > max_packet)) {
    return std::unexpected(fmt::format("a packet of {} octets, expected 1 to {}", *size, max_packet));
  }
  return {};
}

Framer::~Framer() { base::wipe(buffer_.data(), buffer_.size()); }

std::optional<base::ByteView> Framer::next() {
  const auto size = length();
  if (!size || *size == 0 || *size > max_packet || buffered() < length_octets + *size) return std::nullopt;
  const auto packet = base::ByteView(buffer_).subspan(at_ + length_octets, *size);
  at_ += length_octets + *size;
  return packet;
}

}  // namespace espgate::control::vici
