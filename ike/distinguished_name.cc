// SPDX-License-Identifier: Apache-2.0
#include "ike/distinguished_name.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace espgate::ike {

namespace {
using base::Bytes;
using base::ByteView;

constexpr std::uint8_t kSequence = 0x30, kSet = 0x31, kOid = 0x06;
constexpr std::uint8_t kUtf8 = 0x0c, kPrintable = 0x13, kT61 = 0x14, kIa5 = 0x16;
constexpr std::size_t kMaxAttributes = 64;

struct Name {
  std::string_view text;
  std::string_view oid;  // the content octets
};
// The first name of an attribute is the one that dn_text() writes.
constexpr std::string_view kEmailOid{"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", 9};
constexpr std::string_view kDcOid{"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", 10};
constexpr auto kNames = std::to_array<Name>({
    {"CN", {"\x55\x04\x03", 3}},
    {"S", {"\x55\x04\x04", 3}},
    {"SN", {"\x55\x04\x05", 3}},
    {"serialNumber", {"\x55\x04\x05", 3}},
    {"C", {"\x55\x04\x06", 3}},
    {"L", {"\x55\x04\x07", 3}},
    {"ST", {"\x55\x04\x08", 3}},
    {"street", {"\x55\x04\x09", 3}},
    {"O", {"\x55\x04\x0a", 3}},
    {"OU", {"\x55\x04\x0b", 3}},
    {"T", {"\x55\x04\x0c", 3}},
    {"D", {"\x55\x04\x0d", 3}},
    {"businessCategory", {"\x55\x04\x0f", 3}},
    {"postalCode", {"\x55\x04\x11", 3}},
    {"N", {"\x55\x04\x29", 3}},
    {"G", {"\x55\x04\x2a", 3}},
    {"GN", {"\x55\x04\x2a", 3}},
    {"I", {"\x55\x04\x2b", 3}},
    {"ID", {"\x55\x04\x2d", 3}},
    {"dnQualifier", {"\x55\x04\x2e", 3}},
    {"pseudonym", {"\x55\x04\x41", 3}},
    {"organizationIdentifier", {"\x55\x04\x61", 3}},
    {"E", kEmailOid},
    {"Email", kEmailOid},
    {"emailAddress", kEmailOid},
    {"unstructuredName", {"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x02", 9}},
    {"UN", {"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x02", 9}},
    {"unstructuredAddress", {"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x08", 9}},
    {"UA", {"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x08", 9}},
    {"DC", kDcOid},
    {"UID", {"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", 10}},
});

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

struct Attribute {
  ByteView oid;
  std::uint8_t tag = 0;
  ByteView value;

  [[nodiscard]] bool textual() const { return tag == kUtf8 || tag == kPrintable || tag == kT61 || tag == kIa5; }
  [[nodiscard]] bool wildcard() const { return textual() && base::as_text(value) == "*"; }
};

// ------------------------------------------------------------------------------------------------- reading DER

struct Element {
  std::uint8_t tag = 0;
  ByteView content;
};

// The next element with a definite length of at most four octets.
std::optional<Element> take_element(base::ByteReader& in) {
  const auto tag = in.u8();
  const auto first = in.u8();
  if (!tag || !first) return std::nullopt;
  std::size_t length = *first;
  if (*first >= 0x80) {
    const unsigned count = *first & 0x7fU;
    if (count == 0 || count > 4) return std::nullopt;
    length = 0;
    for (unsigned i = 0; i < count; ++i) {
      const auto octet = in.u8();
      if (!octet) return std::nullopt;
      length = length << 8U | *octet;
    }
  }
  const auto content = in.take(length);
  if (!content) return std::nullopt;
  return Element{*tag, *content};
}

std::optional<Element> only_element(ByteView octets, std::uint8_t tag) {
  base::ByteReader in(octets);
  const auto element = take_element(in);
  if (!element || element->tag != tag || !in.done()) return std::nullopt;
  return element;
}

std::optional<Attribute> read_attribute(ByteView octets) {
  base::ByteReader in(octets);
  const auto oid = take_element(in);
  const auto value = take_element(in);
  if (!oid || oid->tag != kOid || !value || !in.done()) return std::nullopt;
  return Attribute{oid->content, value->tag, value->content};
}

// Name = SEQUENCE OF SET OF SEQUENCE { OID, value }; sets are taken apart.
std::optional<std::vector<Attribute>> read_dn(ByteView der) {
  const auto name = only_element(der, kSequence);
  if (!name) return std::nullopt;
  std::vector<Attribute> out;
  base::ByteReader rdns(name->content);
  while (!rdns.done()) {
    const auto rdn = take_element(rdns);
    if (!rdn || rdn->tag != kSet) return std::nullopt;
    base::ByteReader attributes(rdn->content);
    while (!attributes.done()) {
      const auto one = take_element(attributes);
      if (!one || one->tag != kSequence) return std::nullopt;
      const auto attribute = read_attribute(one->content);
      if (!attribute || out.size() == kMaxAttributes) return std::nullopt;
      out.push_back(*attribute);
    }
  }
  return out;
}

// ------------------------------------------------------------------------------------------------- writing DER

Bytes element(std::uint8_t tag, ByteView content) {
  base::ByteWriter out;
  out.u8(tag);
  if (content.size() < 0x80) {
    out.u8(static_cast<std::uint8_t>(content.size()));
  } else if (content.size() < 0x100) {
    out.u8(0x81);
    out.u8(static_cast<std::uint8_t>(content.size()));
  } else {
    out.u8(0x82);
    out.u16(static_cast<std::uint16_t>(content.size()));
  }
  out.put(content);
  return out.take();
}

bool printable_string(std::string_view text) {
  constexpr std::string_view kSigns = " '()+,-./:=?";
  return std::ranges::all_of(
      text, [&](char c) { return (std::isalnum(static_cast<unsigned char>(c)) != 0) || kSigns.contains(c); });
}

std::uint8_t string_type(std::string_view oid, std::string_view value) {
  if (oid == kEmailOid || oid == kDcOid) return kIa5;
  return printable_string(value) ? kPrintable : kUtf8;
}

Bytes rdn(std::string_view oid, std::string_view value) {
  Bytes pair = element(kOid, base::as_bytes(oid));
  const auto text = element(string_type(oid, value), base::as_bytes(value));
  pair.insert(pair.end(), text.begin(), text.end());
  return element(kSet, element(kSequence, pair));
}

// ------------------------------------------------------------------------------------------------- text

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// The part up to the next separator, without its escapes; `text` becomes what follows.
std::string take_part(std::string_view& text, char separator) {
  std::string out;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == separator) break;
    if (c == '\\' && !text.empty()) {
      out += text.front();
      text.remove_prefix(1);
    } else {
      out += c;
    }
  }
  return out;
}

std::string dotted(ByteView oid) {
  std::string out;
  std::uint64_t arc = 0;
  for (const auto octet : oid) {
    arc = arc << 7U | (octet & 0x7fU);
    if ((octet & 0x80U) != 0) continue;
    if (out.empty()) {
      const std::uint64_t top = std::min<std::uint64_t>(arc / 40, 2);
      out = std::to_string(top) + "." + std::to_string(arc - 40 * top);
    } else {
      out += "." + std::to_string(arc);
    }
    arc = 0;
  }
  return out;
}

std::string name_of(ByteView oid) {
  const auto* known = std::ranges::find(kNames, base::as_text(oid), &Name::oid);
  return known != kNames.end() ? std::string(known->text) : dotted(oid);
}

void append_value(std::string& out, const Attribute& attribute) {
  if (!attribute.textual()) {
    out += "#" + base::to_hex(attribute.value);
    return;
  }
  for (const auto octet : attribute.value) {
    if (octet < 0x20 || octet == 0x7f) {
      out += "\\x" + base::to_hex({&octet, 1});
    } else {
      if (octet == ',' || octet == '\\') out += '\\';
      out += static_cast<char>(octet);
    }
  }
}

bool admits(const Attribute& pattern, const Attribute& shown) {
  if (!std::ranges::equal(pattern.oid, shown.oid)) return false;
  if (pattern.wildcard()) return true;
  if (pattern.textual() && shown.textual()) {
    return same_ignoring_case(base::as_text(pattern.value), base::as_text(shown.value));
  }
  return pattern.tag == shown.tag && std::ranges::equal(pattern.value, shown.value);
}
}  // namespace

std::optional<Bytes> parse_dn(std::string_view text) {
  const char separator = text.starts_with('/') ? '/' : ',';
  if (separator == '/') text.remove_prefix(1);
  Bytes out;
  std::size_t count = 0;
  while (!text.empty()) {
    const auto part = take_part(text, separator);
    const auto equals = part.find('=');
    if (equals == std::string::npos || ++count > kMaxAttributes) return std::nullopt;
    const auto key = trimmed(std::string_view(part).substr(0, equals));
    const auto value = trimmed(std::string_view(part).substr(equals + 1));
    const auto* known =
        std::ranges::find_if(kNames, [&](const Name& name) { return same_ignoring_case(name.text, key); });
    if (known == kNames.end() || value.empty() || value.size() > 1024) return std::nullopt;
    const auto one = rdn(known->oid, value);
    out.insert(out.end(), one.begin(), one.end());
  }
  if (out.empty() || out.size() > 0xfff0) return std::nullopt;
  return element(kSequence, out);
}

std::optional<std::string> dn_text(ByteView der) {
  const auto attributes = read_dn(der);
  if (!attributes) return std::nullopt;
  std::string out;
  for (const auto& attribute : *attributes) {
    if (!out.empty()) out += ", ";
    out += name_of(attribute.oid) + "=";
    append_value(out, attribute);
  }
  return out;
}

bool dn_admits(ByteView pattern, ByteView shown) {
  const auto ours = read_dn(pattern);
  const auto theirs = read_dn(shown);
  return ours && theirs && std::ranges::equal(*ours, *theirs, admits);
}

bool dn_has_wildcard(ByteView der) {
  const auto attributes = read_dn(der);
  return attributes && std::ranges::any_of(*attributes, &Attribute::wildcard);
}

}  // namespace espgate::ike
