// SPDX-License-Identifier: Apache-2.0
// Stands in for the daemon in lab scenarios whose SAs `ip xfrm` made: registers them in the ledger, shows what was
// counted.
//   espgate-ledger-test BPFFS show|totals|classes|shield|flows|programs|maps
//   espgate-ledger-test BPFFS serve|serve-inexact
// serve holds the loader and reads commands, a line each, answered by "ok" or "error: WHAT":
//   NETNS device DEV [native|generic|off]
//   NETNS shield off|watch|drop RATE   of requests, of fragments; watch: unknown SPIs are counted only
//   NETNS assign SLOT in|out SPI SRC DST tunnel|transport no|auto|crypto|packet SUITE CHILD [WORD...]
//         WORDs: encap, esn, crypto=DEV or packet=DEV (what is held, and by whom)
//   NETNS settled SLOT                 read back, and as it was assigned
//   NETNS release SLOT
//   NETNS spread [CPU...]
//   NETNS remove
//   show sas|classes|flows    what the program's own arguments show, before "ok"
#include <fcntl.h>
#include <fmt/core.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "loader/inspect.h"
#include "loader/loader.h"
#include "maps/reader.h"

namespace {

using espgate::base::Error;
using espgate::base::Fd;
using espgate::base::Result;
using espgate::loader::Loader;
using espgate::loader::XdpWish;

int fail(const Error& error) {
  fmt::print(stderr, "{}\n", error.text());
  return 2;
}

Loader load(const std::string& bpffs, bool tracing) {
  espgate::loader::Options options;
  options.bpffs = bpffs;
  options.max_slots = 64;
  options.tracing = tracing;
  auto loader = Loader::open(options);
  if (!loader) std::exit(fail(loader.error()));
  return std::move(*loader);
}

espgate::base::OffloadWanted wanted(const std::string& word) {
  using espgate::base::OffloadWanted;
  if (word == "crypto") return OffloadWanted::crypto;
  if (word == "packet") return OffloadWanted::packet;
  return word == "no" ? OffloadWanted::no : OffloadWanted::automatic;
}

void add_word(espgate::maps::SaRecord& sa, const std::string& word) {
  using espgate::base::OffloadActual;
  if (word == "encap") sa.encap = true;
  const auto [mode, device] = std::pair(word.substr(0, word.find('=')), word.substr(word.find('=') + 1));
  if (mode == word) return;
  sa.actual = mode == "packet" ? OffloadActual::packet : OffloadActual::crypto;
  sa.device = device;
  sa.ifindex = if_nametoindex(device.c_str());
}

espgate::maps::SaRecord record(const std::vector<std::string>& words) {
  espgate::maps::SaRecord sa;
  sa.direction = words[0] == "in" ? espgate::base::Direction::in : espgate::base::Direction::out;
  sa.spi = *espgate::base::Spi::parse(words[1]);
  sa.src = *espgate::base::Address::parse(words[2]);
  sa.dst = *espgate::base::Address::parse(words[3]);
  sa.mode = words[4] == "tunnel" ? espgate::base::SaMode::tunnel : espgate::base::SaMode::transport;
  sa.wanted = wanted(words[5]);
  espgate::base::EspSuite suite;
  if (words[6] == "aes256-sha256")
    suite = {espgate::base::EspCipher::aes_cbc, 256, espgate::base::EspAuth::hmac_sha2_256_128, false};
  if (words[6] == "ah-sha256") {
    suite = {espgate::base::EspCipher::none, 0, espgate::base::EspAuth::hmac_sha2_256_128, false};
    sa.proto = IPPROTO_AH;
  }
  suite.esn = std::ranges::find(words, "esn") != words.end();
  sa.set_suite(suite);
  for (std::size_t i = 8; i < words.size(); ++i) add_word(sa, words[i]);
  sa.conn = "lab";
  sa.child_name = words[7];
  sa.uid = espgate::base::ChildUid::of(sa.conn, sa.child_name);
  sa.netns = espgate::maps::netns_cookie();
  return sa;
}

std::string fallbacks(const espgate::maps::Counts& counts) {
  std::string out;
  for (unsigned i = 0; i < counts.fallback.size(); ++i)
    if (counts.fallback[i] != 0) out += fmt::format(" {}={}", espgate::maps::fallback_code(i), counts.fallback[i]);
  return out;
}

std::string text(const espgate::maps::Counts& counts) {
  return fmt::format("{} {} {} {}{}", counts.hw_packets, counts.hw_bytes, counts.sw_packets, counts.sw_bytes,
                     fallbacks(counts));
}

// "SLOT DIRECTION hw_packets hw_bytes sw_packets sw_bytes exact reason=n..."
int show(const std::string& bpffs, const std::string& what) {
  const auto reader = espgate::maps::Reader::open(bpffs);
  if (!reader) return fail(reader.error());
  if (what == "show" || what == "sas")
    for (const auto& row : reader->sas())
      fmt::print("{} {} {} {}\n", row.slot, to_string(row.sa.direction), row.exact ? "exact" : "inexact",
                 text(row.counts));
  if (what == "totals")
    for (const auto& row : reader->totals())
      fmt::print("{}/{} in {} out {}\n", row.conn, row.child, text(row.folded[0]), text(row.folded[1]));
  if (what == "classes")
    for (const auto& row : reader->classes())
      fmt::print("{} {} {} {} {}\n", row.device, espgate::maps::class_name(row.class_),
                 espgate::maps::verdict_name(row.verdict), row.packets, row.bytes);
  if (what == "shield")
    for (const auto& row : reader->shield())
      for (unsigned event = 0; event < row.events.size(); ++event)
        fmt::print("{} {} {}\n", row.device, espgate::maps::shield_event_name(event), row.events[event]);
  if (what == "flows")
    for (const auto& row : reader->flows())
      fmt::print("{} {} {} {} hw {} {} sw {} {}\n", row.key.direction == ESPGATE_IN ? "in" : "out", row.src.text(),
                 row.dst.text(), row.key.proto, row.value.hw_packets, row.value.hw_bytes, row.value.sw_packets,
                 row.value.sw_bytes);
  return 0;
}

int inspect(const std::string& bpffs, const std::string& what) {
  if (what == "programs") {
    const auto programs = espgate::loader::programs(bpffs);
    if (!programs) return fail(programs.error());
    for (const auto& one : *programs)
      fmt::print("{} {} [{}] {} instructions, {} runs, {} ns\n", one.name, one.type, one.attach, one.instructions,
                 one.run_count, one.run_ns);
    return 0;
  }
  const auto maps = espgate::loader::map_infos(bpffs);
  if (!maps) return fail(maps.error());
  for (const auto& one : *maps)
    fmt::print("{} {} {}/{} {} octets\n", one.name, one.type, one.entries, one.max_entries, one.octets);
  return 0;
}

Result<void> settled(Loader& loader, std::uint32_t slot) {
  for (const auto& sa : loader.sas())
    if (sa.slot == slot) return loader.update(slot, sa.sa);
  return std::unexpected(Error{"settle a slot", ENOENT, {}});
}

// With a secret that everybody knows: this is no product.
Result<void> shield(Loader& loader, const std::string& what, std::uint32_t rate) {
  espgate::loader::ShieldRules rules;
  rules.active = what != "off";
  rules.drop_unknown = what == "drop";
  rules.cookie_rate = rules.fragment_rate = rate;
  rules.source_rate = 0;
  if (auto done = loader.set_cookie_secrets({1, espgate::base::Secret(ESPGATE_COOKIE_KEY_OCTETS)}, std::nullopt); !done)
    return done;
  return loader.set_shield(rules);
}

// One command: NETNS VERB ARGUMENT..., or show WHAT.
Result<void> serve(Loader& loader, const std::string& bpffs, const std::vector<std::string>& words) {
  if (words.size() < 2) return std::unexpected(Error{"command", EINVAL, {}});
  if (words[0] == "show") {
    if (show(bpffs, words[1]) != 0) return std::unexpected(Error{"show " + words[1], EINVAL, {}});
    return {};
  }
  const Fd there(::open(("/run/netns/" + words[0]).c_str(), O_RDONLY | O_CLOEXEC));
  if (!there || ::setns(there.get(), CLONE_NEWNET) != 0) return std::unexpected(Error::last("enter " + words[0]));
  const std::string& verb = words[1];
  if (verb == "device") {
    const std::string mode = words.size() > 3 ? words[3] : "native";
    const auto wish = mode == "native" ? XdpWish::native : mode == "generic" ? XdpWish::generic : XdpWish::off;
    const auto done = loader.attach_device(words.at(2), wish);
    if (!done) return std::unexpected(done.error());
    for (const std::string& sentence : done->missing) fmt::print("missing: {}\n", sentence);
    return {};
  }
  if (verb == "shield") return shield(loader, words.at(2), static_cast<std::uint32_t>(std::stoul(words.at(3))));
  if (verb == "assign") {
    const auto done =
        loader.assign(static_cast<std::uint32_t>(std::stoul(words.at(2))), record({words.begin() + 3, words.end()}));
    if (!done) return std::unexpected(done.error());
    return {};
  }
  if (verb == "settled") return settled(loader, static_cast<std::uint32_t>(std::stoul(words.at(2))));
  if (verb == "spread") {
    std::vector<std::uint32_t> cpus;
    for (std::size_t i = 2; i < words.size(); ++i) cpus.push_back(static_cast<std::uint32_t>(std::stoul(words[i])));
    return loader.set_spread(cpus);
  }
  if (verb == "release") return loader.release(static_cast<std::uint32_t>(std::stoul(words.at(2))));
  if (verb == "remove") return loader.remove_all();
  return std::unexpected(Error{"command " + verb, EINVAL, {}});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr,
               "usage: espgate-ledger-test BPFFS show|totals|classes|shield|flows|programs|maps|serve|serve-inexact\n");
    return 1;
  }
  const std::string bpffs = argv[1], verb = argv[2];
  if (verb == "programs" || verb == "maps") return inspect(bpffs, verb);
  if (!verb.starts_with("serve")) return show(bpffs, verb);
  Loader loader = load(bpffs, verb == "serve");
  for (const std::string& sentence : loader.capabilities().missing) fmt::print("missing: {}\n", sentence);
  fmt::print("ready exact {} {} reused {}\n", loader.capabilities().exact_in, loader.capabilities().exact_out,
             loader.capabilities().reused);
  std::fflush(stdout);
  const Fd home(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream text(line);
    std::vector<std::string> words;
    for (std::string word; text >> word;) words.push_back(word);
    const Result<void> done = serve(loader, bpffs, words);
    ::setns(home.get(), CLONE_NEWNET);
    fmt::print("{}\n", done ? "ok" : "error: " + done.error().text());
    std::fflush(stdout);
  }
  return 0;
}
