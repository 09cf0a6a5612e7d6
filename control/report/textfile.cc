// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/fd.h"
#include "control/report/prometheus.h"

namespace espgate::control::report {
namespace {

base::Result<void> write_whole(const base::Fd& file, const std::string& text, const std::string& path, unsigned mode) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t wrote = ::write(file.get(), text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return std::unexpected(base::Error::last("write " + path));
    done += static_cast<std::size_t>(wrote);
  }
  if (::fchmod(file.get(), mode) != 0) return std::unexpected(base::Error::last("chmod " + path));
  // Without this a power cut may leave the new name with no content.
  if (::fsync(file.get()) != 0) return std::unexpected(base::Error::last("fsync " + path));
  return {};
}

}  // namespace

base::Result<void> write_atomically(const std::string& path, const std::string& text, unsigned mode) {
  // The collector reads *.prom only, so a name that ends otherwise is never taken for the real one.
  std::string temporary = path + ".XXXXXX";
  const base::Fd file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file) return std::unexpected(base::Error::last("create a file beside " + path));
  auto result = write_whole(file, text, temporary, mode);
  if (result && ::rename(temporary.c_str(), path.c_str()) != 0) {
    result = std::unexpected(base::Error::last("rename to " + path));
  }
  if (!result) ::unlink(temporary.c_str());
  return result;
}

}  // namespace espgate::control::report
