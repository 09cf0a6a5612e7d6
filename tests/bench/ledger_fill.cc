// SPDX-License-Identifier: Apache-2.0
// Stands in for a daemon with many SAs: espgate-bench-ledger BPFFS N pins maps with room for N SAs (one each direction,
// so N is even) and fills them. No program runs; the counts are written into the cells as a program would.
#include <bpf/bpf.h>
#include <fmt/core.h>
#include <sys/mman.h>

#include <charconv>
#include <cstring>
#include <string_view>

#include "base/fd.h"
#include "loader/loader.h"
#include "maps/pins.h"

namespace {

using espgate::base::Error;

int fail(const Error& error) {
  fmt::print(stderr, "espgate-bench-ledger: {}\n", error.text());
  return 2;
}

espgate::base::Address address(std::uint32_t host_order) {
  const std::uint8_t octets[] = {static_cast<std::uint8_t>(host_order >> 24U),
                                 static_cast<std::uint8_t>(host_order >> 16U),
                                 static_cast<std::uint8_t>(host_order >> 8U), static_cast<std::uint8_t>(host_order)};
  return *espgate::base::Address::from_octets(octets);
}

// The two SAs of a child are in neighbouring slots. Every fourth child fell back, with a driver's words.
espgate::maps::SaRecord record(std::uint32_t slot) {
  const std::uint32_t number = slot / 2;
  const espgate::base::Address ours = address(0xc0000201), peer = address(0x0a000000 + number);
  espgate::maps::SaRecord sa;
  sa.child.value = number + 1;
  sa.conn = fmt::format("site-{}", number);
  sa.child_name = "net";
  sa.uid = espgate::base::ChildUid::of(sa.conn, sa.child_name);
  sa.installed_at = 1700000000 + number;
  sa.direction = slot % 2 == 0 ? espgate::base::Direction::in : espgate::base::Direction::out;
  const bool in = sa.direction == espgate::base::Direction::in;
  sa.src = in ? peer : ours;
  sa.dst = in ? ours : peer;
  sa.spi.value = 0x10000 + slot;
  sa.set_suite({});
  sa.reqid = 1;
  sa.wanted = espgate::base::OffloadWanted::automatic;
  sa.device = "nic0";
  sa.ifindex = 1;
  if (number % 4 != 0) {
    sa.actual = espgate::base::OffloadActual::crypto;
  } else {
    sa.reason_code = "refused";
    sa.reason = "driver refused crypto mode: \"Cannot offload authenticated xfrm states\" (EINVAL)";
  }
  return sa;
}

// Cells of CPU 0, of the first generation.
bool write_counts(const std::string& bpffs, std::uint32_t sas) {
  const espgate::base::Fd map(bpf_obj_get(espgate::maps::map_pin(bpffs, "counters").c_str()));
  const std::size_t octets = sizeof(espgate_cell) * sas;
  void* at = ::mmap(nullptr, octets, PROT_READ | PROT_WRITE, MAP_SHARED, map.get(), 0);
  if (at == MAP_FAILED) return false;
  auto* cells = static_cast<espgate_cell*>(at);
  for (std::uint32_t slot = 0; slot < sas; ++slot) {
    cells[slot].generation = 1;
    cells[slot].hw_packets = slot;
    cells[slot].hw_bytes = 1400ULL * slot;
    cells[slot].sw_packets = 7;
    cells[slot].sw_bytes = 9800;
  }
  return ::munmap(at, octets) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint32_t sas = 0;
  const std::string_view number = argc == 3 ? argv[2] : "";
  std::from_chars(number.data(), number.data() + number.size(), sas);
  if (sas == 0 || sas % 2 != 0) {
    fmt::print(stderr, "usage: espgate-bench-ledger BPFFS N (even)\n");
    return 1;
  }
  espgate::loader::Options options;
  options.bpffs = argv[1];
  options.max_slots = sas;
  options.tracing = false;
  auto loader = espgate::loader::Loader::open(options);
  if (!loader) return fail(loader.error());
  for (std::uint32_t slot = 0; slot < sas; ++slot)
    if (const auto done = loader->assign(slot, record(slot)); !done) return fail(done.error());
  if (!write_counts(options.bpffs, sas)) return fail(Error::last("write the counts"));
  return 0;
}
