// SPDX-License-Identifier: Apache-2.0
// Walks over whole maps, without a system call for each entry. For maps/ and loader/.
#pragma once

#include <bpf/bpf.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"

namespace espgate::maps {

// Calls visit(key, values) for every entry, in no order but that of an array. `per_key`: values of a key, one for each
// CPU in a per-CPU map. Entries that come or go meanwhile may be left out. Returns 0 or the errno of a map that cannot
// be read.
template <class Key, class Value, class Visit>
int walk(int map, std::size_t per_key, Visit visit) {
  std::vector<Key> keys(4096);
  std::vector<Value> values(keys.size() * per_key);
  Key at{};  // a hash keeps the number of a bucket in it
  static_assert(sizeof at >= sizeof(std::uint32_t));
  for (const Key* before = nullptr;;) {
    bpf_map_batch_opts options{};
    options.sz = sizeof options;
    auto count = static_cast<std::uint32_t>(keys.size());
    Key next = at;
    const int status =
        bpf_map_lookup_batch(map, const_cast<Key*>(before), &next, keys.data(), values.data(), &count, &options);
    if (status == -ENOSPC) {  // a bucket with more in it than there is room
      keys.resize(2 * keys.size());
      values.resize(keys.size() * per_key);
      continue;
    }
    if (status != 0 && status != -ENOENT) return -status;
    for (std::uint32_t i = 0; i < count; ++i) visit(keys[i], std::span(values).subspan(i * per_key, per_key));
    if (status == -ENOENT) return 0;
    at = next;
    before = &at;
  }
}

// An mmapable array in memory, to be read.
template <class Value>
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept : values_(std::exchange(other.values_, {})) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(values_, other.values_);
    return *this;
  }
  ~Mapping() {
    if (!values_.empty()) ::munmap(const_cast<Value*>(values_.data()), values_.size_bytes());
  }
  // `map`: opened for reading and writing, or the kernel refuses a shared mapping, even one for reading.
  static base::Result<Mapping> make(int map, std::size_t count) {
    void* at = ::mmap(nullptr, count * sizeof(Value), PROT_READ, MAP_SHARED, map, 0);
    if (at == MAP_FAILED) return std::unexpected(base::Error::last("map a BPF array into memory"));
    Mapping out;
    out.values_ = {static_cast<const Value*>(at), count};
    return out;
  }
  [[nodiscard]] const Value& operator[](std::size_t index) const { return values_[index]; }

 private:
  std::span<const Value> values_;
};

}  // namespace espgate::maps
