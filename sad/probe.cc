// SPDX-License-Identifier: Apache-2.0
#include "sad/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "sad/child.h"

namespace espgate::sad {
namespace {

// Add, read back, delete: they go to the kernel in one send, whole.
constexpr std::size_t kSteps = 3;
constexpr std::size_t kRowsPerSend = xfrm::kRequestsPerSend / kSteps;
constexpr std::uint16_t kEncapPort = 4500;

std::uint32_t draw(const ProbeMeans& means) {
  std::array<std::uint8_t, 4> octets{};
  means.random(octets);
  std::uint32_t out = 0;
  std::memcpy(&out, octets.data(), sizeof out);
  return out;
}

// SPIs below 256 are reserved (RFC 4303 2.1).
base::Spi draw_spi(const ProbeMeans& means) {
  for (;;) {
    if (const std::uint32_t value = draw(means); value > 255) return {value};
  }
}

base::Secret draw_key(std::size_t octets, const ProbeMeans& means) {
  base::Secret out(octets);
  means.random(out.bytes());
  return out;
}

// A host within `prefix`, never its first or last address.
base::Address draw_host(std::string_view prefix, const ProbeMeans& means) {
  const base::Prefix net = *base::Prefix::parse(prefix);
  auto raw = net.address().raw();
  const auto octets = static_cast<std::size_t>(base::octets(net.family()));
  means.random(std::span(raw).subspan(net.length() / 8, octets - net.length() / 8));
  raw[octets - 1] = static_cast<std::uint8_t>(1 + raw[octets - 1] % 254);
  return *base::Address::from_octets({raw.data(), octets});
}

// Draws until no SA has that name, so that our delete cannot meet another's.
void keep_off_others(xfrm::Kernel& kernel, std::vector<xfrm::SaSpec>& specs, const ProbeMeans& means) {
  std::vector<xfrm::Request> questions;
  for (const auto& spec : specs) questions.emplace_back(xfrm::GetSa{spec.id()});
  const auto there = kernel.execute(questions);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (there[i]) specs[i].spi = draw_spi(means);
  }
  if (std::ranges::any_of(there, [](const auto& result) { return result.has_value(); })) {
    keep_off_others(kernel, specs, means);
  }
}

class Run {
 public:
  // No ifindex: in software.
  Run(xfrm::Kernel& kernel, std::optional<std::uint32_t> ifindex, const ProbeMeans& means)
      : kernel_(kernel), ifindex_(ifindex), means_(means) {}

  struct Attempt {
    std::vector<ProbeAnswer> answers;
    std::vector<std::vector<std::string>> heard;  // after each send, of kRowsPerSend rows
  };

  Attempt attempt(std::span<const ProbeRow> rows) {
    std::vector<xfrm::SaSpec> specs = drawn(rows);
    Attempt out;
    for (std::size_t first = 0; first < rows.size(); first += kRowsPerSend) {
      const std::size_t count = std::min(kRowsPerSend, rows.size() - first);
      send(rows.subspan(first, count), std::span(specs).subspan(first, count), out.answers);
      out.heard.push_back(means_.overheard ? means_.overheard() : std::vector<std::string>{});
    }
    return out;
  }

  // All of them at once, at most kRowsPerSend.
  std::vector<ProbeAnswer> together(std::span<const ProbeRow> rows) {
    std::vector<xfrm::SaSpec> specs = drawn(rows);
    std::vector<xfrm::Request> requests;
    std::vector<xfrm::SaId> ids;
    for (auto& spec : specs) {
      ids.push_back(spec.id());
      requests.emplace_back(xfrm::AddSa{std::move(spec)});
      requests.emplace_back(xfrm::GetSa{ids.back()});
    }
    for (const auto& id : ids) requests.emplace_back(xfrm::DelSa{id});
    const auto results = kernel_.execute(requests);
    std::vector<ProbeAnswer> out;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto& added = results[2 * i];
      out.push_back(judge(rows[i], added, results[2 * i + 1]));
      note(added, results[2 * rows.size() + i]);
    }
    return out;
  }

  std::size_t left_behind = 0;

 private:
  std::vector<xfrm::SaSpec> drawn(std::span<const ProbeRow> rows) {
    std::vector<xfrm::SaSpec> out;
    for (const auto& row : rows) {
      out.push_back(probe_sa(row, ifindex_.value_or(0), means_));
      if (!ifindex_) out.back().offload.reset();
    }
    keep_off_others(kernel_, out, means_);
    return out;
  }

  void note(const xfrm::Result& added, const xfrm::Result& deleted) {
    if (added && !deleted && deleted.error().code != ESRCH) ++left_behind;
  }

  void send(std::span<const ProbeRow> rows, std::span<xfrm::SaSpec> specs, std::vector<ProbeAnswer>& to) {
    std::vector<xfrm::Request> requests;
    for (auto& spec : specs) {
      const xfrm::SaId id = spec.id();
      requests.emplace_back(xfrm::AddSa{std::move(spec)});
      requests.emplace_back(xfrm::GetSa{id});
      requests.emplace_back(xfrm::DelSa{id});
    }
    const auto results = kernel_.execute(requests);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto& added = results[kSteps * i];
      to.push_back(judge(rows[i], added, results[kSteps * i + 1]));
      note(added, results[kSteps * i + 2]);
    }
  }

  xfrm::Kernel& kernel_;
  std::optional<std::uint32_t> ifindex_;
  const ProbeMeans& means_;
};

// One row again, alone, with what was heard of it.
ProbeAnswer listen(Run& run, const ProbeRow& row) {
  auto again = run.attempt({&row, 1});
  ProbeAnswer answer = std::move(again.answers.front());
  answer.log = std::move(again.heard.front());
  // A driver that says the same in both places need not be quoted twice.
  std::erase_if(answer.log, [&](const std::string& line) {
    return !answer.words.empty() && line.find(answer.words) != std::string::npos;
  });
  return answer;
}

}  // namespace

std::string_view to_string(ProbeResult result) {
  switch (result) {
    case ProbeResult::taken:
      return "taken";
    case ProbeResult::silent_software:
      return "silent-software";
    case ProbeResult::refused:
      return "refused";
  }
  return "?";
}

std::string_view to_string(xfrm::OffloadKind offload) {
  return offload == xfrm::OffloadKind::crypto ? "crypto" : "packet";
}

ProbeAnswer judge(const ProbeRow& row, const xfrm::Result& added, const xfrm::Result& read) {
  ProbeAnswer out;
  if (!added) {
    out.code = added.error().code;
    out.words = added.error().detail;
    return out;
  }
  const auto* state = read ? std::get_if<xfrm::SaState>(&*read) : nullptr;
  const bool held = state != nullptr && state->offload && state->offload->kind == row.mode;
  out.result = held ? ProbeResult::taken : ProbeResult::silent_software;
  return out;
}

std::string reason_text(const ProbeAnswer& answer) {
  std::string out;
  if (answer.result == ProbeResult::silent_software) {
    out = "accepted, and runs in software: the device has no ESP offload, or its driver would not say why not";
  } else if (answer.result == ProbeResult::refused) {
    const char* known = strerrordesc_np(answer.code);
    out = !answer.words.empty() ? answer.words
                                : fmt::format("{}, without a word of why", known != nullptr ? known : "unknown error");
  }
  if (out.empty() || answer.log.empty()) return out;
  return fmt::format("{}; kernel log: \"{}\"", out, fmt::join(answer.log, "\", \""));
}

xfrm::SaSpec probe_sa(const ProbeRow& row, std::uint32_t ifindex, const ProbeMeans& means) {
  const bool v4 = row.family == base::Family::ipv4;
  const base::Address here = draw_host(v4 ? "192.0.2.0/24" : "2001:db8::/32", means);
  const base::Address there = draw_host(v4 ? "198.51.100.0/24" : "2001:db8::/32", means);
  const bool in = row.direction == base::Direction::in;
  xfrm::SaSpec out;
  out.direction = row.direction;
  out.source = in ? there : here;
  out.destination = in ? here : there;
  out.spi = draw_spi(means);
  out.suite = row.suite;
  out.cipher_key = draw_key(row.suite.cipher_key_octets(), means);
  out.auth_key = draw_key(row.suite.auth_key_octets(), means);
  out.mode = row.sa_mode;
  out.reqid = kTrialReqid;  // which no policy names; a daemon that starts removes what has it
  out.replay_window = row.replay_window;
  if (row.encap) out.encap = xfrm::Encap{kEncapPort, kEncapPort};
  out.offload = xfrm::Offload{row.mode, ifindex};
  out.limits.hard_age = kProbeLife;
  return out;
}

void load_algorithms(xfrm::Kernel& kernel, std::span<const ProbeRow> rows, const ProbeMeans& means) {
  std::vector<ProbeRow> one_each;
  for (const auto& row : rows) {
    if (std::ranges::find(one_each, row.suite, &ProbeRow::suite) == one_each.end()) one_each.push_back(row);
  }
  Run(kernel, std::nullopt, means).attempt(one_each);  // what the kernel lacks shows again when the device is asked
}

ProbeOutcome probe(xfrm::Kernel& kernel, std::uint32_t ifindex, std::span<const ProbeRow> rows,
                   const ProbeMeans& means) {
  Run run(kernel, ifindex, means);
  if (means.overheard) (void)means.overheard();  // what was said before is not about us
  auto first = run.attempt(rows);
  ProbeOutcome out;
  out.answers = std::move(first.answers);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool loud = !first.heard[i / kRowsPerSend].empty();
    if (loud && out.answers[i].result != ProbeResult::taken) out.answers[i] = listen(run, rows[i]);
  }
  out.left_behind = run.left_behind;
  return out;
}

ProbeOutcome probe_pair(xfrm::Kernel& kernel, std::uint32_t ifindex, const ProbeRow& in, const ProbeRow& out,
                        const ProbeMeans& means) {
  Run run(kernel, ifindex, means);
  const std::array rows{in, out};
  ProbeOutcome outcome;
  outcome.answers = run.together(rows);
  outcome.left_behind = run.left_behind;
  return outcome;
}

}  // namespace espgate::sad
