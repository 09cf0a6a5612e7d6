// SPDX-License-Identifier: Apache-2.0
#include "sad/verdict.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace espgate::sad {
namespace {

std::string_view mode_name(xfrm::OffloadKind kind) { return kind == xfrm::OffloadKind::crypto ? "crypto" : "packet"; }

// Refusals whose errno says that not the device was at fault, or that it is full.
Reason reason_of(int code, bool offload_asked) {
  switch (code) {
    case EEXIST:
      return Reason::spi_in_use;
    case EPERM:
      return Reason::no_permission;
    case EPROTONOSUPPORT:
      return Reason::no_esp;
    case ENOSYS:
    case ENOENT:
      return Reason::unsupported_suite;
    case ENOSPC:
      return offload_asked ? Reason::device_full : Reason::kernel_refused;
    default:
      return offload_asked ? Reason::offload_refused : Reason::kernel_refused;
  }
}

std::string refusal(const Attempt& attempt, Reason reason, const base::Error& error) {
  const std::string words = words_of(error);
  switch (reason) {
    case Reason::offload_refused:
      return fmt::format("driver refused {} mode: {} for {}", mode_name(*attempt.asked), words, attempt.suite);
    case Reason::device_full:
      return fmt::format("{} has no room for another SA in {} mode: {}", attempt.device, mode_name(*attempt.asked),
                         words);
    case Reason::spi_in_use:
      return fmt::format("the kernel has an SA with this destination and SPI already: {}", words);
    case Reason::no_permission:
      return fmt::format("no permission to add an SA (CAP_NET_ADMIN): {}", words);
    case Reason::no_esp:
      if (attempt.suite.starts_with("ah-")) return fmt::format("this kernel has no AH (module ah4 or ah6): {}", words);
      return fmt::format("this kernel has no ESP (module esp4 or esp6): {}", words);
    case Reason::unsupported_suite:
      return fmt::format("this kernel lacks an algorithm of {}: {}", attempt.suite, words);
    default:
      return fmt::format("kernel refused the SA: {} for {}", words, attempt.suite);
  }
}

}  // namespace

std::string words_of(const base::Error& error) {
  const std::string name = base::errno_name(error.code);
  if (!error.detail.empty()) return fmt::format("\"{}\" ({})", error.detail, name);
  const char* known = strerrordesc_np(error.code);
  return fmt::format("{} ({})", known != nullptr ? known : "unknown error", name);
}

Verdict judge(const Attempt& attempt, const xfrm::Result& added, const xfrm::Result& read) {
  Verdict out;
  if (!added) {
    out.reason = reason_of(added.error().code, attempt.asked.has_value());
    out.text = refusal(attempt, out.reason, added.error());
    return out;
  }
  out.added = true;
  const auto* state = read ? std::get_if<xfrm::SaState>(&*read) : nullptr;
  if (state != nullptr && state->offload) {
    const bool packet = state->offload->kind == xfrm::OffloadKind::packet;
    out.actual = packet ? base::OffloadActual::packet : base::OffloadActual::crypto;
  }
  if (attempt.asked && out.actual == base::OffloadActual::none) {
    out.reason = Reason::silent_software;
    out.text = fmt::format(
        "the kernel accepted {} mode on {} but runs it in software: the device has no ESP offload, or its driver would "
        "not say why not",
        mode_name(*attempt.asked), attempt.device);
  }
  return out;
}

}  // namespace espgate::sad
