// SPDX-License-Identifier: Apache-2.0
#include "control/offload/device_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "base/fd.h"
#include "control/offload/device_cache.h"
#include "control/report/prometheus.h"

namespace espgate::control {

namespace {
constexpr unsigned kMode = 0600;
constexpr unsigned kFolderMode = 0755;

// The whole file, but no more than the longest that is ours and one octet.
base::Result<std::string> read_file(const std::string& path) {
  // Not blocking: somebody may have put a pipe there.
  const base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return std::unexpected(base::Error::last("open " + path));
  std::string out;
  std::array<char, 65536> part{};
  while (out.size() <= kDeviceCacheOctets) {
    const ssize_t got = ::read(file.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(base::Error::last("read " + path));
    if (got == 0) break;
    out.append(part.data(), static_cast<std::size_t>(got));
  }
  return out;
}
}  // namespace

std::expected<std::vector<sad::DeviceRecord>, std::string> read_device_cache(const std::string& path) {
  const auto text = read_file(path);
  if (!text && text.error().code == ENOENT) return {};
  if (!text) return std::unexpected(text.error().text());
  auto records = parse_device_cache(*text);
  if (!records) return std::unexpected(path + " is not usable: " + records.error());
  return records;
}

base::Result<void> write_device_cache(const std::string& path, const std::vector<sad::DeviceRecord>& records) {
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty() && ::mkdir(folder.c_str(), kFolderMode) != 0 && errno != EEXIST) {
    return std::unexpected(base::Error::last("make " + folder.string()));
  }
  return report::write_atomically(path, device_cache_text(records), kMode);
}

}  // namespace espgate::control
