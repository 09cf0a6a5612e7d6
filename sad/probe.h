// SPDX-License-Identifier: Apache-2.0
// What a device takes, found out by trying it: throw-away SAs between documentation addresses (RFC 5737, RFC 3849) that
// no policy names and no packet meets, each added, read back and deleted again. Pure but for xfrm::Kernel, which the
// caller brings, as it brings randomness and ears.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/esp.h"
#include "xfrm/api.h"

namespace espgate::sad {

// One SA to try.
struct ProbeRow {
  base::EspSuite suite;  // with `esn`
  xfrm::OffloadKind mode = xfrm::OffloadKind::crypto;
  base::Direction direction = base::Direction::in;
  base::SaMode sa_mode = base::SaMode::tunnel;
  base::Family family = base::Family::ipv4;  // of the outer or the only header
  bool encap = false;                        // in UDP (RFC 3948)
  std::uint32_t replay_window = 0;           // packets; 0 outbound, where there is none
  bool operator==(const ProbeRow&) const = default;
};

// The rows of a default probe, in the order in which they are tried. Why these and no others: docs/probe.md.
std::vector<ProbeRow> probe_plan();
// The one of them around which the others vary: the SA that every device with ESP offload takes first.
ProbeRow usual_row(xfrm::OffloadKind mode, base::Direction direction);

enum class ProbeResult : std::uint8_t {
  taken,            // the device holds it; whether it then does its work, only packets tell
  silent_software,  // the add succeeds, and the SA is software
  refused,
};
std::string_view to_string(ProbeResult result);         // "taken", "silent-software", "refused"
std::string_view to_string(xfrm::OffloadKind offload);  // "crypto", "packet"

struct ProbeAnswer {
  ProbeResult result = ProbeResult::refused;
  int code = 0;                  // errno of a refusal
  std::string words;             // the extended ack of a refusal, verbatim; may be empty
  std::vector<std::string> log;  // what the device wrote into the kernel's log meanwhile, verbatim
  bool operator==(const ProbeAnswer&) const = default;
};

// From the results of the row's AddSa and of the GetSa after it.
ProbeAnswer judge(const ProbeRow& row, const xfrm::Result& added, const xfrm::Result& read);
// Why not, in one line, with the driver's words as they are; empty for what was taken.
std::string reason_text(const ProbeAnswer& answer);

struct ProbeMeans {
  std::function<void(std::span<std::uint8_t>)> random;  // fills it; keys come from here
  // What the device wrote into the kernel's log since it was asked last; empty: nobody listens.
  std::function<std::vector<std::string>()> overheard;
};

struct ProbeOutcome {
  std::vector<ProbeAnswer> answers;  // one for each row, in their order
  std::size_t left_behind = 0;       // SAs that were not deleted; their hard limit does it within kProbeLife
};

// Should the program die between an add and its delete, the kernel deletes the SA by itself.
inline constexpr std::chrono::seconds kProbeLife{5};

// The SA of a row, with addresses, SPI and keys drawn at random.
xfrm::SaSpec probe_sa(const ProbeRow& row, std::uint32_t ifindex, const ProbeMeans& means);

// Has the kernel load what the suites of the rows need, with an SA in software for each: that takes a while the first
// time, and is no property of a device.
void load_algorithms(xfrm::Kernel& kernel, std::span<const ProbeRow> rows, const ProbeMeans& means);

// Tries the rows one after the other, many in one system call: the device never holds more than one of them, and a
// signal finds none of them there. Where the device spoke into the log meanwhile, those of the rows that it did not
// take are tried a second time, one by one, so that each gets the lines that are its own.
ProbeOutcome probe(xfrm::Kernel& kernel, std::uint32_t ifindex, std::span<const ProbeRow> rows,
                   const ProbeMeans& means);

// The two SAs of a child, both held at the same time, as the child would need them: a table may have room for one more
// and no more. Answers: of `in`, of `out`.
ProbeOutcome probe_pair(xfrm::Kernel& kernel, std::uint32_t ifindex, const ProbeRow& in, const ProbeRow& out,
                        const ProbeMeans& means);

}  // namespace espgate::sad
