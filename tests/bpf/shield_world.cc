// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/shield_world.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstdlib>

#include "maps/pins.h"

namespace espgate::test {

namespace {

// What a dispatcher's program sends keeps the length of what it answers: the rest of the frame is padding.
void unpad(base::Bytes& frame) {
  std::size_t ip = 14;
  while (frame[ip - 2] == 0x81 || frame[ip - 2] == 0x88) ip += 4;
  const auto length = [&](std::size_t at) {
    return static_cast<std::size_t>(frame[ip + at] << 8U | frame[ip + at + 1]);
  };
  frame.resize(ip + (frame[ip] >> 4U == 4 ? length(2) : 40 + length(4)));
}

constexpr std::array<std::uint8_t, 6> our_mac{2, 0, 0, 0, 0, 1}, far_mac{2, 0, 0, 0, 0, 9};

// All entries of a hash go, the one of an array is zeros.
void empty_map(const std::string& bpffs, const char* name) {
  const base::Fd map(bpf_obj_get(maps::map_pin(bpffs, name).c_str()));
  bpf_map_info info{};
  std::uint32_t octets = sizeof info;
  ASSERT_EQ(bpf_map_get_info_by_fd(map.get(), &info, &octets), 0) << name;
  base::Bytes key(info.key_size);
  if (info.type == BPF_MAP_TYPE_ARRAY) {
    ASSERT_EQ(info.max_entries, 1U) << name;
    ASSERT_EQ(bpf_map_update_elem(map.get(), key.data(), base::Bytes(info.value_size).data(), BPF_ANY), 0) << name;
    return;
  }
  while (bpf_map_get_next_key(map.get(), nullptr, key.data()) == 0)
    ASSERT_EQ(bpf_map_delete_elem(map.get(), key.data()), 0) << name;
}

}  // namespace

std::optional<loader::Loader> ShieldTest::loader_;
base::Fd ShieldTest::program_;
std::uint32_t ShieldTest::ifindex_ = 0;
bool ShieldTest::dispatched_ = false;

void ShieldTest::SetUp() {
  if (const std::string why = enter_world(bpffs); !why.empty()) GTEST_SKIP() << why;
  if (!program_) load();
  if (!HasFatalFailure()) set_secret(7, octets_from(0, 16));
}

void ShieldTest::TearDown() {
  if (IsSkipped() && !program_) return;
  if (!HasFailure() && loader_) empty();
  if (!HasFailure() && loader_) return;
  loader_.reset();
  program_.reset();
  run("ip link del espg0 2>/dev/null");
  BpfTest::TearDown();
}

void ShieldTest::empty() {
  ASSERT_TRUE(loader_->set_shield({}));
  ASSERT_TRUE(loader_->set_spread({}));
  for (const auto& row : loader_->reader()->sas()) ASSERT_TRUE(loader_->release(row.slot));
  for (const char* name : {"classes", "shield_allow", "shield_buckets", "shield_counts", "shield_firsts",
                           "shield_secrets", "shield_sources"})
    empty_map(bpffs, name);
}

void ShieldTest::load() {
  BpfTest::SetUp();
  ASSERT_EQ(run("ip link add espg0 address 02:00:00:00:00:01 type veth peer name espg1 && "
                "sysctl -qw net.ipv6.conf.espg0.disable_ipv6=0 && ip link set espg0 up && "
                "ip link set espg1 up && ip addr add 192.0.2.2/24 dev espg0 && "
                "ip addr add 2001:db8::2/64 dev espg0 nodad && "
                "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"),
            0);
  loader::Options options;
  options.bpffs = bpffs;
  options.max_slots = 16;
  options.tracing = false;
  auto opened = loader::Loader::open(options);
  ASSERT_TRUE(opened) << opened.error().text();
  loader_.emplace(std::move(*opened));
  dispatched_ = std::getenv("ESPGATE_TEST_DISPATCHER") != nullptr;
  ::setenv("LIBXDP_BPFFS", bpffs.c_str(), 1);
  const auto done =
      loader_->attach_device("espg0", dispatched_ ? loader::XdpWish::dispatcher : loader::XdpWish::native);
  ASSERT_TRUE(done) << done.error().text();
  ASSERT_EQ(done->xdp, dispatched_ ? ESPGATE_XDP_DISPATCHER : ESPGATE_XDP_NATIVE) << done->missing[0];
  ifindex_ = done->ifindex;
  LIBBPF_OPTS(bpf_xdp_query_opts, query);
  ASSERT_EQ(bpf_xdp_query(static_cast<int>(ifindex_), 0, &query), 0);
  program_ = base::Fd(bpf_prog_get_fd_by_id(query.prog_id));
  ASSERT_TRUE(program_);
}

void ShieldTest::activate(std::uint32_t cookie_rate) {
  loader::ShieldRules rules;
  rules.active = true;
  rules.cookie_rate = cookie_rate;
  set(rules);
}

void ShieldTest::set(const loader::ShieldRules& rules) {
  const auto done = loader_->set_shield(rules);
  ASSERT_TRUE(done) << done.error().text();
  rules_ = rules;
}

void ShieldTest::set_secret(std::uint8_t number, base::ByteView key) {
  ASSERT_TRUE(loader_->set_cookie_secrets({number, base::Secret::copy_of(key)}, std::nullopt));
}

void ShieldTest::set_secrets(std::uint8_t number, base::ByteView key, std::uint8_t before, base::ByteView key_before) {
  loader::CookieSecret old{before, base::Secret::copy_of(key_before)};
  ASSERT_TRUE(loader_->set_cookie_secrets({number, base::Secret::copy_of(key)}, std::move(old)));
}

void ShieldTest::exhaust() {
  while (action(datagram4().put(usual_init().bytes()).bytes()) == XDP_PASS) {
  }
  counted();
}

Packet ShieldTest::frame() const {
  Packet out;
  out.macs(our_mac, far_mac);
  return out;
}

Packet ShieldTest::datagram4(std::uint16_t port, std::string_view source) const {
  Packet out = frame();
  out.ipv4(source, here4, 17).udp(port, port);
  return out;
}

Packet ShieldTest::datagram6(std::uint16_t port, std::string_view source) const {
  Packet out = frame();
  out.ipv6(source, here6, 17).udp(port, port);
  return out;
}

Outcome ShieldTest::pass(base::ByteView packet) {
  Outcome out;
  out.packet.resize(packet.size());
  xdp_md context{};
  context.data_end = static_cast<std::uint32_t>(packet.size());
  context.ingress_ifindex = ifindex_;
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data(), .data_out = out.packet.data(),
              .data_size_in = static_cast<std::uint32_t>(packet.size()),
              .data_size_out = static_cast<std::uint32_t>(out.packet.size()), .ctx_in = &context,
              .ctx_size_in = sizeof context);
  EXPECT_EQ(bpf_prog_test_run_opts(program_.get(), &options), 0);
  out.action = options.retval;
  out.packet.resize(options.data_size_out);
  if (dispatched_ && out.action == XDP_TX) unpad(out.packet);
  return out;
}

Outcome ShieldTest::flooded(base::ByteView packet) {
  exhaust();
  return pass(packet);
}

Events ShieldTest::events() const {
  for (const maps::ShieldRow& row : loader_->reader()->shield())
    if (row.ifindex == ifindex_) return row.events;
  return {};
}

Events ShieldTest::counted() {
  const Events now = events();
  Events out{};
  for (std::size_t i = 0; i < now.size(); ++i) out[i] = now[i] - before_[i];
  before_ = now;
  return out;
}

std::map<std::pair<unsigned, unsigned>, std::uint64_t> ShieldTest::classes() const {
  std::map<std::pair<unsigned, unsigned>, std::uint64_t> out;
  for (const maps::ClassRow& row : loader_->reader()->classes()) out[{row.class_, row.verdict}] += row.packets;
  return out;
}

Events only(std::initializer_list<espgate_shield_event> events) {
  Events out{};
  for (const espgate_shield_event event : events) ++out[event];
  return out;
}

}  // namespace espgate::test
