// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/shield_world.h"

#include <bpf/bpf.h>

#include "maps/pins.h"

namespace espgate::test {

namespace {

constexpr std::array<std::uint8_t, 6> our_mac{2, 0, 0, 0, 0, 1}, far_mac{2, 0, 0, 0, 0, 9};

}  // namespace

void ShieldTest::SetUp() {
  BpfTest::SetUp();
  if (IsSkipped()) return;
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
  const auto done = loader_->attach_device("espg0");
  ASSERT_TRUE(done) << done.error().text();
  ASSERT_EQ(done->xdp, ESPGATE_XDP_NATIVE);
  ifindex_ = done->ifindex;
  const std::string pin = maps::map_pin(bpffs, maps::link_prefix + std::string("shield_") + std::to_string(ifindex_));
  const base::Fd link(bpf_obj_get(pin.c_str()));
  bpf_link_info info{};
  std::uint32_t octets = sizeof info;
  ASSERT_EQ(bpf_link_get_info_by_fd(link.get(), &info, &octets), 0);
  program_ = base::Fd(bpf_prog_get_fd_by_id(info.prog_id));
  set_secret(7, octets_from(0, 16));
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
