// SPDX-License-Identifier: Apache-2.0
#include "gateway/privilege.h"

#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "base/secret_memory.h"
#include "gateway/log.h"
#include "gateway/openssl_memory.h"
#include "gateway/seccomp.h"
#include "maps/pins.h"

namespace espgate::gateway {

namespace {

// SAs, policies, routes, sockets' policies, attaching to devices; maps and programs; programs that trace.
constexpr std::array kKept{CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON};

// A sanitizer makes calls of its own, at the end most of all: nothing may end it before it has said what it found.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

constexpr std::string_view kScheme = "unix://";  // of --vici

std::optional<gid_t> group_for_control;

std::unexpected<std::string> failed(const std::string& what) {
  return std::unexpected(what + ": " + std::strerror(errno));
}

struct Capabilities {
  std::uint64_t effective = 0, permitted = 0;
};

// glibc has no wrappers of these two; a thread's sets, here the only thread's.
std::optional<Capabilities> capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (syscall(SYS_capget, &header, data.data()) != 0) return std::nullopt;
  return Capabilities{data[0].effective | std::uint64_t{data[1].effective} << 32U,
                      data[0].permitted | std::uint64_t{data[1].permitted} << 32U};
}

bool set_capabilities(std::uint64_t sets) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  for (std::size_t i = 0; i < data.size(); ++i) {
    data[i].effective = data[i].permitted = static_cast<std::uint32_t>(sets >> (32U * i));
  }
  return syscall(SYS_capset, &header, data.data()) == 0;
}

std::uint64_t bit(int capability) { return std::uint64_t{1} << static_cast<unsigned>(capability); }

std::uint64_t kept(bool dispatcher) {
  std::uint64_t out = dispatcher ? bit(CAP_SYS_ADMIN) : 0;
  for (const int capability : kKept) out |= bit(capability);
  return out;
}

// Who has no CAP_SETPCAP cannot drop from the bounding set, and has not got what it would bound.
void drop_bounding(std::uint64_t kept) {
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if ((kept & bit(capability)) == 0) (void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
}

std::expected<void, std::string> give(const std::string& path, const passwd& to) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return {};
  if (lchown(path.c_str(), to.pw_uid, static_cast<gid_t>(-1)) != 0) return failed("give " + path + " to " + to.pw_name);
  if (!std::filesystem::is_directory(std::filesystem::symlink_status(path, error))) return {};
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (auto given = give(entry.path(), to); !given) return given;
  }
  return {};
}

// A folder that is there already has to be writable to the user as it is: it may be others', too.
std::expected<void, std::string> make_folder(const std::string& of, const passwd& whose) {
  std::error_code error;
  const auto folder = std::filesystem::path(of).parent_path();
  if (folder.empty() || !std::filesystem::create_directories(folder, error)) return {};
  return give(folder, whose);
}

std::expected<void, std::string> become(const Options& options) {
  const auto& user = options.user;
  const passwd* found = getpwnam(user.c_str());
  if (found == nullptr) return std::unexpected("--user " + user + ": there is no such user");
  for (auto done : {give(maps::pin_directory(options.bpffs), *found),
                    make_folder(options.vici.substr(std::min(options.vici.size(), kScheme.size())), *found),
                    make_folder(options.devices, *found)}) {
    if (!done) return done;
  }
  const gid_t group = found->pw_gid;
  const gid_t more = group_for_control.value_or(group);
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setgroups(1, &more) != 0 || setresgid(group, group, group) != 0 ||
      setresuid(found->pw_uid, found->pw_uid, found->pw_uid) != 0 || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0) {
    return failed("--user " + user);
  }
  return {};
}

// Without the right to give files away (CAP_CHOWN), the control socket can still be given to a group that we are in.
void join_control_group() {
  if (geteuid() == 0 && group_for_control) (void)setgroups(1, &*group_for_control);
}

void say_unlocked() {
  log_warn(
      "memory for keys cannot be locked any more (RLIMIT_MEMLOCK): the system may swap keys out; raise the limit "
      "(systemd: LimitMEMLOCK=infinity)");
}

}  // namespace

void guard_memory() {
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  // One process is as good as another at raising this, if it may: keys of a million SAs are more than the usual limit.
  constexpr rlimit kAll{RLIM_INFINITY, RLIM_INFINITY};
  (void)setrlimit(RLIMIT_MEMLOCK, &kAll);
  base::secret_on_unlocked(say_unlocked);
  openssl_takes_secret_memory();
  if (const group* found = getgrnam("espgate"); found != nullptr) group_for_control = found->gr_gid;
}

std::optional<gid_t> control_group() { return group_for_control; }

std::expected<void, std::string> give_up_privileges(const Options& options, bool dispatcher) {
  drop_bounding(kept(dispatcher));  // while there is the right to
  if (options.user.empty()) {
    join_control_group();
  } else if (auto became = become(options); !became) {
    return became;
  }
  const auto have = capabilities();
  if (!have) return failed("read the capabilities");
  // A filter of systemd's may forbid the call; then its unit has to have left us nothing that is not ours.
  const auto ours = kept(dispatcher);
  if (!set_capabilities(have->permitted & ours) && (have->permitted & ~(ours | bit(CAP_NET_BIND_SERVICE))) != 0) {
    return failed("give up capabilities");
  }
  (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("have no new privileges");
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // becoming another user may have changed it
  const auto calls = confine_calls(kSanitized ? Seccomp::log : options.seccomp);
  if (!calls) {
    log_warn(calls.error() + "; every system call stays open");
  } else if (options.seccomp == Seccomp::log) {
    log_warn(
        "--seccomp log: a system call that is not in the list is let through, and the kernel's log has a line of it");
  }
  return {};
}

void confine_engine_thread() {
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return;
  if (!set_capabilities(0)) log_warn("an engine's thread keeps its capabilities: " + std::string(std::strerror(errno)));
  if (kSanitized) return;
  if (auto confined = confine_engine_calls(); !confined) log_warn(confined.error());
}

}  // namespace espgate::gateway
