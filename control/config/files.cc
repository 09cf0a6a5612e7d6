// SPDX-License-Identifier: Apache-2.0
#include "control/config/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/fd.h"
#include "base/secret.h"

namespace espgate::control {
namespace {

// All of a file, or an errno; EFBIG beyond `limit` octets.
std::expected<std::string, int> read_all(int fd, std::size_t limit) {
  std::string out;
  std::string buffer(16384, '\0');
  for (;;) {
    const auto count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(errno);
    if (count == 0) break;
    out.append(buffer, 0, static_cast<std::size_t>(count));
    if (out.size() > limit) return std::unexpected(EFBIG);
  }
  base::wipe(buffer.data(), buffer.size());
  return out;
}

bool has_wildcard(std::string_view pattern) { return pattern.find_first_of("*?[") != std::string_view::npos; }

}  // namespace

SourceFile::~SourceFile() { base::wipe(text.data(), text.size()); }

void Files::error(const Origin& at, std::string what) {
  if (stopped_) return;
  report_.error(at, std::move(what));
  if (++errors_ >= limits_.errors) stop(at, "too many errors, the rest was not read");
}

void Files::stop(const Origin& at, std::string what) {
  if (!stopped_) report_.error(at, std::move(what));
  stopped_ = true;
}

std::unique_ptr<SourceFile> Files::open(const std::filesystem::path& path, const Origin& at) {
  const auto refuse = [&](std::string_view why) {
    error(at, fmt::format("cannot read {}: {}", path.string(), why));
    return nullptr;
  };
  if (stopped_) return nullptr;
  if (open_.size() >= limits_.include_depth) return refuse("files include one another too deeply");
  if (++count_ > limits_.files) return refuse("too many files");
  // Not to hang on a FIFO; a regular file does not mind.
  const base::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return refuse(std::strerror(errno));
  struct stat about = {};
  if (::fstat(fd.get(), &about) != 0) return refuse(std::strerror(errno));
  if (!S_ISREG(about.st_mode)) return refuse("it is not a regular file");
  std::error_code failed;
  const auto canonical = std::filesystem::canonical(path, failed);
  if (std::ranges::find(open_, canonical) != open_.end()) return refuse("it includes itself, expected no cycle");
  auto text = read_all(fd.get(), limits_.file_octets);
  if (!text) return refuse(text.error() == EFBIG ? "it is too large" : std::strerror(text.error()));
  octets_ += text->size();
  if (octets_ > limits_.total_octets) return refuse("all files together are too large");
  auto source = std::make_unique<SourceFile>(path.string(), std::move(*text), about.st_mode & 07777U);
  source->canonical = canonical;
  open_.push_back(canonical);
  return source;
}

void Files::leave(const SourceFile& source) {
  if (!open_.empty() && open_.back() == source.canonical) open_.pop_back();
}

std::vector<std::filesystem::path> Files::expand(const std::string& pattern, const SourceFile& from, const Origin& at) {
  if (!may_include_) {
    error(at, "include is not possible here, expected settings alone");
    return {};
  }
  std::filesystem::path full = pattern;
  if (pattern.starts_with("%d/")) {
    const char* credentials = std::getenv("CREDENTIALS_DIRECTORY");
    if (credentials == nullptr || *credentials == '\0') {
      report_.warning(
          at,
          fmt::format("{} is not read: there are no credentials here, systemd's LoadCredential= brings them", pattern));
      return {};
    }
    full = std::filesystem::path(credentials) / pattern.substr(3);
  }
  if (full.is_relative()) full = std::filesystem::path(from.name).parent_path() / full;
  glob_t found{};
  int status = ::glob(full.c_str(), GLOB_ERR, nullptr, &found);
  if (status == GLOB_ABORTED && errno == ENOENT) status = GLOB_NOMATCH;  // the folder itself is not there
  std::vector<std::filesystem::path> out;
  for (std::size_t i = 0; status == 0 && i < found.gl_pathc; ++i) out.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  // An empty drop-in folder is no mistake; a file called by its name that is not there is one.
  if (status == GLOB_NOMATCH && !has_wildcard(pattern)) {
    error(at, fmt::format("there is no file {}, expected one, or a pattern such as conf.d/*.conf", full.string()));
  } else if (status != 0 && status != GLOB_NOMATCH) {
    error(at, fmt::format("cannot look for {}: {}", full.string(), std::strerror(errno)));
  }
  return out;
}

void Files::check_private(const SourceFile& source) {
  if (!source.mode || (*source.mode & 06U) == 0) return;
  error({source.name, 1, 1},
        fmt::format("the file holds secrets and is open to every user (mode {:04o}), expected 0600 "
                    "or 0640: chmod o= {}",
                    *source.mode, source.name));
}

}  // namespace espgate::control
