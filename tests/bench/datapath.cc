// SPDX-License-Identifier: Apache-2.0
// Nanoseconds a packet of the counting core and of shield by BPF_PROG_TEST_RUN, in turns with what they are measured
// against. espgate-bench-datapath BPFFS DEVICE: attaches shield to the device, in the namespace it is run in; prints an
// object of medians, {"core": {"1": {"facts": ns, "one_hash": ns, ..., "arrivals": ns, ...}, ...}, "shield": {"pass":
// ns, "esp": ns, ...}}.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sched.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "bench/core.skel.h"
#include "loader/inspect.h"
#include "loader/loader.h"
#include "tests/bpf/packet.h"

namespace {

namespace base = espgate::base;

constexpr int kRounds = 15;
constexpr std::uint32_t kRepeat = 1'000'000;

[[noreturn]] void fail(const std::string& what) {
  fmt::print(stderr, "espgate-bench-datapath: {}\n", what);
  std::exit(2);
}

struct Runner {
  std::string name;
  int program = -1;
  base::Bytes packet;
  std::vector<std::uint32_t> ns{};

  void run() {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data(),
                .data_size_in = static_cast<std::uint32_t>(packet.size()), .repeat = kRepeat);
    if (bpf_prog_test_run_opts(program, &options) != 0 || options.retval != XDP_PASS) fail("cannot run " + name);
    ns.push_back(options.duration);
  }
  std::uint32_t median() {
    std::ranges::sort(ns);
    return ns[ns.size() / 2];
  }
};

// In turns, so that what disturbs one disturbs all.
std::string measure(std::vector<Runner> runners) {
  std::string out;
  for (int round = 0; round < kRounds; ++round)
    for (Runner& runner : runners) runner.run();
  for (Runner& runner : runners)
    out += fmt::format("{}\"{}\": {}", out.empty() ? "" : ", ", runner.name, runner.median());
  return "{" + out + "}";
}

using Core = std::unique_ptr<core, decltype(&core::destroy)>;

// With maps for so many SAs, all of them in use: SA i in slot i, with the keys that core.bpf.c makes.
Core load_core(std::uint32_t sas) {
  Core out(core::open(), &core::destroy);
  if (!out) fail("cannot open the programs");
  const auto cpus = static_cast<std::uint32_t>(libbpf_num_possible_cpus());
  for (bpf_map* map : {out->maps.sa_slot, out->maps.sa_index, out->maps.peer}) bpf_map__set_max_entries(map, sas);
  for (bpf_map* map : {out->maps.sa_dir, out->maps.policy_dir, out->maps.child_total}) bpf_map__set_max_entries(map, 1);
  bpf_map__set_max_entries(out->maps.counters, sas * cpus);
  out->rodata->sas = sas;
  out->rodata->slots = sas;
  out->rodata->netns = espgate::maps::netns_cookie();
  if (core::load(out.get()) != 0) fail("cannot load the programs");
  return out;
}

void fill(const core& bpf, std::uint32_t sas) {
  const std::uint64_t netns = espgate::maps::netns_cookie();
  std::vector<espgate_sa_index> index(sas);
  std::vector<espgate_sa_key> keys(sas);
  std::vector<espgate_sa_value> values(sas);
  std::vector<std::uint32_t> slots(sas);
  const std::vector<std::uint64_t> zeros(sas);
  for (std::uint32_t i = 0; i < sas; ++i) {
    keys[i].netns = netns;
    keys[i].daddr[0] = 10;
    keys[i].spi = i + 0x10000;
    keys[i].family = AF_INET;
    keys[i].proto = IPPROTO_ESP;
    values[i].slot = slots[i] = i;
    values[i].generation = 1;
    index[i] = {keys[i], values[i], {}};
  }
  auto put = [sas](const bpf_map* map, const void* key, const void* value) {
    LIBBPF_OPTS(bpf_map_batch_opts, options);
    std::uint32_t count = sas;
    if (bpf_map_update_batch(bpf_map__fd(map), key, value, &count, &options) != 0 || count != sas)
      fail("cannot fill the maps");
  };
  put(bpf.maps.sa_slot, keys.data(), values.data());
  put(bpf.maps.sa_index, slots.data(), index.data());
  put(bpf.maps.peer, keys.data(), zeros.data());
}

std::string core_at(std::uint32_t sas) {
  const Core bpf = load_core(sas);
  fill(*bpf, sas);
  std::vector<Runner> runners;
  const base::Bytes esp = espgate::test::Packet().ipv4("192.0.2.1", "10.0.0.0", 50).esp(1, 1400).bytes();
  for (const bpf_program* program : {bpf->progs.facts, bpf->progs.one_hash, bpf->progs.core, bpf->progs.core_hash,
                                     bpf->progs.arrivals, bpf->progs.arrivals_hash, bpf->progs.arrivals_shield})
    runners.push_back({bpf_program__name(program), bpf_program__fd(program), esp});
  return measure(std::move(runners));
}

base::Fd shield_of(const std::string& bpffs) {
  const auto programs = espgate::loader::programs(bpffs);
  if (programs)
    for (const auto& program : *programs)
      if (program.name == "shield") return base::Fd(bpf_prog_get_fd_by_id(program.id));
  fail("shield is not attached");
}

// The production program as it is loaded and attached, with an SA of ours in its maps.
std::string shield_on(const std::string& bpffs, const std::string& device) {
  using espgate::test::Packet;
  espgate::loader::Options options;
  options.bpffs = bpffs;
  options.tracing = false;
  auto loader = espgate::loader::Loader::open(options);
  if (!loader) fail(loader.error().text());
  espgate::maps::SaRecord sa;
  sa.spi.value = 0xc0ffee01;
  sa.src = *base::Address::parse("192.0.2.1");
  sa.dst = *base::Address::parse("192.0.2.2");
  if (!loader->assign(0, sa) || !loader->attach_device(device)) fail("cannot attach");
  const base::Fd shield = shield_of(bpffs);
  const Core beside = load_core(1);
  fill(*beside, 1);
  const auto v4 = [](std::uint8_t proto) { return Packet().ipv4("192.0.2.1", "192.0.2.2", proto); };
  std::string out = measure({
      {"pass", bpf_program__fd(beside->progs.pass), base::Bytes(64)},
      {"one_hash", bpf_program__fd(beside->progs.one_hash), base::Bytes(64)},
      {"esp", shield.get(), v4(50).esp(0xc0ffee01, 1400).bytes()},
      {"esp-udp", shield.get(), v4(17).udp(4500, 4500).esp(0xc0ffee01, 1400).bytes()},
      {"unknown-spi", shield.get(), v4(50).esp(0xc0ffee02, 1400).bytes()},
      {"ike", shield.get(), v4(17).udp(500, 500).zeros(200).bytes()},
      {"plain", shield.get(), v4(6).zeros(1400).bytes()},
      {"plain IPv6", shield.get(), Packet().ipv6("2001:db8::1", "2001:db8::2", 6).zeros(1400).bytes()},
  });
  (void)loader->remove_all();
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: espgate-bench-datapath BPFFS DEVICE\n");
    return 1;
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(libbpf_num_possible_cpus() - 1, &one);
  (void)::sched_setaffinity(0, sizeof one, &one);
  std::string rows;
  for (const std::uint32_t sas : {1U, 1000U, 1'000'000U})
    rows += fmt::format("{}\"{}\": {}", rows.empty() ? "" : ", ", sas, core_at(sas));
  fmt::print("{{\"core\": {{{}}}, \"shield\": {}}}\n", rows, shield_on(argv[1], argv[2]));
  return 0;
}
