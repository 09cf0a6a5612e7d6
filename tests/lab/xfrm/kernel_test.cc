// SPDX-License-Identifier: Apache-2.0
// NetlinkKernel against the kernel we run on: every suite, both families, and what `ip xfrm` says of it.
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <cerrno>

#include "tests/lab/xfrm/playground.h"
#include "xfrm/route.h"
#include "xfrm/socket_policy.h"

namespace espgate::xfrm {
namespace {

using base::Direction;
using base::EspAuth;
using base::EspCipher;
using lab::Namespace;
using testing::HasSubstr;

base::Address address(std::string_view text) { return *base::Address::parse(text); }
base::Prefix prefix(std::string_view text) { return *base::Prefix::parse(text); }

base::Secret some_key(std::size_t octets) {
  base::Secret out(octets);
  for (std::size_t i = 0; i < octets; ++i) out.bytes()[i] = static_cast<std::uint8_t>(17 * i + 3);
  return out;
}

SaSpec sa(Direction direction, const base::EspSuite& suite, bool v6, base::SaMode mode) {
  SaSpec out;
  out.direction = direction;
  out.source = address(v6 ? "2001:db8::1" : "192.0.2.1");
  out.destination = address(v6 ? "2001:db8::2" : "192.0.2.2");
  out.spi = {0xc0ffee01};
  out.suite = suite;
  out.cipher_key = some_key(suite.cipher_key_octets());
  out.auth_key = some_key(suite.auth_key_octets());
  out.mode = mode;
  out.reqid = 0x45470007;
  return out;
}

std::vector<base::EspSuite> suites() {
  std::vector<base::EspSuite> out;
  for (const auto bits : {std::uint16_t{128}, std::uint16_t{192}, std::uint16_t{256}}) {
    for (const bool esn : {false, true}) {
      out.push_back({EspCipher::aes_gcm_16, bits, EspAuth::none, esn});
      for (auto auth : {EspAuth::hmac_sha2_256_128, EspAuth::hmac_sha2_384_192, EspAuth::hmac_sha2_512_256}) {
        out.push_back({EspCipher::aes_cbc, bits, auth, esn});
      }
    }
  }
  return out;
}

template <class... R>
std::vector<Result> run(Kernel& kernel, R... requests) {
  std::vector<Request> all;
  (all.emplace_back(std::move(requests)), ...);
  return kernel.execute(all);
}

class KernelTest : public testing::Test {
 protected:
  Namespace ns{"espgate-kernel-" + std::to_string(getpid())};
};

class SaTest : public KernelTest {
 protected:
  void SetUp() override {
    if (const auto why = lab::why_no_esp(); !why.empty()) GTEST_SKIP() << why;
  }
};

TEST_F(SaTest, EverySuiteFamilyModeAndDirection) {
  auto kernel = ns.kernel();
  EXPECT_TRUE(kernel.support().usable()) << kernel.support().text;
  EXPECT_TRUE(kernel.dump_sas()->empty()) << "the throw-away SA is still there";
  int cells = 0;
  for (const auto& suite : suites()) {
    for (const bool v6 : {false, true}) {
      for (auto mode : {base::SaMode::tunnel, base::SaMode::transport}) {
        for (auto direction : {Direction::in, Direction::out}) {
          const SaId id = sa(direction, suite, v6, mode).id();
          auto results = run(kernel, AddSa{sa(direction, suite, v6, mode)}, GetSa{id}, DelSa{id}, GetSa{id});
          ASSERT_TRUE(results[0]) << results[0].error().text();
          ASSERT_TRUE(results[1]) << results[1].error().text();
          const auto& state = std::get<SaState>(*results[1]);
          EXPECT_EQ(state.id, id);
          EXPECT_EQ(state.mode, mode);
          EXPECT_EQ(state.reqid, 0x45470007U);
          EXPECT_EQ(state.replay_window, direction == Direction::in ? 128U : 0U) << suite.name();
          EXPECT_EQ(state.offload, std::nullopt);
          EXPECT_TRUE(results[2]);
          EXPECT_EQ(results[3].error().code, ESRCH);
          ++cells;
        }
      }
    }
  }
  EXPECT_EQ(cells, 24 * 8);
}

TEST_F(SaTest, IpXfrmSaysTheSame) {
  auto kernel = ns.kernel();
  auto spec =
      sa(Direction::in, {EspCipher::aes_cbc, 256, EspAuth::hmac_sha2_256_128, true}, false, base::SaMode::tunnel);
  spec.encap = Encap{4500, 4500};
  const auto added = run(kernel, AddSa{std::move(spec)});
  ASSERT_TRUE(added[0]) << added[0].error().text();
  const auto text = ns.output("ip xfrm state");
  for (const auto* word : {"src 192.0.2.1 dst 192.0.2.2", "spi 0xc0ffee01", "mode tunnel", "auth-trunc hmac(sha256)",
                           "128", "enc cbc(aes)", "espinudp sport 4500", "esn", "replay_window 128"}) {
    EXPECT_THAT(text, HasSubstr(word));
  }
}

TEST_F(SaTest, ErrorsAreOfTheirOwnRequestAlone) {
  auto kernel = ns.kernel();
  std::vector<Request> requests;
  for (std::uint32_t i = 0; i < 200; ++i) {
    auto spec = sa(Direction::in, {}, false, base::SaMode::tunnel);
    spec.spi = {0x1000 + i / 2};  // each one twice
    requests.emplace_back(AddSa{std::move(spec)});
  }
  const auto results = kernel.execute(requests);
  ASSERT_EQ(results.size(), 200U);
  for (std::size_t i = 0; i < 200; ++i) {
    EXPECT_EQ(results[i].has_value(), i % 2 == 0) << i;
    if (i % 2 == 1) {
      EXPECT_EQ(results[i].error().code, EEXIST);
    }
  }
  EXPECT_EQ(kernel.dump_sas()->size(), 100U);
}

TEST_F(SaTest, TheKernelsWordsComeWithTheError) {
  auto kernel = ns.kernel();
  auto spec = sa(Direction::in, {}, false, base::SaMode::tunnel);
  spec.cipher_key = some_key(7);  // no AES key has seven octets
  const auto result = run(kernel, AddSa{std::move(spec)})[0];
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, EINVAL);
  EXPECT_THAT(result.error().operation, HasSubstr("add in SA c0ffee01"));
}

PolicySpec block(PolicyDirection direction, std::string_view from, std::string_view to, Layer layer) {
  PolicySpec out;
  out.id = {direction, {prefix(from), prefix(to), 0, {}, {}}, layer};
  out.priority = layer == Layer::floor ? 2001 : 2000;
  out.action = PolicyAction::block;
  return out;
}

// The trap that Layer is for: without it the second would replace the first.
TEST_F(KernelTest, PoliciesOfTwoLayersStandSideBySide) {
  auto kernel = ns.kernel();
  auto floor = block(PolicyDirection::out, "10.1.0.0/16", "10.2.0.0/16", Layer::floor);
  auto child = block(PolicyDirection::out, "10.1.0.0/16", "10.2.0.0/16", Layer::child);
  child.action = PolicyAction::allow;
  child.esp = Template{address("192.0.2.1"), address("192.0.2.2"), 0x45470002, base::SaMode::tunnel};
  for (const auto& result : run(kernel, PutPolicy{floor}, PutPolicy{child})) {
    ASSERT_TRUE(result) << result.error().text();
  }
  EXPECT_THAT(*kernel.dump_policies(), testing::UnorderedElementsAre(floor, child));
  child.esp->reqid = 0x45470003;  // replaced in one step
  ASSERT_TRUE(run(kernel, PutPolicy{child})[0]);
  EXPECT_THAT(*kernel.dump_policies(), testing::UnorderedElementsAre(floor, child));
  ASSERT_TRUE(run(kernel, DelPolicy{child.id})[0]);
  EXPECT_THAT(*kernel.dump_policies(), testing::ElementsAre(floor));
  EXPECT_EQ(run(kernel, DelPolicy{child.id})[0].error().code, ENOENT);
  ASSERT_TRUE(run(kernel, DelPolicy{floor.id})[0]);
  EXPECT_TRUE(kernel.dump_policies()->empty());
}

TEST_F(KernelTest, APolicyThatAnotherMadeIsNotTouched) {
  auto kernel = ns.kernel();
  ASSERT_EQ(ns.run("ip xfrm policy add src 10.1.0.0/16 dst 10.2.0.0/16 dir out priority 7 action block"), 0);
  const auto ours = block(PolicyDirection::out, "10.1.0.0/16", "10.2.0.0/16", Layer::floor);
  ASSERT_TRUE(run(kernel, PutPolicy{ours})[0]);
  EXPECT_EQ(kernel.dump_policies()->size(), 2U);
  ASSERT_TRUE(run(kernel, DelPolicy{ours.id})[0]);
  ASSERT_EQ(kernel.dump_policies()->size(), 1U);
  EXPECT_EQ(kernel.dump_policies()->front().id.layer, Layer::foreign);
  EXPECT_EQ(kernel.dump_policies()->front().priority, 7U);
}

TEST(BlockTest, BlockStopsPingAndBypassedSocketsPass) {
  lab::Wire wire;
  auto kernel = wire.left.kernel();
  ASSERT_EQ(wire.left.run("ping -q -c1 -W2 192.0.2.2 >/dev/null"), 0);
  const auto out = block(PolicyDirection::out, "192.0.2.1/32", "192.0.2.2/32", Layer::floor);
  const auto in = block(PolicyDirection::in, "192.0.2.2/32", "192.0.2.1/32", Layer::floor);
  for (const auto& result : run(kernel, PutPolicy{out}, PutPolicy{in})) ASSERT_TRUE(result);
  EXPECT_NE(wire.left.run("ping -q -c1 -W1 192.0.2.2 >/dev/null 2>&1"), 0);
  const auto open_socket = [](const Namespace& ns, std::string_view local) {
    ns.enter();
    base::Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_storage storage;
    const auto size = base::Endpoint{address(local), 5000}.to_sockaddr(storage);
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), size), 0);
    return fd;
  };
  const base::Fd left = open_socket(wire.left, "192.0.2.1");
  const base::Fd right = open_socket(wire.right, "192.0.2.2");
  const auto passes = [](const base::Fd& from, const base::Fd& to, std::string_view destination) {
    sockaddr_storage storage;
    const auto size = base::Endpoint{address(destination), 5000}.to_sockaddr(storage);
    sendto(from.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&storage), size);
    usleep(200000);
    char octet = 0;
    return recv(to.get(), &octet, 1, 0) == 1;
  };
  EXPECT_FALSE(passes(left, right, "192.0.2.2"));
  EXPECT_FALSE(passes(right, left, "192.0.2.1"));
  ASSERT_TRUE(bypass(left.get(), base::Family::ipv4));
  EXPECT_TRUE(passes(left, right, "192.0.2.2"));
  EXPECT_TRUE(passes(right, left, "192.0.2.1"));
}

TEST(RouteTest, DeviceAndSource) {
  lab::Wire wire;
  wire.left.enter();
  auto routes = RouteTable::make();
  ASSERT_TRUE(routes);
  const auto v4 = routes->lookup(address("10.2.3.4"));
  ASSERT_TRUE(v4) << v4.error().text();
  EXPECT_EQ(v4->device, "wire");
  EXPECT_EQ(v4->ifindex, *ifindex_of("wire"));
  EXPECT_EQ(v4->source, address("10.1.0.1"));
  const auto v6 = routes->lookup(address("2001:db8::2"));
  ASSERT_TRUE(v6) << v6.error().text();
  EXPECT_EQ(v6->device, "wire");
  EXPECT_EQ(routes->lookup(address("203.0.113.1")).error().code, ENETUNREACH);
  EXPECT_EQ(ifindex_of("nothing0"), std::nullopt);
  EXPECT_EQ(device_of(*ifindex_of("wire")), "wire");
}

}  // namespace
}  // namespace espgate::xfrm
