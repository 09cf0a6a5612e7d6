// SPDX-License-Identifier: Apache-2.0
// Where the records of IKE SAs live (state_table.h): memfds in systemd's fd store, where systemd says that it keeps
// some for us ($FDSTORE), else files on a tmpfs. Never a disk: what is no tmpfs is refused.
#pragma once

#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/fd.h"
#include "gateway/state_table.h"

namespace espgate::gateway {

class StateStore {
 public:
  struct Opened {
    std::unique_ptr<StateStore> store;
    std::string refused;  // why what a former process left was thrown away; empty: it was not, or there was nothing
    bool by_systemd = false;
  };
  // `directory` is made if it is not there, and is this process's alone as long as it lives. The error is a sentence
  // that says why there is no warm restart.
  static std::expected<Opened, std::string> open(const std::string& directory);
  ~StateStore();
  StateStore(const StateStore&) = delete;
  StateStore& operator=(const StateStore&) = delete;

  [[nodiscard]] std::vector<ike::Record::Entry> records() const { return table_->records(); }
  // By any thread.
  base::Result<void> commit(const ike::Record& record) {
    const std::scoped_lock lock(commits_);
    return table_->commit(record);
  }
  // Nothing of it is left for a process after this one; it stays usable.
  void clear();
  // A clean end: likewise, and the files go.
  void remove();

 private:
  class Mapping {  // of a file, shared; in no core dump and, where that is allowed, never swapped
   public:
    static base::Result<Mapping> of(const base::Fd& file, std::size_t octets);
    Mapping(Mapping&& other) noexcept : memory_(std::exchange(other.memory_, {})) {}
    Mapping& operator=(Mapping&& other) = delete;
    ~Mapping();
    [[nodiscard]] StateTable::Memory memory() const { return memory_; }

   private:
    explicit Mapping(StateTable::Memory memory) : memory_(memory) {}
    StateTable::Memory memory_;
  };

  StateStore() = default;
  [[nodiscard]] std::string path(std::uint32_t index) const;
  std::expected<void, std::string> lock(const std::string& directory);
  base::Result<void> map_files();
  base::Result<void> map_received(std::vector<base::Fd> received);
  void forget_memory();
  base::Result<StateTable::Memory> grow(std::uint32_t index, std::size_t octets);
  base::Result<base::Fd> new_memfd(std::size_t octets);
  base::Result<base::Fd> new_file(std::uint32_t index, std::size_t octets);

  bool by_systemd_ = false;
  std::string directory_;
  base::Fd directory_fd_;  // locked
  std::vector<Mapping> mappings_;
  std::optional<StateTable> table_;
  std::mutex commits_;
};

}  // namespace espgate::gateway
