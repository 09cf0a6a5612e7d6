// SPDX-License-Identifier: Apache-2.0
// What encode() writes, taken apart here a second time with nothing of xfrm/'s own; and answers as a kernel sends them.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "xfrm/message.h"
#include "xfrm/netlink.h"

namespace espgate::xfrm {
namespace {

base::Address address(std::string_view text) { return *base::Address::parse(text); }

base::Secret key_of(std::size_t octets) {
  base::Secret out(octets);
  for (std::size_t i = 0; i < octets; ++i) out.bytes()[i] = static_cast<std::uint8_t>(i + 1);
  return out;
}

SaSpec gcm_in() {
  SaSpec out;
  out.direction = base::Direction::in;
  out.source = address("192.0.2.1");
  out.destination = address("192.0.2.2");
  out.spi = {0xc0ffee01};
  out.cipher_key = key_of(20);
  out.reqid = 7;
  return out;
}

struct Taken {
  nlmsghdr header{};
  base::Bytes body;
  std::map<int, base::Bytes> attributes;

  template <class T>
  T as(int type) const {
    T out{};
    const auto& octets = attributes.at(type);
    std::memcpy(static_cast<void*>(&out), octets.data(), std::min(sizeof out, octets.size()));
    return out;
  }
  template <class T>
  T head() const {
    T out{};
    std::memcpy(&out, body.data(), sizeof out);
    return out;
  }
};

// Walks the octets by the rules of netlink(7): 4-octet alignment, length then type.
Taken take(const Request& request, std::size_t head, const Features& features = {}) {
  std::array<std::uint8_t, kMessageRoom> room;
  room.fill(0xee);
  const std::size_t length = encode(request, 42, features, room);
  Taken out;
  std::memcpy(&out.header, room.data(), sizeof out.header);
  EXPECT_EQ(out.header.nlmsg_len, length);
  EXPECT_EQ(out.header.nlmsg_seq, 42U);
  out.body.assign(room.begin() + 16, room.begin() + 16 + static_cast<long>(head));
  std::size_t at = 16 + (head + 3) / 4 * 4;
  while (at + 4 <= length) {
    std::uint16_t size = 0, type = 0;
    std::memcpy(&size, &room[at], 2);
    std::memcpy(&type, &room[at + 2], 2);
    EXPECT_GE(size, 4);
    EXPECT_LE(at + size, length);
    EXPECT_FALSE(out.attributes.contains(type));
    out.attributes[type].assign(room.begin() + static_cast<long>(at) + 4, room.begin() + static_cast<long>(at) + size);
    at += (size + 3U) / 4 * 4;
  }
  EXPECT_EQ(at, length);
  return out;
}

Taken take_sa(SaSpec spec, const Features& features = {}) {
  return take(AddSa{std::move(spec)}, sizeof(xfrm_usersa_info), features);
}

TEST(EncodeSa, GcmInboundTunnel) {
  const Taken got = take_sa(gcm_in());
  EXPECT_EQ(got.header.nlmsg_type, XFRM_MSG_NEWSA);
  EXPECT_EQ(got.header.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  const auto info = got.head<xfrm_usersa_info>();
  EXPECT_EQ(ntohl(info.id.spi), 0xc0ffee01U);
  EXPECT_EQ(ntohl(info.id.daddr.a4), 0xc0000202U);
  EXPECT_EQ(ntohl(info.saddr.a4), 0xc0000201U);
  EXPECT_EQ(info.id.proto, 50);
  EXPECT_EQ(info.family, AF_INET);
  EXPECT_EQ(info.mode, XFRM_MODE_TUNNEL);
  EXPECT_EQ(info.reqid, 7U);
  EXPECT_EQ(info.flags, XFRM_STATE_AF_UNSPEC);
  EXPECT_EQ(info.replay_window, 0);  // only the extended form is used
  EXPECT_EQ(info.lft.hard_packet_limit, XFRM_INF);
  const auto& aead = got.attributes.at(XFRMA_ALG_AEAD);
  EXPECT_STREQ(reinterpret_cast<const char*>(aead.data()), "rfc4106(gcm(aes))");
  std::uint32_t key_bits = 0, icv_bits = 0;
  std::memcpy(&key_bits, aead.data() + 64, 4);
  std::memcpy(&icv_bits, aead.data() + 68, 4);
  EXPECT_EQ(key_bits, 160U);
  EXPECT_EQ(icv_bits, 128U);
  const base::Secret key = key_of(20);
  EXPECT_TRUE(std::ranges::equal(base::ByteView(aead).subspan(72), key.view()));
  const auto& replay = got.attributes.at(XFRMA_REPLAY_ESN_VAL);
  EXPECT_EQ(replay.size(), 24U + 16);
  EXPECT_EQ(replay[0], 4);                           // bmp_len, in words
  EXPECT_EQ(replay[20], 128);                        // replay_window
  EXPECT_EQ(got.attributes.at(33), base::Bytes{1});  // XFRMA_SA_DIR in
  EXPECT_FALSE(got.attributes.contains(XFRMA_OFFLOAD_DEV));
}

TEST(EncodeSa, OtherAeadsHaveTheirNameAndIcv) {
  for (auto [cipher, bits, name, icv] :
       {std::tuple{base::EspCipher::aes_gcm_12, 128U, "rfc4106(gcm(aes))", 96U},
        std::tuple{base::EspCipher::aes_gcm_8, 128U, "rfc4106(gcm(aes))", 64U},
        std::tuple{base::EspCipher::chacha20_poly1305, 256U, "rfc7539esp(chacha20,poly1305)", 128U}}) {
    SaSpec spec = gcm_in();
    spec.suite = {cipher, static_cast<std::uint16_t>(bits), base::EspAuth::none, false};
    const auto aead = take_sa(std::move(spec)).attributes.at(XFRMA_ALG_AEAD);
    EXPECT_STREQ(reinterpret_cast<const char*>(aead.data()), name);
    std::uint32_t icv_bits = 0;
    std::memcpy(&icv_bits, aead.data() + 68, 4);
    EXPECT_EQ(icv_bits, icv);
  }
}

TEST(EncodeSa, CbcHasCipherAndTruncatedAuth) {
  for (auto [auth, name, octets] : {std::tuple{base::EspAuth::hmac_sha2_256_128, "hmac(sha256)", 32U},
                                    std::tuple{base::EspAuth::hmac_sha2_384_192, "hmac(sha384)", 48U},
                                    std::tuple{base::EspAuth::hmac_sha2_512_256, "hmac(sha512)", 64U}}) {
    SaSpec spec = gcm_in();
    spec.suite = {base::EspCipher::aes_cbc, 256, auth, false};
    spec.cipher_key = key_of(32);
    spec.auth_key = key_of(octets);
    const Taken got = take_sa(std::move(spec));
    EXPECT_FALSE(got.attributes.contains(XFRMA_ALG_AEAD));
    const auto& crypt = got.attributes.at(XFRMA_ALG_CRYPT);
    EXPECT_STREQ(reinterpret_cast<const char*>(crypt.data()), "cbc(aes)");
    EXPECT_EQ(crypt.size(), 68U + 32);
    const auto& trunc = got.attributes.at(XFRMA_ALG_AUTH_TRUNC);
    EXPECT_STREQ(reinterpret_cast<const char*>(trunc.data()), name);
    std::uint32_t bits[2];
    std::memcpy(bits, trunc.data() + 64, 8);
    EXPECT_EQ(bits[0], 8 * octets);
    EXPECT_EQ(bits[1], 4 * octets);
  }
}

TEST(EncodeSa, OutboundHasNoWindowAndEsnIsFlagged) {
  SaSpec spec = gcm_in();
  spec.direction = base::Direction::out;
  EXPECT_FALSE(take_sa(spec.clone()).attributes.contains(XFRMA_REPLAY_ESN_VAL));
  spec.suite.esn = true;
  const Taken with_direction = take_sa(spec.clone());
  EXPECT_NE(with_direction.head<xfrm_usersa_info>().flags & XFRM_STATE_ESN, 0);
  EXPECT_EQ(with_direction.attributes.at(XFRMA_REPLAY_ESN_VAL)[20], 0);
  EXPECT_EQ(with_direction.attributes.at(33), base::Bytes{2});
  // An older kernel refuses an ESN SA without a window, whichever its direction.
  const Taken older = take_sa(spec.clone(), Features{.sa_direction = false});
  EXPECT_EQ(older.attributes.at(XFRMA_REPLAY_ESN_VAL)[20], 32);
  EXPECT_FALSE(older.attributes.contains(33));
}

TEST(EncodeSa, MarksInterfaceAndHeaderBits) {
  SaSpec spec = gcm_in();
  spec.mark = {0x10, 0xf0};
  spec.set_mark = {3, 0xff};
  spec.if_id = 5;
  spec.acquire = 77;
  spec.number = 0x80000005;
  spec.copied = {false, false, false, true};
  const Taken got = take_sa(std::move(spec));
  EXPECT_EQ(got.as<xfrm_mark>(XFRMA_MARK).v, 0x10U);
  EXPECT_EQ(got.as<xfrm_mark>(XFRMA_MARK).m, 0xf0U);
  EXPECT_EQ(got.as<std::uint32_t>(XFRMA_SET_MARK), 3U);
  EXPECT_EQ(got.as<std::uint32_t>(XFRMA_SET_MARK_MASK), 0xffU);
  EXPECT_EQ(got.as<std::uint32_t>(XFRMA_IF_ID), 5U);
  EXPECT_EQ(got.as<std::uint32_t>(XFRMA_SA_EXTRA_FLAGS), std::uint32_t{XFRM_SA_XFLAG_DONT_ENCAP_DSCP});
  const auto info = got.head<xfrm_usersa_info>();
  EXPECT_EQ(info.seq, 77U) << "or the larval SA stays";
  EXPECT_EQ(info.flags, XFRM_STATE_AF_UNSPEC | XFRM_STATE_NOPMTUDISC | XFRM_STATE_NOECN | XFRM_STATE_DECAP_DSCP);
  SaSpec numbered = gcm_in();
  numbered.number = 0x80000005;
  EXPECT_EQ(take_sa(std::move(numbered)).head<xfrm_usersa_info>().seq, 0x80000005U);
  const Taken plain = take_sa(gcm_in());
  for (const int absent : {XFRMA_MARK, XFRMA_SET_MARK, XFRMA_IF_ID, XFRMA_SA_EXTRA_FLAGS}) {
    EXPECT_FALSE(plain.attributes.contains(absent)) << absent;
  }
  const Taken deleted = take(DelSa{{address("192.0.2.2"), {1}, {0x10, 0xf0}}}, sizeof(xfrm_usersa_id));
  EXPECT_EQ(deleted.as<xfrm_mark>(XFRMA_MARK).v, 0x10U) << "or the kernel does not find it";
}

TEST(EncodeSa, AhHasNoCipherAndItsOwnProtocol) {
  SaSpec spec = gcm_in();
  spec.suite = {base::EspCipher::none, 0, base::EspAuth::hmac_sha2_256_128, false};
  spec.cipher_key = {};
  spec.auth_key = key_of(32);
  EXPECT_TRUE(spec.id().ah);
  const Taken got = take_sa(std::move(spec));
  EXPECT_EQ(got.head<xfrm_usersa_info>().id.proto, IPPROTO_AH);
  EXPECT_NE(got.head<xfrm_usersa_info>().flags & XFRM_STATE_ALIGN4, 0) << "over IPv4 peers pad to 4 octets";
  EXPECT_FALSE(got.attributes.contains(XFRMA_ALG_CRYPT));
  EXPECT_FALSE(got.attributes.contains(XFRMA_ALG_AEAD));
  EXPECT_EQ(got.as<xfrm_algo_auth>(XFRMA_ALG_AUTH_TRUNC).alg_trunc_len, 128U);
  const Taken deleted = take(DelSa{{address("192.0.2.2"), {1}, {}, true}}, sizeof(xfrm_usersa_id));
  EXPECT_EQ(deleted.head<xfrm_usersa_id>().proto, IPPROTO_AH);
  PolicySpec policy;
  policy.id.selector = {*base::Prefix::parse("10.1.0.0/16"), *base::Prefix::parse("10.2.0.0/16"), 0, {}, {}};
  policy.esp = Template{address("192.0.2.1"), address("192.0.2.2"), 7, base::SaMode::tunnel, true};
  const Taken put = take(PutPolicy{policy}, sizeof(xfrm_userpolicy_info));
  EXPECT_EQ(put.as<xfrm_user_tmpl>(XFRMA_TMPL).id.proto, IPPROTO_AH);
}

TEST(EncodeSa, OffloadNamesDeviceAndDirection) {
  SaSpec spec = gcm_in();
  spec.offload = Offload{OffloadKind::crypto, 9};
  auto inbound = take_sa(spec.clone()).as<xfrm_user_offload>(XFRMA_OFFLOAD_DEV);
  EXPECT_EQ(inbound.ifindex, 9);
  EXPECT_EQ(inbound.flags, XFRM_OFFLOAD_INBOUND);
  spec.direction = base::Direction::out;
  EXPECT_EQ(take_sa(spec.clone()).as<xfrm_user_offload>(XFRMA_OFFLOAD_DEV).flags, 0);
  spec.offload->kind = OffloadKind::packet;
  EXPECT_EQ(take_sa(spec.clone()).as<xfrm_user_offload>(XFRMA_OFFLOAD_DEV).flags, 4);
}

TEST(EncodeSa, EncapAndTransportSelector) {
  SaSpec spec = gcm_in();
  spec.encap = Encap{4500, 61000};
  spec.mode = base::SaMode::transport;
  spec.source = address("2001:db8::1");
  spec.destination = address("2001:db8::2");
  spec.selector = Selector{base::Prefix::host(spec.source), base::Prefix::host(spec.destination), 6, {}, {443, 0xffff}};
  const Taken got = take_sa(std::move(spec));
  const auto info = got.head<xfrm_usersa_info>();
  EXPECT_EQ(info.family, AF_INET6);
  EXPECT_EQ(info.mode, XFRM_MODE_TRANSPORT);
  EXPECT_EQ(info.flags & XFRM_STATE_AF_UNSPEC, 0);
  EXPECT_EQ(info.sel.prefixlen_s, 128);
  EXPECT_EQ(ntohs(info.sel.dport), 443);
  EXPECT_EQ(info.sel.proto, 6);
  const auto encap = got.as<xfrm_encap_tmpl>(XFRMA_ENCAP);
  EXPECT_EQ(encap.encap_type, 2);
  EXPECT_EQ(ntohs(encap.encap_sport), 4500);
  EXPECT_EQ(ntohs(encap.encap_dport), 61000);
}

PolicySpec tunnel_policy() {
  PolicySpec out;
  out.id = {PolicyDirection::forward,
            {*base::Prefix::parse("10.2.0.0/16"), *base::Prefix::parse("10.1.0.0/16"), 17, {53, 0xffff}, {}},
            Layer::child};
  out.priority = 1234;
  out.esp = Template{address("192.0.2.2"), address("192.0.2.1"), 0x45470005, base::SaMode::tunnel};
  return out;
}

TEST(EncodePolicy, TemplateAndSelector) {
  const Taken got = take(PutPolicy{tunnel_policy()}, sizeof(xfrm_userpolicy_info));
  EXPECT_EQ(got.header.nlmsg_type, XFRM_MSG_UPDPOLICY);
  const auto info = got.head<xfrm_userpolicy_info>();
  EXPECT_EQ(info.dir, XFRM_POLICY_FWD);
  EXPECT_EQ(info.priority, 1234U);
  EXPECT_EQ(info.action, XFRM_POLICY_ALLOW);
  EXPECT_EQ(ntohl(info.sel.saddr.a4), 0x0a020000U);
  EXPECT_EQ(info.sel.prefixlen_s, 16);
  EXPECT_EQ(ntohs(info.sel.sport), 53);
  EXPECT_EQ(info.sel.sport_mask, 0xffff);
  EXPECT_EQ(info.sel.dport_mask, 0);
  const auto esp = got.as<xfrm_user_tmpl>(XFRMA_TMPL);
  EXPECT_EQ(got.attributes.at(XFRMA_TMPL).size(), sizeof(xfrm_user_tmpl));
  EXPECT_EQ(esp.reqid, 0x45470005U);
  EXPECT_EQ(esp.id.proto, 50);
  EXPECT_EQ(ntohl(esp.saddr.a4), 0xc0000202U);
  EXPECT_EQ(esp.aalgos, ~0U);
}

TEST(EncodePolicy, LayersDifferInUserAlone) {
  PolicySpec policy = tunnel_policy();
  const auto child = take(PutPolicy{policy}, sizeof(xfrm_userpolicy_info)).head<xfrm_userpolicy_info>().sel;
  policy.id.layer = Layer::floor;
  auto floor = take(PutPolicy{policy}, sizeof(xfrm_userpolicy_info)).head<xfrm_userpolicy_info>().sel;
  EXPECT_NE(floor.user, child.user);
  floor.user = child.user;
  EXPECT_EQ(std::memcmp(&floor, &child, sizeof child), 0);
}

TEST(DecodePolicy, ReadsWhatWasWritten) {
  alignas(nlmsghdr) std::array<std::uint8_t, kMessageRoom> room;
  for (auto action : {PolicyAction::allow, PolicyAction::block}) {
    PolicySpec policy = tunnel_policy();
    policy.action = action;
    if (action == PolicyAction::block) policy.esp.reset();
    encode(PutPolicy{policy}, 1, {}, room);
    EXPECT_EQ(decode_policy(*reinterpret_cast<nlmsghdr*>(room.data())), policy);
  }
}

TEST(DecodePolicy, SocketPoliciesAreNobodys) {
  alignas(nlmsghdr) std::array<std::uint8_t, kMessageRoom> room;
  encode(PutPolicy{tunnel_policy()}, 1, {}, room);
  reinterpret_cast<xfrm_userpolicy_info*>(room.data() + 16)->dir = XFRM_POLICY_MAX;  // as dumps show them
  EXPECT_EQ(decode_policy(*reinterpret_cast<nlmsghdr*>(room.data())), std::nullopt);
}

TEST(DecodeSa, OffloadOnlyWithItsAttribute) {
  alignas(nlmsghdr) std::array<std::uint8_t, kMessageRoom> room;
  SaSpec spec = gcm_in();
  encode(AddSa{spec.clone()}, 1, {}, room);  // NEWSA's payload is the same in both directions
  auto* info = reinterpret_cast<xfrm_usersa_info*>(room.data() + 16);
  info->curlft.packets = 5;
  info->stats.integrity_failed = 2;
  auto* message = reinterpret_cast<nlmsghdr*>(room.data());
  auto state = decode_sa(*message);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->id, spec.id());
  EXPECT_EQ(state->offload, std::nullopt);
  EXPECT_EQ(state->packets, 5U);
  EXPECT_EQ(state->integrity_errors, 2U);
  EXPECT_EQ(state->replay_window, 128U);
  EXPECT_TRUE(has_direction(*message));
  spec.offload = Offload{OffloadKind::packet, 3};
  encode(AddSa{spec.clone()}, 1, Features{.sa_direction = false}, room);
  EXPECT_EQ(decode_sa(*message)->offload, spec.offload);
  EXPECT_FALSE(has_direction(*message));
}

// An NLMSG_ERROR as netlink_ack() builds it.
base::Bytes ack(int code, std::string_view words, bool capped, std::size_t request_octets) {
  base::Bytes out(16 + 4 + 16 + (capped ? 0 : request_octets), 0);
  if (!words.empty()) {
    const std::size_t size = 4 + words.size() + 1;
    const std::size_t at = out.size();
    out.resize(at + (size + 3) / 4 * 4, 0);
    const std::uint16_t head[2] = {static_cast<std::uint16_t>(size), NLMSGERR_ATTR_MSG};
    std::memcpy(&out[at], head, 4);
    std::memcpy(&out[at + 4], words.data(), words.size());
  }
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(out.size());
  header.nlmsg_type = NLMSG_ERROR;
  header.nlmsg_flags = static_cast<std::uint16_t>((words.empty() ? 0 : NLM_F_ACK_TLVS) | (capped ? NLM_F_CAPPED : 0));
  std::memcpy(out.data(), &header, 16);
  const int error = -code;
  std::memcpy(&out[16], &error, 4);
  const auto inner = static_cast<std::uint32_t>(16 + request_octets);
  std::memcpy(&out[20], &inner, 4);
  return out;
}

TEST(DecodeAck, TheDriversWordsVerbatim) {
  const std::string_view words = "Cannot offload authenticated xfrm states";
  for (bool capped : {true, false}) {
    const auto octets = ack(EINVAL, words, capped, 300);
    const auto got = decode_ack(*reinterpret_cast<const nlmsghdr*>(octets.data()));
    ASSERT_TRUE(got);
    EXPECT_EQ(got->code, EINVAL);
    EXPECT_EQ(got->words, words);
  }
}

TEST(DecodeAck, WithoutWordsAndWithLyingLengths) {
  auto octets = ack(0, {}, true, 0);
  EXPECT_EQ(decode_ack(*reinterpret_cast<const nlmsghdr*>(octets.data()))->code, 0);
  octets = ack(EPERM, "x", false, 300);
  const std::uint32_t huge = 100000;  // the embedded request claims to be longer than the message
  std::memcpy(&octets[20], &huge, 4);
  EXPECT_EQ(decode_ack(*reinterpret_cast<const nlmsghdr*>(octets.data()))->words, "");
}

TEST(Explain, EachLackHasItsSentence) {
  using Verdict = Support::Verdict;
  EXPECT_EQ(explain({"open an XFRM netlink socket", EPROTONOSUPPORT, {}}).verdict, Verdict::no_xfrm);
  EXPECT_EQ(explain({"add out SA", EPROTONOSUPPORT, {}}).verdict, Verdict::no_esp);
  EXPECT_EQ(explain({"add out SA", ENOSYS, {}}).verdict, Verdict::no_esp);
  EXPECT_EQ(explain({"add out SA", EPERM, {}}).verdict, Verdict::no_permission);
  EXPECT_THAT(explain({"add out SA", EPROTONOSUPPORT, {}}).text, testing::HasSubstr("--kernel null"));
  EXPECT_THAT(explain({"add out SA", EINVAL, "odd"}).text, testing::HasSubstr("odd"));
}

TEST(Notices, AreAskedForInAnyCase) {
  auto spec = gcm_in();
  spec.sequence_notice = 1U << 28;
  const auto taken = take(AddSa{spec.clone()}, sizeof(xfrm_usersa_info));
  EXPECT_EQ(taken.as<std::uint32_t>(XFRMA_REPLAY_THRESH), 1U << 28);
  EXPECT_EQ(taken.as<std::uint32_t>(XFRMA_ETIMER_THRESH), 0U);
  EXPECT_EQ(take(AddSa{gcm_in()}, sizeof(xfrm_usersa_info)).as<std::uint32_t>(XFRMA_REPLAY_THRESH), 0U)
      << "left out, it would be two packets";
}

}  // namespace
}  // namespace espgate::xfrm
