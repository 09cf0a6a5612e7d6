// SPDX-License-Identifier: Apache-2.0
// One group a purpose. A call that is not here ends the process; `--seccomp log` finds what is missing.
#include "gateway/seccomp.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <iterator>
#include <memory>
#include <span>

namespace espgate::gateway {

namespace {

// Memory; but see kConditions: nothing executable is made.
constexpr int kMemory[] = {SCMP_SYS(brk),   SCMP_SYS(munmap), SCMP_SYS(mremap),  SCMP_SYS(madvise),
                           SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(munlock), SCMP_SYS(msync)};

// Threads, their locks, signals, the end. New threads: kConditions.
constexpr int kThreads[] = {
    SCMP_SYS(futex),       SCMP_SYS(futex_waitv),     SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list),
    SCMP_SYS(rseq),        SCMP_SYS(membarrier),      SCMP_SYS(sched_yield),     SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcpu),      SCMP_SYS(rt_sigaction),    SCMP_SYS(rt_sigprocmask),  SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(tgkill),          SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),        SCMP_SYS(exit_group),      SCMP_SYS(set_tid_address)};

// Who and where we are: questions that change nothing.
constexpr int kQuestions[] = {SCMP_SYS(getpid),  SCMP_SYS(gettid),  SCMP_SYS(getppid),   SCMP_SYS(getuid),
                              SCMP_SYS(geteuid), SCMP_SYS(getgid),  SCMP_SYS(getegid),   SCMP_SYS(getgroups),
                              SCMP_SYS(uname),   SCMP_SYS(sysinfo), SCMP_SYS(getrusage), SCMP_SYS(times),
                              SCMP_SYS(getcwd),  SCMP_SYS(capget),  SCMP_SYS(getrlimit)};

// Time, and waiting for it. The clock is read, never set.
constexpr int kTime[] = {SCMP_SYS(clock_gettime),  SCMP_SYS(clock_getres),    SCMP_SYS(gettimeofday),
                         SCMP_SYS(time),           SCMP_SYS(nanosleep),       SCMP_SYS(clock_nanosleep),
                         SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime)};

// Random octets (OpenSSL's DRBG seeds itself from here).
constexpr int kRandom[] = {SCMP_SYS(getrandom)};

// The event loop.
constexpr int kLoop[] = {SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
                         SCMP_SYS(epoll_pwait2),  SCMP_SYS(poll),      SCMP_SYS(ppoll),      SCMP_SYS(select),
                         SCMP_SYS(pselect6),      SCMP_SYS(eventfd2),  SCMP_SYS(pipe2),      SCMP_SYS(signalfd4)};

// Descriptors and what is written to them, the log among it.
constexpr int kDescriptors[] = {SCMP_SYS(read),        SCMP_SYS(write),    SCMP_SYS(readv), SCMP_SYS(writev),
                                SCMP_SYS(pread64),     SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(close),
                                SCMP_SYS(close_range), SCMP_SYS(dup),      SCMP_SYS(dup2),  SCMP_SYS(dup3),
                                SCMP_SYS(fcntl),       SCMP_SYS(ioctl)};

// Sockets: IKE's, netlink's, the control socket, ethtool's, systemd's; which families, in kConditions. sendmsg also
// hands descriptors to systemd.
constexpr int kSockets[] = {SCMP_SYS(bind),        SCMP_SYS(connect),     SCMP_SYS(listen),     SCMP_SYS(accept),
                            SCMP_SYS(accept4),     SCMP_SYS(sendto),      SCMP_SYS(sendmsg),    SCMP_SYS(sendmmsg),
                            SCMP_SYS(recvfrom),    SCMP_SYS(recvmsg),     SCMP_SYS(recvmmsg),   SCMP_SYS(shutdown),
                            SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt)};

// Maps, programs, links: counting, the shield, their exchange. Which of it is allowed, capabilities say.
constexpr int kBpf[] = {SCMP_SYS(bpf), SCMP_SYS(perf_event_open)};

// Files: configuration and keys at a reload, /sys about devices, the cache of what devices take, pins in bpffs, the
// control socket, the state that a successor resumes from. Which of it may be written, the file system says.
constexpr int kFiles[] = {
    SCMP_SYS(open),       SCMP_SYS(openat),     SCMP_SYS(openat2),    SCMP_SYS(stat),         SCMP_SYS(lstat),
    SCMP_SYS(fstat),      SCMP_SYS(newfstatat), SCMP_SYS(statx),      SCMP_SYS(statfs),       SCMP_SYS(fstatfs),
    SCMP_SYS(access),     SCMP_SYS(faccessat),  SCMP_SYS(faccessat2), SCMP_SYS(readlink),     SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64), SCMP_SYS(mkdir),      SCMP_SYS(mkdirat),    SCMP_SYS(rmdir),        SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),   SCMP_SYS(rename),     SCMP_SYS(renameat),   SCMP_SYS(renameat2),    SCMP_SYS(link),
    SCMP_SYS(linkat),     SCMP_SYS(chmod),      SCMP_SYS(fchmod),     SCMP_SYS(fchmodat),     SCMP_SYS(chown),
    SCMP_SYS(fchown),     SCMP_SYS(fchownat),   SCMP_SYS(umask),      SCMP_SYS(flock),        SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),  SCMP_SYS(ftruncate),  SCMP_SYS(fallocate),  SCMP_SYS(memfd_create), SCMP_SYS(utimensat)};

// Giving up more, on an engine's thread: neither gives anything back.
constexpr int kLess[] = {SCMP_SYS(capset), SCMP_SYS(seccomp)};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// A sanitizer looks for leaks from a process of its own, which stops this one; and symbolizes.
constexpr int kSanitizer[] = {SCMP_SYS(clone),
                              SCMP_SYS(clone3),
                              SCMP_SYS(ptrace),
                              SCMP_SYS(wait4),
                              SCMP_SYS(prctl),
                              SCMP_SYS(mprotect),
                              SCMP_SYS(mmap),
                              SCMP_SYS(kill),
                              SCMP_SYS(prlimit64),
                              SCMP_SYS(getdents),
                              SCMP_SYS(arch_prctl),
                              SCMP_SYS(sched_getparam),
                              SCMP_SYS(process_vm_readv),
                              SCMP_SYS(personality)};
#else
constexpr std::span<const int> kSanitizer{};
#endif

// Calls that are allowed if an argument is such: (value & mask) == wanted.
struct Condition {
  int call;
  unsigned argument;
  std::uint64_t mask, wanted;
};
constexpr std::uint64_t kAllBits = ~std::uint64_t{0};
constexpr Condition kConditions[] = {
    {SCMP_SYS(mmap), 2, PROT_EXEC, 0},  // no code is made or loaded any more
    {SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
    {SCMP_SYS(clone), 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM},  // threads, no processes
    {SCMP_SYS(prlimit64), 2, kAllBits, 0},                                   // limits are read, not set
    {SCMP_SYS(prctl), 0, kAllBits, PR_SET_NAME},
    {SCMP_SYS(prctl), 0, kAllBits, PR_GET_DUMPABLE},
    {SCMP_SYS(prctl), 0, kAllBits, PR_CAPBSET_READ},
    {SCMP_SYS(prctl), 0, kAllBits, PR_GET_NO_NEW_PRIVS},
    {SCMP_SYS(prctl), 0, kAllBits, PR_SET_NO_NEW_PRIVS},  // libseccomp sets it once more
    {SCMP_SYS(prctl), 0, kAllBits, PR_SET_SECCOMP},       // and takes this where seccomp(2) is forbidden
    {SCMP_SYS(socket), 0, kAllBits, AF_INET},
    {SCMP_SYS(socket), 0, kAllBits, AF_INET6},
    {SCMP_SYS(socket), 0, kAllBits, AF_UNIX},
    {SCMP_SYS(socket), 0, kAllBits, AF_NETLINK},
    {SCMP_SYS(socketpair), 0, kAllBits, AF_UNIX},
};

constexpr std::span<const int> kGroups[] = {kMemory,      kThreads, kQuestions, kTime,  kRandom, kLoop,
                                            kDescriptors, kSockets, kBpf,       kFiles, kLess,   kSanitizer};

// A thread that reads the network, within the filter of the process: what is not here fails with EPERM. Its sockets are
// open already; bpf(2), netlink, ioctl and files that exist are not for it. It makes room for the records of its IKE
// SAs: a memfd that it hands to systemd, or a new file.
constexpr int kTraffic[] = {SCMP_SYS(read),       SCMP_SYS(write),     SCMP_SYS(writev), SCMP_SYS(close),
                            SCMP_SYS(sendmsg),    SCMP_SYS(sendmmsg),  SCMP_SYS(sendto), SCMP_SYS(recvmsg),
                            SCMP_SYS(recvmmsg),   SCMP_SYS(recvfrom),  SCMP_SYS(lseek),  SCMP_SYS(getsockname),
                            SCMP_SYS(getsockopt), SCMP_SYS(setsockopt)};
constexpr int kRecords[] = {SCMP_SYS(memfd_create), SCMP_SYS(fcntl),      SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
                            SCMP_SYS(fstat),        SCMP_SYS(newfstatat), SCMP_SYS(fstatfs),   SCMP_SYS(unlinkat)};
constexpr std::span<const int> kEngineGroups[] = {kMemory, kThreads, kQuestions, kTime,     kRandom,
                                                  kLoop,   kTraffic, kRecords,   kSanitizer};
constexpr Condition kEngineConditions[] = {
    {SCMP_SYS(mmap), 2, PROT_EXEC, 0},
    {SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
    {SCMP_SYS(openat), 2, O_CREAT | O_EXCL, O_CREAT | O_EXCL},
    {SCMP_SYS(socket), 0, kAllBits, AF_UNIX},
    {SCMP_SYS(ioctl), 1, 0xffffffff, FIONBIO},  // Asio, of a descriptor that it waits for the first time
};

class Filter {
 public:
  explicit Filter(std::uint32_t otherwise) : filter_(seccomp_init(otherwise), seccomp_release) {
    if (!filter_) {
      status_ = -ENOMEM;
      return;
    }
    set(SCMP_FLTATR_ACT_BADARCH, otherwise == SCMP_ACT_LOG ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
    set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree, not a chain
  }
  void set(scmp_filter_attr attribute, std::uint32_t value) {
    if (status_ == 0) keep(seccomp_attr_set(filter_.get(), attribute, value));
  }
  void allow(std::span<const std::span<const int>> groups) {
    for (const auto& group : groups) {
      // Negative: a call that this architecture does not have.
      for (const int call : group) {
        if (call >= 0) add(SCMP_ACT_ALLOW, call);
      }
    }
  }
  void allow(const Condition& one) {
    if (status_ != 0) return;
    ++count_;
    keep(seccomp_rule_add(filter_.get(), SCMP_ACT_ALLOW, one.call, 1,
                          scmp_arg_cmp{one.argument, SCMP_CMP_MASKED_EQ, one.mask, one.wanted}));
  }
  void refuse(int call, int error) { add(SCMP_ACT_ERRNO(static_cast<std::uint16_t>(error)), call); }
  // The count of rules, or what went wrong first.
  std::expected<unsigned, std::string> load() {
    if (status_ != 0) return std::unexpected(std::string("seccomp: ") + std::strerror(-status_));
    status_ = seccomp_load(filter_.get());
    if (status_ != 0) {
      // Where seccomp(2) itself is forbidden (a unit's SystemCallFilter), prctl(2) does it, for this thread alone.
      // libseccomp finds out once whether there is that call, and may have done so before it was forbidden.
      status_ = seccomp_attr_set(filter_.get(), SCMP_FLTATR_CTL_TSYNC, 0);
      if (status_ == 0) status_ = seccomp_api_set(1);
      if (status_ == 0) status_ = seccomp_load(filter_.get());
    }
    if (status_ == 0) return count_;
    return std::unexpected(std::string("seccomp: ") + std::strerror(-status_));
  }

 private:
  // A rule that is there already, or in a wider one, is no failure.
  void keep(int status) { status_ = status == -EEXIST ? 0 : status; }
  void add(std::uint32_t action, int call) {
    if (status_ != 0) return;
    ++count_;
    keep(seccomp_rule_add(filter_.get(), action, call, 0));
  }
  std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter_;
  int status_ = 0;
  unsigned count_ = 0;
};

}  // namespace

std::expected<unsigned, std::string> confine_calls(Seccomp what_else_does) {
  Filter filter(what_else_does == Seccomp::kill ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_LOG);
  filter.set(SCMP_FLTATR_CTL_TSYNC, 1);
  filter.allow(kGroups);
  for (const auto& condition : kConditions) filter.allow(condition);
  // glibc passes clone3's flags in memory, where a filter cannot look: told that there is no such call, it uses clone.
  if (std::empty(kSanitizer)) filter.refuse(SCMP_SYS(clone3), ENOSYS);
  return filter.load();
}

std::expected<unsigned, std::string> confine_engine_calls() {
  Filter filter(SCMP_ACT_ERRNO(EPERM));
  filter.allow(kEngineGroups);
  for (const auto& condition : kEngineConditions) filter.allow(condition);
  return filter.load();
}

}  // namespace espgate::gateway
