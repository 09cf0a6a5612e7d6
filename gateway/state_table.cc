// SPDX-License-Identifier: Apache-2.0
#include "gateway/state_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

namespace espgate::gateway {

// At the beginning of each segment, in the machine's byte order.
struct StateTable::Header {
  std::uint64_t magic;
  std::uint32_t layout, index;
  std::uint32_t stride, slots;
  Place place;
  std::uint64_t checksum;   // of what stands before it
  std::uint64_t committed;  // of the first segment: the last transaction that counts
};

namespace {

constexpr std::uint64_t kMagic = 0x6573706761746531;  // "espgate1"
constexpr std::uint32_t kLayout = 1;
constexpr std::size_t kHeaderOctets = 128;
constexpr std::size_t kCopyOctets = 32;
// Of copies. Most records of an IKE SA with a child fit the second; certificates in a message that may have to be sent
// again need more.
constexpr std::array<std::uint32_t, 7> kStrides{512, 768, 1024, 2048, 8192, 32768, 262144};
constexpr std::uint32_t kUsual = kStrides[1], kLargestOfMany = kStrides[3];
constexpr std::uint32_t kFirstSlots = 64, kMostSlots = 1U << 16U;

// FNV-1a, 64 bits.
class Checksum {
 public:
  Checksum& add(base::ByteView octets) {
    for (const auto octet : octets) sum_ = (sum_ ^ octet) * 0x100000001b3;
    return *this;
  }
  Checksum& add(std::uint64_t value) { return add({reinterpret_cast<const std::uint8_t*>(&value), sizeof value}); }
  [[nodiscard]] std::uint64_t value() const { return sum_; }

 private:
  std::uint64_t sum_ = 0xcbf29ce484222325;
};

std::uint64_t checksum_of(std::uint64_t transaction, std::uint64_t key, base::ByteView octets) {
  return Checksum().add(transaction).add(key).add(octets.size()).add(octets).value();
}

template <class Header>
std::uint64_t checksum_of(const Header& header) {
  return Checksum().add({reinterpret_cast<const std::uint8_t*>(&header), offsetof(Header, checksum)}).value();
}

std::uint32_t stride_for(std::size_t length) {
  for (const auto stride : kStrides) {
    if (length + kCopyOctets <= stride) return stride;
  }
  return 0;
}

std::size_t octets_of(std::uint32_t stride, std::uint32_t slots) {
  return kHeaderOctets + std::size_t{2} * stride * slots;
}

}  // namespace

// ------------------------------------------------------------------------------------------------ stores

void StateTable::store(std::uint64_t& to, std::uint64_t value) {
  if (before_store_) before_store_();
  std::atomic_ref(to).store(value, std::memory_order_release);
}

void StateTable::fill(std::span<std::uint8_t> to, base::ByteView from) {
  constexpr std::size_t kPiece = 64;
  for (std::size_t at = 0; at < to.size(); at += kPiece) {
    const auto piece = to.subspan(at, std::min(kPiece, to.size() - at));
    const auto count = at < from.size() ? std::min(piece.size(), from.size() - at) : 0;
    if (before_store_) before_store_();
    if (count > 0) std::memcpy(piece.data(), from.data() + at, count);
    std::memset(piece.data() + count, 0, piece.size() - count);
  }
}

StateTable::Copy* StateTable::copy(const Slot& slot, unsigned which) const {
  const auto& segment = segments_[slot.segment];
  const std::size_t at = kHeaderOctets + std::size_t{segment.stride} * (2 * std::size_t{slot.slot} + which);
  return reinterpret_cast<Copy*>(segment.memory.data() + at);
}

base::ByteView StateTable::payload(const Copy* copy) const {
  return {reinterpret_cast<const std::uint8_t*>(copy) + kCopyOctets, copy->length};
}

int StateTable::newest(const Slot& slot) const {
  int out = -1;
  std::uint64_t latest = 0;
  for (const unsigned which : {0U, 1U}) {
    const auto at = copy(slot, which)->transaction;
    if (at <= latest || at > committed_) continue;
    latest = at;
    out = static_cast<int>(which);
  }
  return out;
}

// To the older copy. It is nobody's from the first store on, and the transaction's with the last one.
void StateTable::write(const Slot& slot, std::uint64_t transaction, std::uint64_t key, base::ByteView octets) {
  Copy* const to = copy(slot, newest(slot) == 0 ? 1 : 0);
  store(to->transaction, 0);
  auto* const octet = reinterpret_cast<std::uint8_t*>(to);
  fill({octet + kCopyOctets, std::max<std::size_t>(octets.size(), to->length)}, octets);
  store(to->key, key);
  store(to->checksum, checksum_of(transaction, key, octets));
  store(to->length, octets.size());
  store(to->transaction, transaction);
}

void StateTable::wipe(Copy* what, std::uint32_t stride) {
  store(what->transaction, 0);
  const std::size_t length = std::min<std::size_t>(what->length, stride - kCopyOctets);
  auto* const octet = reinterpret_cast<std::uint8_t*>(what);
  fill({octet + sizeof what->transaction, kCopyOctets - sizeof what->transaction + length}, {});
}

// The empty copy goes last: alone the other one would count again.
void StateTable::wipe(const Slot& slot) {
  const auto stride = segments_[slot.segment].stride;
  const unsigned last = newest(slot) == 1 ? 1 : 0;
  wipe(copy(slot, 1 - last), stride);
  wipe(copy(slot, last), stride);
  free_[stride].insert(slot);
}

// ---------------------------------------------------------------------------------------------- opening

std::expected<StateTable, std::string> StateTable::open(const Place& place, std::vector<Memory> segments, Grow grow,
                                                        std::function<void()> before_store) {
  static_assert(sizeof(Header) <= kHeaderOctets && sizeof(Copy) == kCopyOctets);
  StateTable out(place, std::move(grow), std::move(before_store));
  std::map<std::uint32_t, Memory> found;
  for (const auto& memory : segments) {
    if (auto taken = out.take(memory, found); !taken) return std::unexpected(taken.error());
  }
  for (const auto& [index, memory] : found) {
    if (index != out.segments_.size()) return std::unexpected("a part of it is missing");
    const auto& header = *reinterpret_cast<const Header*>(memory.data());
    out.segments_.push_back({memory, header.stride, header.slots});
  }
  if (out.segments_.empty()) {
    if (auto first = out.add_segment(kUsual); !first) return std::unexpected(first.error().text());
    return out;
  }
  if (auto recovered = out.recover(); !recovered) return std::unexpected(recovered.error());
  return out;
}

std::expected<void, std::string> StateTable::take(Memory memory, std::map<std::uint32_t, Memory>& found) const {
  const auto bad = [](const char* text) { return std::unexpected(std::string(text)); };
  if (memory.size() < kHeaderOctets) return bad("a part of it is too short");
  const auto& header = *reinterpret_cast<const Header*>(memory.data());
  if (header.magic == 0) return {};  // its maker died before it was of use
  if (header.magic != kMagic || header.layout != kLayout) return bad("it is of another version");
  if (header.checksum != checksum_of(header)) return bad("its header is spoilt");
  if (header.place != place_) return bad("it is of another boot of this machine, or of another network namespace");
  const bool known = std::ranges::find(kStrides, header.stride) != kStrides.end();
  if (!known || header.slots > kMostSlots || memory.size() < octets_of(header.stride, header.slots)) {
    return bad("its header makes no sense");
  }
  if (!found.emplace(header.index, memory).second) return bad("a part of it is there twice");
  return {};
}

std::expected<void, std::string> StateTable::recover() {
  committed_ = reinterpret_cast<const Header*>(segments_.front().memory.data())->committed;
  for (std::uint32_t index = 0; index < segments_.size(); ++index) {
    for (std::uint32_t slot = 0; slot < segments_[index].slots; ++slot) {
      if (auto done = recover(Slot{index, slot}); !done) return done;
    }
  }
  return {};
}

std::expected<void, std::string> StateTable::recover(const Slot& slot) {
  const auto stride = segments_[slot.segment].stride;
  for (const unsigned which : {0U, 1U}) {
    auto* const each = copy(slot, which);
    if (each->transaction == 0 || each->transaction > committed_) {
      // Of a transaction that did not come to its end; its number is to be used again.
      if (each->transaction != 0 || each->length != 0 || each->key != 0) wipe(each, stride);
      continue;
    }
    const bool fits = each->length <= stride - kCopyOctets;
    if (!fits || each->checksum != checksum_of(each->transaction, each->key, payload(each))) {
      return std::unexpected("a checksum is wrong");
    }
  }
  const int now = newest(slot);
  if (now < 0) {
    free_[stride].insert(slot);
    return {};
  }
  const auto* const current = copy(slot, static_cast<unsigned>(now));
  if (current->length == 0) {
    wipe(slot);
  } else if (!where_.emplace(current->key, slot).second) {
    return std::unexpected("a record is there twice");
  }
  return {};
}

base::Result<void> StateTable::add_segment(std::uint32_t stride) {
  // Half as many as there are: a fifth of them is free on average, and systemd's store has room for all files of a
  // million records.
  std::uint32_t there = 0;
  for (const auto& segment : segments_) there += segment.stride == stride ? segment.slots : 0;
  const std::uint32_t part = stride > kLargestOfMany ? 4 : 1;
  const std::uint32_t slots = std::clamp(there / 2, kFirstSlots / part, kMostSlots / part);
  const auto index = static_cast<std::uint32_t>(segments_.size());
  auto memory = grow_(index, octets_of(stride, slots));
  if (!memory) return std::unexpected(memory.error());
  Header header{};
  header.layout = kLayout;
  header.index = index;
  header.stride = stride;
  header.slots = slots;
  header.place = place_;
  header.magic = kMagic;
  header.checksum = checksum_of(header);
  header.magic = 0;
  fill(memory->first(sizeof header), {reinterpret_cast<const std::uint8_t*>(&header), sizeof header});
  store(reinterpret_cast<Header*>(memory->data())->magic, kMagic);
  segments_.push_back({*memory, stride, slots});
  for (std::uint32_t slot = 0; slot < slots; ++slot) free_[stride].insert(free_[stride].end(), Slot{index, slot});
  return {};
}

// ------------------------------------------------------------------------------------------ transactions

std::vector<ike::Record::Entry> StateTable::records() const {
  std::vector<ike::Record::Entry> out;
  for (const auto& [key, slot] : where_) {
    out.push_back({key, base::Secret::copy_of(payload(copy(slot, static_cast<unsigned>(newest(slot)))))});
  }
  return out;
}

std::optional<StateTable::Slot> StateTable::free_slot(std::size_t length) {
  const auto stride = stride_for(length);
  if (stride == 0) return std::nullopt;
  if (free_[stride].empty() && !add_segment(stride)) return std::nullopt;
  return free_[stride].extract(free_[stride].begin()).value();
}

base::Result<void> StateTable::commit(const ike::Record& record) {
  const auto transaction = committed_ + 1;
  std::vector<Slot> left;
  std::size_t homeless = 0, written = 0;
  const auto put = [&](const Slot& slot, std::uint64_t key, base::ByteView octets) {
    write(slot, transaction, key, octets);
    ++written;
  };
  for (const auto& entry : record.entries) {
    const auto octets = entry.octets.view();
    const auto found = where_.find(entry.key);
    const bool there = found != where_.end();
    if (there && !octets.empty()) {
      const auto slot = found->second;
      const int now = newest(slot);
      if (now >= 0 && std::ranges::equal(payload(copy(slot, static_cast<unsigned>(now))), octets)) continue;
      if (octets.size() + kCopyOctets <= segments_[slot.segment].stride) {
        put(slot, entry.key, octets);
        continue;
      }
    }
    if (there) {
      put(found->second, entry.key, {});
      left.push_back(found->second);
      where_.erase(found);
    }
    if (octets.empty()) continue;
    if (const auto slot = free_slot(octets.size())) {
      put(*slot, entry.key, octets);
      where_.emplace(entry.key, *slot);
    } else {
      ++homeless;
    }
  }
  if (written > 0) {
    store(reinterpret_cast<Header*>(segments_.front().memory.data())->committed, transaction);
    committed_ = transaction;
  }
  for (const auto& slot : left) wipe(slot);
  if (homeless == 0) return {};
  return std::unexpected(base::Error{"keep the state of IKE SAs for a process after this one", ENOSPC,
                                     fmt::format("{} of them find no room and would be negotiated anew", homeless)});
}

void StateTable::clear() {
  ike::Record all;
  for (const auto& [key, slot] : where_) all.entries.push_back({key, {}});
  (void)commit(all);  // nothing in it needs room
  for (std::uint32_t index = 0; index < segments_.size(); ++index) {
    for (std::uint32_t slot = 0; slot < segments_[index].slots; ++slot) {
      const bool used = copy({index, slot}, 0)->key != 0 || copy({index, slot}, 1)->key != 0;
      if (used) wipe(Slot{index, slot});
    }
  }
}

}  // namespace espgate::gateway
