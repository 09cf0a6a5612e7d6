// SPDX-License-Identifier: Apache-2.0
// What a process that took the filter can still do, and what ends it. Each call is tried in a process of its own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

#include "gateway/seccomp.h"

namespace espgate::gateway {
namespace {

// How a child ends that confines itself and then does this: -signal, or its exit status.
template <class Do>
int outcome(Do what) {
  const pid_t child = ::fork();
  if (child == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!confine_calls(Seccomp::kill)) ::_exit(99);
    ::_exit(what() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

struct Call {
  const char* name;
  bool (*make)();
};
void PrintTo(const Call& call, std::ostream* out) { *out << call.name; }

struct Forbidden : testing::TestWithParam<Call> {};
TEST_P(Forbidden, EndsTheProcess) { EXPECT_EQ(outcome(GetParam().make), -SIGSYS); }

char* const kNoArguments[] = {nullptr};
const Call kForbidden[] = {
    {"AnotherProgram", [] { return ::execve("/bin/true", kNoArguments, kNoArguments) == 0; }},
    {"AShell", [] { return ::syscall(SYS_execveat, AT_FDCWD, "/bin/sh", kNoArguments, kNoArguments, 0) == 0; }},
    {"Vfork", [] { return ::syscall(SYS_vfork) >= 0; }},
    {"Mount", [] { return ::mount("none", "/", "tmpfs", 0, nullptr) == 0; }},
    {"AnotherNamespace", [] { return ::unshare(CLONE_NEWUSER) == 0; }},
    {"AnotherRoot", [] { return ::chroot("/") == 0; }},
    {"APacketSocket", [] { return ::socket(AF_PACKET, SOCK_RAW, 0) >= 0; }},
    {"AVirtualSocket", [] { return ::socket(AF_VSOCK, SOCK_STREAM, 0) >= 0; }},
    {"AnotherUser", [] { return ::setuid(0) == 0; }},
    {"AModule", [] { return ::syscall(SYS_init_module, nullptr, 0, "") == 0; }},
    {"TheClock", [] { return ::syscall(SYS_clock_settime, CLOCK_REALTIME, nullptr) == 0; }},
    {"OthersMemory", [] { return ::syscall(SYS_process_vm_writev, 1, nullptr, 0, nullptr, 0, 0) == 0; }},
    {"Keyrings", [] { return ::syscall(SYS_keyctl, 0, 0) == 0; }},
    {"IoUring", [] { return ::syscall(SYS_io_uring_setup, 1, nullptr) == 0; }},
    {"Reboot", [] { return ::syscall(SYS_reboot, 0, 0, 0, nullptr) == 0; }},
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    {"ItsOwnDumps", [] { return ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0; }},
    {"ALimit",
     [] {
       constexpr rlimit more{RLIM_INFINITY, RLIM_INFINITY};
       return ::setrlimit(RLIMIT_CORE, &more) == 0;
     }},
    {"AProcess", [] { return ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0) >= 0; }},
    {"ExecutableMemory",
     [] { return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED; }},
    {"MemoryMadeExecutable",
     [] {
       static std::array<char, 8192> memory;
       return ::mprotect(memory.data(), 1, PROT_EXEC) == 0;
     }},
    {"Ptrace", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0; }},
    {"Kill", [] { return ::kill(::getppid(), 0) == 0; }},
#endif
};
INSTANTIATE_TEST_SUITE_P(Seccomp, Forbidden, testing::ValuesIn(kForbidden),
                         [](const auto& each) { return each.param.name; });

struct Allowed : testing::TestWithParam<Call> {};
TEST_P(Allowed, GoesOn) { EXPECT_EQ(outcome(GetParam().make), 0); }

const Call kAllowed[] = {
    {"AThread",
     [] {
       int seen = 0;
       std::thread([&seen] { seen = 1; }).join();
       return seen == 1;
     }},
    {"Memory",
     [] {
       void* at = ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
       return at != MAP_FAILED && ::munmap(at, 1 << 20) == 0;
     }},
    {"SealedMemory",
     [] {
       const int fd = ::memfd_create("state", MFD_ALLOW_SEALING | MFD_CLOEXEC);
       return fd >= 0 && ::ftruncate(fd, 4096) == 0 && ::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0 &&
              ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED;
     }},
    {"ADescriptorForSystemd",
     [] {
       int pair[2];
       if (::socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0) return false;
       char text = 'x';
       iovec part{&text, 1};
       alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
       msghdr message{};
       message.msg_iov = &part;
       message.msg_iovlen = 1;
       message.msg_control = control.data();
       message.msg_controllen = control.size();
       cmsghdr* header = CMSG_FIRSTHDR(&message);
       header->cmsg_level = SOL_SOCKET;
       header->cmsg_type = SCM_RIGHTS;
       header->cmsg_len = CMSG_LEN(sizeof(int));
       *reinterpret_cast<int*>(CMSG_DATA(header)) = 0;
       return ::sendmsg(pair[0], &message, 0) == 1;
     }},
};
INSTANTIATE_TEST_SUITE_P(Seccomp, Allowed, testing::ValuesIn(kAllowed),
                         [](const auto& each) { return each.param.name; });

TEST(Engine, OpensNothing) {
  const int ended = outcome([] {
    bool good = true;
    std::thread([&good] {
      if (!confine_engine_calls()) good = false;
      for (const auto refused : {
               ::open("/etc/passwd", O_RDONLY),
               ::socket(AF_INET, SOCK_DGRAM, 0),
               ::socket(AF_NETLINK, SOCK_RAW, 0),
               static_cast<int>(::syscall(SYS_bpf, 0, nullptr, 0)),
               ::unlink("/nowhere/at/all"),
           }) {
        if (refused != -1 || errno != EPERM) good = false;
      }
      // What it lives by.
      const std::vector<char> memory(1 << 20);
      timespec now{};
      if (::clock_gettime(CLOCK_MONOTONIC, &now) != 0 || ::write(2, "", 0) != 0) good = false;
    }).join();
    // Of the thread, not of the process.
    const int file = ::open("/etc/passwd", O_RDONLY);
    return good && file >= 0;
  });
  EXPECT_EQ(ended, 0);
}

// As a unit of systemd with SystemCallFilter= starts it: seccomp(2) is not among its calls.
TEST(Seccomp, ComesAlsoWhereTheCallForItIsForbidden) {
  const pid_t child = ::fork();
  if (child == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    scmp_filter_ctx unit = seccomp_init(SCMP_ACT_ALLOW);
    seccomp_rule_add(unit, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp), 0);
    if (seccomp_load(unit) != 0 || ::syscall(SYS_seccomp, 0, 0, nullptr) != -1 || errno != EPERM) ::_exit(98);
    if (!confine_calls(Seccomp::kill)) ::_exit(99);
    ::execve("/bin/true", kNoArguments, kNoArguments);
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
  EXPECT_EQ(WTERMSIG(status), SIGSYS);
}

TEST(Seccomp, LogLetsThrough) {
  const pid_t child = ::fork();
  if (child == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!confine_calls(Seccomp::log)) ::_exit(99);
    ::_exit(::syscall(SYS_getpriority, PRIO_PROCESS, 0) > 0 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace espgate::gateway
