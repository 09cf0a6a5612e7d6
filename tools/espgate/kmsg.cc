// SPDX-License-Identifier: Apache-2.0
#include "tools/espgate/kmsg.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace espgate::tools {
namespace {

constexpr std::size_t kLongestRecord = 8192;  // the kernel's is shorter than 2 KB

bool in_a_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

bool has_word(std::string_view text, std::string_view word) {
  if (word.empty()) return false;
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const auto end = at + word.size();
    const bool begins = at == 0 || !in_a_word(text[at - 1]);
    if (begins && (end == text.size() || !in_a_word(text[end]))) return true;
  }
  return false;
}

}  // namespace

std::optional<std::string_view> kmsg_text(std::string_view record) {
  const auto semicolon = record.find(';');
  if (semicolon == std::string_view::npos) return std::nullopt;
  record.remove_prefix(semicolon + 1);
  return record.substr(0, record.find('\n'));
}

bool is_from(std::string_view text, const DeviceWords& device) {
  if (has_word(text, device.device) || has_word(text, device.bus)) return true;
  return !device.driver.empty() && text.starts_with(device.driver + ":");
}

std::optional<KernelLog> KernelLog::open() {
  base::Fd fd(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd || lseek(fd.get(), 0, SEEK_END) < 0) return std::nullopt;
  return KernelLog(std::move(fd));
}

std::vector<std::string> KernelLog::lines(const DeviceWords& device) {
  std::vector<std::string> out;
  std::array<char, kLongestRecord> buffer;
  for (;;) {
    const ssize_t got = read(fd_.get(), buffer.data(), buffer.size());
    // EPIPE: records were overwritten before we came to them; the next read goes on behind the gap.
    if (got < 0 && (errno == EINTR || errno == EPIPE)) continue;
    if (got <= 0) return out;
    const auto text = kmsg_text({buffer.data(), static_cast<std::size_t>(got)});
    if (text && is_from(*text, device)) out.emplace_back(*text);
  }
}

}  // namespace espgate::tools
