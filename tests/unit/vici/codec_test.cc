// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "control/vici/codec.h"

namespace espgate::control::vici {
namespace {

Message sample() {
  Message out;
  out.set("key1", "value1");
  auto& section = out.open("section1");
  section.open("sub-section").set("key2", "value2");
  section.list("list1", {"item1", "", "item2"});
  return out.list("empty", {}).set("flag", true).number("count", 18446744073709551615ULL).section("none", {});
}

// The message of strongSwan's vici documentation, octet by octet.
TEST(Codec, KnownOctets) {
  Message message;
  message.set("key1", "value1");
  auto& section = message.open("section1");
  section.open("sub-section").set("key2", "value2");
  section.list("list1", {"item1", "item2"});
  EXPECT_EQ(base::to_hex(*encode(message)),
            "03046b657931000676616c756531"
            "010873656374696f6e31"
            "010b7375622d73656374696f6e"
            "03046b657932000676616c75653202"
            "04056c697374310500056974656d310500056974656d320602");
}

TEST(Codec, RoundTrip) {
  const auto octets = encode(sample());
  ASSERT_TRUE(octets);
  const auto back = decode(*octets);
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(*back, sample());
  EXPECT_EQ(back->get("section1.sub-section.key2"), "value2");
  ASSERT_NE(back->items("section1.list1"), nullptr);
  EXPECT_EQ(back->items("section1.list1")->size(), 3U);
  EXPECT_EQ(back->text("flag"), "yes");
}

TEST(Codec, EveryTruncationIsRefusedOrAWholePrefix) {
  const auto octets = *encode(sample());
  std::size_t whole = 0;
  for (std::size_t size = 0; size < octets.size(); ++size) {
    const auto cut = decode(base::ByteView(octets).first(size));
    if (!cut) continue;
    ++whole;  // cut between two top-level elements
    EXPECT_EQ(*encode(*cut), base::Bytes(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(size)));
  }
  EXPECT_EQ(whole, 6U);  // before each of the six top-level entries
}

TEST(Codec, EveryPacketTypeAndItsTruncations) {
  for (const auto type :
       {PacketType::request, PacketType::response, PacketType::unknown_command, PacketType::register_event,
        PacketType::unregister_event, PacketType::event_confirm, PacketType::event_unknown, PacketType::event}) {
    Packet packet{type, {}, {}};
    const bool named = type == PacketType::request || type == PacketType::register_event ||
                       type == PacketType::unregister_event || type == PacketType::event;
    if (named) packet.name = "name";
    const auto frame = encode_frame(packet);
    ASSERT_TRUE(frame);
    const auto octets = base::ByteView(*frame).subspan(4);
    const auto back = decode_packet(octets);
    ASSERT_TRUE(back) << back.error();
    EXPECT_EQ(*back, packet);
    for (std::size_t size = 0; size < octets.size(); ++size) EXPECT_FALSE(decode_packet(octets.first(size)));
  }
}

TEST(Codec, Malformed) {
  for (const auto* hex :
       {"00", "07", "02", "0100", "0500016106", "0401610301620001620600", "040161", "0300", "030161ffff61", "06"}) {
    EXPECT_FALSE(decode(*base::from_hex(hex))) << hex;
  }
  EXPECT_FALSE(decode_packet(*base::from_hex("08")));
  EXPECT_FALSE(decode_packet(*base::from_hex("0000")));      // a request without a name
  EXPECT_FALSE(decode_packet(*base::from_hex("0500")));      // a confirmation with something behind it
  EXPECT_FALSE(decode_packet(*base::from_hex("03016100")));  // a registration likewise
}

TEST(Codec, Limits) {
  EXPECT_TRUE(encode(Message().set(std::string(255, 'k'), std::string(65535, 'v'))));
  EXPECT_FALSE(encode(Message().set(std::string(256, 'k'), "v")));
  EXPECT_FALSE(encode(Message().set("k", std::string(65536, 'v'))));
  base::Bytes deep;
  for (std::size_t i = 0; i <= max_depth; ++i) deep.insert(deep.end(), {1, 1, 'a'});
  for (std::size_t i = 0; i <= max_depth; ++i) deep.push_back(2);
  EXPECT_FALSE(decode(deep));
  EXPECT_TRUE(decode(base::ByteView(deep).subspan(3, deep.size() - 4)));
  Packet large{PacketType::response, {}, {}};
  for (int i = 0; i < 9; ++i) large.message.set("k", std::string(65000, 'v'));
  EXPECT_FALSE(encode_frame(large));
}

TEST(Framer, CutsAtEveryOctet) {
  const Packet first{PacketType::request, "list-sas", sample()};
  const Packet second{PacketType::event_confirm, {}, {}};
  auto stream = *encode_frame(first);
  const auto more = *encode_frame(second);
  stream.insert(stream.end(), more.begin(), more.end());
  Framer framer;
  std::vector<Packet> seen;
  for (const auto octet : stream) {
    ASSERT_TRUE(framer.feed({&octet, 1}));
    while (const auto packet = framer.next()) seen.push_back(*decode_packet(*packet));
  }
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0], first);
  EXPECT_EQ(seen[1], second);
  EXPECT_EQ(framer.buffered(), 0U);
}

TEST(Framer, ImpossibleLengths) {
  EXPECT_FALSE(Framer().feed(*base::from_hex("00000000")));
  EXPECT_FALSE(Framer().feed(*base::from_hex("00080001")));
  EXPECT_TRUE(Framer().feed(*base::from_hex("00080000")));
}

}  // namespace
}  // namespace espgate::control::vici
