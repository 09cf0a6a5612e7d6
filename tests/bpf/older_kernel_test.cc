// SPDX-License-Identifier: Apache-2.0
// What an older kernel lacks, pretended missing: everything else loads and works, and what is missing is said.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <net/if.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/fd.h"
#include "bpf/espgate.skel.h"
#include "loader/loader.h"
#include "loader/shield_maps.h"
#include "tests/bpf/bpf_world.h"
#include "tests/bpf/packet.h"

namespace espgate::test {

namespace {

using ObjectPtr = std::unique_ptr<bpf_object, decltype(&bpf_object__close)>;

// The object as it is delivered, but that it asks for kernel functions of names that no kernel has.
std::vector<char> object_without(std::initializer_list<std::string_view> functions) {
  std::size_t octets = 0;
  const auto* object = static_cast<const char*>(espgate_bpf__elf_bytes(&octets));
  std::vector<char> out(object, object + octets);
  for (const std::string_view function : functions) {
    int found = 0;
    for (auto at = out.begin(); (at = std::search(at, out.end(), function.begin(), function.end())) != out.end();
         ++found)
      std::fill_n(at, 3, 'x');  // "bpf_..." becomes "xxx_..."
    EXPECT_GE(found, 1) << function;
  }
  return out;
}

class OlderKernel : public BpfTest {
 protected:
  // Loads all programs but those that trace, which not every machine permits and which ask for none of these.
  ObjectPtr load(const std::vector<char>& bytes) {
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "espgate_bpf");
    ObjectPtr out(bpf_object__open_mem(bytes.data(), bytes.size(), &options), bpf_object__close);
    if (!out) return out;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, out.get()) {
      const auto type = bpf_program__type(program);
      bpf_program__set_autoload(program, type == BPF_PROG_TYPE_XDP || type == BPF_PROG_TYPE_SCHED_CLS);
    }
    const int status = bpf_object__load(out.get());
    EXPECT_EQ(status, 0);
    return out;
  }
};

// Linux 6.6 and 6.7 cannot be asked for an SA (net/xfrm/xfrm_state_bpf.c is of 6.8).
TEST_F(OlderKernel, WithoutTheLookupOfSasNoSpiIsUnknownToTheShield) {
  run("ip link add espg0 address 02:00:00:00:00:01 type veth peer name espg1 && ip addr add 192.0.2.2/24 dev espg0 && "
      "ip link set espg0 up && ip link set espg1 up");
  const ObjectPtr object = load(object_without({"bpf_xdp_get_xfrm_state", "bpf_xdp_xfrm_state_release"}));
  ASSERT_TRUE(object);
  const auto map = [&](const char* name) { return bpf_object__find_map_fd_by_name(object.get(), name); };
  const std::uint32_t zero = 0;
  espgate_shield rules{};
  rules.active = rules.drop_unknown = 1;  // as if nobody had looked
  ASSERT_EQ(bpf_map_update_elem(map("shield_rules"), &zero, &rules, BPF_ANY), 0);
  const std::array<std::uint8_t, 6> here{2, 0, 0, 0, 0, 1}, there{2, 0, 0, 0, 0, 9};
  Packet packet;
  packet.macs(here, there).ipv4("192.0.2.1", "192.0.2.2", 50).esp(0x1234);
  base::Bytes frame = packet.bytes();
  xdp_md context{};
  context.data_end = static_cast<std::uint32_t>(frame.size());
  context.ingress_ifindex = if_nametoindex("espg0");
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
              .data_size_in = static_cast<std::uint32_t>(frame.size()), .ctx_in = &context,
              .ctx_size_in = sizeof context);
  const auto* shield = bpf_object__find_program_by_name(object.get(), "shield");
  ASSERT_EQ(bpf_prog_test_run_opts(bpf_program__fd(shield), &options), 0);
  EXPECT_EQ(options.retval, static_cast<std::uint32_t>(XDP_PASS));

  // And who asks for it is told.
  loader::ObjectFds fds;
  fds.shield_rules = map("shield_rules");
  loader::ShieldRules wanted;
  wanted.active = wanted.drop_unknown = true;
  const auto told = loader::ShieldMaps(fds, 1).set_rules(wanted);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, ENOTSUP);
  EXPECT_THAT(told.error().text(), ::testing::HasSubstr("Linux 6.8 is the first"));
  ASSERT_EQ(bpf_map_lookup_elem(fds.shield_rules, &zero, &rules), 0);
  EXPECT_EQ(rules.active, 1) << "the other rules hold";
  EXPECT_EQ(rules.drop_unknown, 0);
}

// Where no program finds room at tcx, as where there is none.
TEST_F(OlderKernel, WithoutTcxItSaysSo) {
  run("ip link add espg0 type veth peer name espg1 && ip link set espg0 up && ip link set espg1 up");
  const bpf_insn next[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, -1}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  std::vector<base::Fd> kept;
  for (int i = 0; i < 64; ++i) {  // BPF_MPROG_MAX
    base::Fd program(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "next", "GPL", next, 2, nullptr));
    ASSERT_TRUE(program);
    base::Fd link(bpf_link_create(program.get(), static_cast<int>(if_nametoindex("espg0")), BPF_TCX_EGRESS, nullptr));
    if (!link) break;
    kept.push_back(std::move(link));
  }
  ASSERT_GE(kept.size(), 32U);
  loader::Options options;
  options.bpffs = bpffs;
  options.tracing = false;
  auto loader = loader::Loader::open(options);
  ASSERT_TRUE(loader) << loader.error().text();
  EXPECT_THAT(loader->capabilities().missing,
              ::testing::ElementsAre("all packets are counted by tc, inexactly (tracing is switched off)"));
  const auto done = loader->attach_device("espg0");
  ASSERT_TRUE(done);
  EXPECT_EQ(done->xdp, ESPGATE_XDP_NATIVE);
  EXPECT_TRUE(done->tc_ingress);
  EXPECT_FALSE(done->tc_egress);
  EXPECT_THAT(done->missing,
              ::testing::ElementsAre(::testing::StartsWith("espg0: no tcx (Linux 6.6 has it first) for tc_egress: ")));
}

}  // namespace

}  // namespace espgate::test
