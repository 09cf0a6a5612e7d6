// SPDX-License-Identifier: Apache-2.0
#include "gateway/state_store.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

namespace espgate::gateway {

namespace {

constexpr char kName[] = "espgate-state";
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW;
constexpr std::uint32_t kMostFiles = 256;

StateTable::Place this_place() {
  StateTable::Place out;
  std::string id;
  if (std::ifstream file("/proc/sys/kernel/random/boot_id"); std::getline(file, id)) {
    std::erase(id, '-');
    if (const auto octets = base::from_hex(id); octets && octets->size() == out.boot.size()) {
      std::copy(octets->begin(), octets->end(), out.boot.begin());
    }
  }
  struct stat netns{};
  if (stat("/proc/self/ns/net", &netns) == 0) out.netns = netns.st_ino;
  return out;
}

// Ours of those that systemd hands back.
std::vector<base::Fd> received() {
  std::vector<base::Fd> out;
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(0, &names);
  for (int i = 0; i < count; ++i) {
    if (std::strcmp(names[i], kName) == 0) out.emplace_back(SD_LISTEN_FDS_START + i);
    std::free(names[i]);  // NOLINT(cppcoreguidelines-no-malloc): libsystemd's
  }
  std::free(static_cast<void*>(names));  // NOLINT(cppcoreguidelines-no-malloc)
  return out;
}

// systemd 254 says how many descriptors it keeps; an older one says nothing, and may keep none.
bool kept_by_systemd() {
  const char* most = std::getenv("FDSTORE");
  return most != nullptr && std::strtol(most, nullptr, 10) > 0 && std::getenv("NOTIFY_SOCKET") != nullptr;
}

}  // namespace

// ------------------------------------------------------------------------------------------------ memory

base::Result<StateStore::Mapping> StateStore::Mapping::of(const base::Fd& file, std::size_t octets) {
  void* const at = mmap(nullptr, octets, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (at == MAP_FAILED) return std::unexpected(base::Error::last("map the state of IKE SAs"));
  (void)madvise(at, octets, MADV_DONTDUMP);
  (void)mlock2(at, octets, MLOCK_ONFAULT);  // may be more than RLIMIT_MEMLOCK allows
  return Mapping({static_cast<std::uint8_t*>(at), octets});
}

StateStore::Mapping::~Mapping() {
  if (!memory_.empty()) munmap(memory_.data(), memory_.size());
}

StateStore::~StateStore() = default;

std::string StateStore::path(std::uint32_t index) const { return "ike." + std::to_string(index); }

base::Result<base::Fd> StateStore::new_memfd(std::size_t octets) {
  base::Fd fd(memfd_create(kName, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || ftruncate(fd.get(), static_cast<off_t>(octets)) != 0 ||
      fcntl(fd.get(), F_ADD_SEALS, kSeals | F_SEAL_SEAL) != 0) {
    return std::unexpected(base::Error::last("make a memfd for the state of IKE SAs"));
  }
  const int file = fd.get();
  const int told = sd_pid_notify_with_fds(0, 0, (std::string("FDSTORE=1\nFDNAME=") + kName).c_str(), &file, 1);
  if (told < 0) return std::unexpected(base::Error{"hand the state of IKE SAs to systemd", -told, {}});
  return fd;
}

base::Result<base::Fd> StateStore::new_file(std::uint32_t index, std::size_t octets) {
  const auto name = path(index);
  (void)unlinkat(directory_fd_.get(), name.c_str(), 0);  // one that was never finished
  base::Fd fd(openat(directory_fd_.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd || ftruncate(fd.get(), static_cast<off_t>(octets)) != 0) {
    return std::unexpected(base::Error::last("make " + directory_ + "/" + name));
  }
  return fd;
}

base::Result<StateTable::Memory> StateStore::grow(std::uint32_t index, std::size_t octets) {
  auto fd = by_systemd_ ? new_memfd(octets) : new_file(index, octets);
  if (!fd) return std::unexpected(fd.error());
  auto mapping = Mapping::of(*fd, octets);
  if (!mapping) return std::unexpected(mapping.error());
  mappings_.push_back(std::move(*mapping));
  return mappings_.back().memory();
}

// ----------------------------------------------------------------------------------------------- opening

std::expected<void, std::string> StateStore::lock(const std::string& directory) {
  const auto because = [&](const std::string& why) {
    return std::unexpected("SAs do not outlive this process: " + directory + " " + why);
  };
  directory_ = directory;
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return because("cannot be made: " + base::Error::last("mkdir").text());
  }
  directory_fd_.reset(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  struct stat as{};
  struct statfs on{};
  if (!directory_fd_ || fstat(directory_fd_.get(), &as) != 0 || fstatfs(directory_fd_.get(), &on) != 0) {
    return because("cannot be opened: " + base::Error::last("open").text());
  }
  if (on.f_type != TMPFS_MAGIC && on.f_type != RAMFS_MAGIC) return because("is not on a tmpfs, and keys go to no disk");
  if (as.st_uid != geteuid() || (as.st_mode & 077U) != 0) return because("is not this user's alone (mode 0700)");
  if (flock(directory_fd_.get(), LOCK_EX | LOCK_NB) != 0) return because("is in use by another espgated");
  return {};
}

base::Result<void> StateStore::map_files() {
  for (std::uint32_t index = 0; index < kMostFiles; ++index) {
    const base::Fd fd(openat(directory_fd_.get(), path(index).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) {
      if (errno == ENOENT) break;
      return std::unexpected(base::Error::last("open " + path(index)));
    }
    struct stat as{};
    if (fstat(fd.get(), &as) != 0) return std::unexpected(base::Error::last("fstat"));
    if (!S_ISREG(as.st_mode) || as.st_uid != geteuid() || (as.st_mode & 077U) != 0 || as.st_nlink != 1) {
      return std::unexpected(base::Error{path(index), EPERM, "others may have written to it"});
    }
    if (as.st_size == 0) continue;
    auto mapping = Mapping::of(fd, static_cast<std::size_t>(as.st_size));
    if (!mapping) return std::unexpected(mapping.error());
    mappings_.push_back(std::move(*mapping));
  }
  return {};
}

base::Result<void> StateStore::map_received(std::vector<base::Fd> received) {
  for (const auto& fd : received) {
    struct stat as{};
    const int seals = fcntl(fd.get(), F_GET_SEALS);
    if (seals < 0 || (seals & kSeals) != kSeals || fstat(fd.get(), &as) != 0) {
      return std::unexpected(base::Error{"a descriptor from systemd", EPERM, "it is no sealed memfd"});
    }
    auto mapping = Mapping::of(fd, static_cast<std::size_t>(as.st_size));
    if (!mapping) return std::unexpected(mapping.error());
    mappings_.push_back(std::move(*mapping));
  }
  return {};
}

// Of a former process: overwritten, and out of reach of those to come.
void StateStore::forget_memory() {
  table_.reset();
  for (const auto& mapping : mappings_) base::wipe(mapping.memory().data(), mapping.memory().size());
  mappings_.clear();
  if (by_systemd_) {
    (void)sd_notify(0, (std::string("FDSTOREREMOVE=1\nFDNAME=") + kName).c_str());
    return;
  }
  for (std::uint32_t index = 0; index < kMostFiles; ++index) {
    if (unlinkat(directory_fd_.get(), path(index).c_str(), 0) != 0 && errno == ENOENT) break;
  }
}

std::expected<StateStore::Opened, std::string> StateStore::open(const std::string& directory) {
  Opened out;
  out.store.reset(new StateStore());
  auto& store = *out.store;
  auto fds = received();
  store.by_systemd_ = !fds.empty() || kept_by_systemd();
  out.by_systemd = store.by_systemd_;
  if (!store.by_systemd_) {
    if (auto locked = store.lock(directory); !locked) return std::unexpected(locked.error());
  }
  const auto mapped = store.by_systemd_ ? store.map_received(std::move(fds)) : store.map_files();
  const StateTable::Grow grow = [&store](std::uint32_t index, std::size_t octets) { return store.grow(index, octets); };
  const auto place = this_place();
  if (mapped) {
    std::vector<StateTable::Memory> left;
    for (const auto& mapping : store.mappings_) left.push_back(mapping.memory());
    auto table = StateTable::open(place, std::move(left), grow);
    if (table) {
      store.table_.emplace(std::move(*table));
      return out;
    }
    out.refused = table.error();
  } else {
    out.refused = mapped.error().text();
  }
  store.forget_memory();
  auto table = StateTable::open(place, {}, grow);
  if (!table) return std::unexpected("SAs do not outlive this process: " + table.error());
  store.table_.emplace(std::move(*table));
  return out;
}

void StateStore::clear() { table_->clear(); }

void StateStore::remove() {
  table_->clear();
  forget_memory();
}

}  // namespace espgate::gateway
