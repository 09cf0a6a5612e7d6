// SPDX-License-Identifier: Apache-2.0
// libespgate-inject.so, for LD_PRELOAD: makes calls of one process fail, when the test says so. The file that
// ESPGATE_INJECT names is shared with the test: a row of three u32 for each Point below, {errno, skip, count}. The next
// `skip` calls pass, the `count` after them fail with that errno. All zeros: everything passes.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
}

namespace {

// In the order of tests/native/inject.py.
enum Point : std::uint32_t { kMemory, kSendmsg, kMapUpdate, kLinkCreate, kProgLoad, kAnyProgLoad, kPoints };

struct Row {
  std::atomic<std::uint32_t> code, skip, count;
};

Row* rows() {
  static Row* const shared = []() -> Row* {
    const char* path = ::getenv("ESPGATE_INJECT");
    const int fd = path == nullptr ? -1 : static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC));
    if (fd < 0) return nullptr;
    void* at = ::mmap(nullptr, sizeof(Row) * kPoints, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    return at == MAP_FAILED ? nullptr : static_cast<Row*>(at);
  }();
  return shared;
}

bool take_one(std::atomic<std::uint32_t>& from) {
  auto left = from.load();
  while (left != 0) {
    if (left == UINT32_MAX || from.compare_exchange_weak(left, left - 1)) return true;
  }
  return false;
}

// The errno that this call is to fail with; 0: it is to pass.
int verdict(Point point) {
  Row* const all = rows();
  if (all == nullptr) return 0;
  Row& row = all[point];
  const auto code = static_cast<int>(row.code.load());
  if (code == 0 || take_one(row.skip)) return 0;
  return take_one(row.count) ? code : 0;
}

bool fails(Point point) {
  const int code = verdict(point);
  if (code != 0) errno = code;
  return code != 0;
}

// Allocations are asked about only once the file is mapped, as mapping it may allocate.
bool no_memory() {
  static thread_local bool inside = false;
  if (inside) return false;
  inside = true;
  const bool out = fails(kMemory);
  inside = false;
  return out;
}

// libbpf tries what the kernel can do with small programs of other kinds.
bool is_ours(const bpf_attr* attr) {
  return attr->prog_type == BPF_PROG_TYPE_XDP || attr->prog_type == BPF_PROG_TYPE_SCHED_CLS ||
         attr->prog_type == BPF_PROG_TYPE_TRACING;
}

template <class F>
F next(const char* name) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) { return no_memory() ? nullptr : __libc_malloc(size); }
void* calloc(std::size_t count, std::size_t size) { return no_memory() ? nullptr : __libc_calloc(count, size); }
void* realloc(void* old, std::size_t size) { return no_memory() ? nullptr : __libc_realloc(old, size); }

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static const auto real = next<ssize_t (*)(int, const msghdr*, int)>("sendmsg");
  return fails(kSendmsg) ? -1 : real(fd, message, flags);
}

// libbpf has no other way to bpf(2).
long syscall(long number, ...) {
  static const auto real = next<long (*)(long, ...)>("syscall");
  va_list list;
  va_start(list, number);
  long words[6];
  for (long& word : words) word = va_arg(list, long);
  va_end(list);
  if (number == SYS_bpf) {
    if (words[0] == BPF_MAP_UPDATE_ELEM && fails(kMapUpdate)) return -1;
    if (words[0] == BPF_LINK_CREATE && fails(kLinkCreate)) return -1;
    if (words[0] == BPF_PROG_LOAD && fails(kAnyProgLoad)) return -1;
    if (words[0] == BPF_PROG_LOAD && is_ours(reinterpret_cast<const bpf_attr*>(words[1])) && fails(kProgLoad))
      return -1;
  }
  return real(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

}  // extern "C"
