// SPDX-License-Identifier: Apache-2.0
#include "maps/reader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/fd.h"
#include "maps/pins.h"
#include "maps/walk.h"

namespace espgate::maps {

namespace {

// By ifindex, as they were called when attached.
std::map<std::uint32_t, std::string> device_names(const std::vector<DeviceRow>& devices) {
  std::map<std::uint32_t, std::string> out;
  for (const DeviceRow& device : devices) out[device.ifindex] = device.name;
  return out;
}

base::Address address_of(const std::uint8_t (&octets)[16], std::uint8_t family) {
  return base::Address::from_octets({octets, family == AF_INET6 ? std::size_t{16} : std::size_t{4}})
      .value_or(base::Address{});
}

std::map<std::uint32_t, PolicyRecord> policies_in(int policy_dir) {
  std::map<std::uint32_t, PolicyRecord> out;
  walk<std::uint32_t, espgate_policy_entry>(policy_dir, 1,
                                            [&](std::uint32_t index, std::span<const espgate_policy_entry> values) {
                                              if (values.front().in_use != 0)
                                                out.emplace_hint(out.end(), index, from_abi(values.front()));
                                            });
  return out;
}

Counts counts_of(const espgate_folded& folded) {
  Counts out{folded.hw_packets, folded.hw_bytes, folded.sw_packets, folded.sw_bytes, {}};
  for (std::size_t i = 0; i < out.fallback.size(); ++i) out.fallback[i] = folded.fallback[i];
  return out;
}

template <std::size_t N>
std::string text_of(const char (&from)[N]) {
  return {from, strnlen(from, N - 1)};  // always NUL-terminated, if it is ours
}

}  // namespace

ChildTotal from_abi(std::uint64_t uid, const espgate_child_total& total) {
  ChildTotal row{base::ChildUid{uid}, text_of(total.conn), text_of(total.child), text_of(total.device), {}, {}};
  for (std::size_t direction = 0; direction < 2; ++direction) {
    row.folded[direction] = counts_of(total.folded[direction]);
    row.sas[direction] = total.folded[direction].sas;
    row.last_slot[direction] = total.folded[direction].last_slot;
    row.last_generation[direction] = total.folded[direction].last_generation;
  }
  return row;
}

Counts& Counts::operator+=(const Counts& other) {
  hw_packets += other.hw_packets;
  hw_bytes += other.hw_bytes;
  sw_packets += other.sw_packets;
  sw_bytes += other.sw_bytes;
  for (std::size_t i = 0; i < fallback.size(); ++i) fallback[i] += other.fallback[i];
  return *this;
}

struct Reader::Impl {
  espgate_meta meta{};
  base::Fd policy_dir, child_total, classes, flows, devices, shield_rules, shield_counts;
  Mapping<espgate_cell> cells;
  Mapping<espgate_sa_entry> entries;

  [[nodiscard]] bool copy_entry(std::uint32_t slot, espgate_sa_entry& to) const;
  [[nodiscard]] SaRow row_of(std::uint32_t slot, const espgate_sa_entry& entry, const Counts& counts) const;
};

Reader::Reader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

base::Result<Reader> Reader::open(const std::string& bpffs) {
  auto impl = std::make_unique<Impl>();
  std::optional<base::Error> failed;
  auto open_map = [&](const char* name, std::uint32_t flags = BPF_F_RDONLY) {
    LIBBPF_OPTS(bpf_obj_get_opts, options, .file_flags = flags);
    base::Fd fd(failed ? -1 : bpf_obj_get_opts(map_pin(bpffs, name).c_str(), &options));
    if (!fd && !failed) failed = base::Error::last("open the pinned map " + map_pin(bpffs, name));
    return fd;
  };
  const base::Fd meta = open_map("meta");
  const std::uint32_t zero = 0;
  if (failed) return std::unexpected(*failed);
  if (bpf_map_lookup_elem(meta.get(), &zero, &impl->meta) != 0)
    return std::unexpected(base::Error::last("read the pinned map meta"));
  if (impl->meta.abi_version != ESPGATE_ABI_VERSION)
    return std::unexpected(base::Error{"use the maps pinned in " + pin_directory(bpffs), EPROTO,
                                       "their layout is version " + std::to_string(impl->meta.abi_version) +
                                           ", this program's is " + std::to_string(ESPGATE_ABI_VERSION)});
  impl->policy_dir = open_map("policy_dir");
  impl->child_total = open_map("child_total");
  impl->classes = open_map("classes");
  impl->flows = open_map("flows");
  impl->devices = open_map("devices");
  impl->shield_rules = open_map("shield_rules");
  impl->shield_counts = open_map("shield_counts");
  const base::Fd counters = open_map("counters", 0), sa_dir = open_map("sa_dir", 0);
  if (failed) return std::unexpected(*failed);
  auto cells = Mapping<espgate_cell>::make(counters.get(), std::size_t{impl->meta.cpus} * impl->meta.max_slots);
  if (!cells) return std::unexpected(cells.error());
  impl->cells = std::move(*cells);
  auto entries = Mapping<espgate_sa_entry>::make(sa_dir.get(), impl->meta.max_slots);
  if (!entries) return std::unexpected(entries.error());
  impl->entries = std::move(*entries);
  return Reader(std::move(impl));
}

const espgate_meta& Reader::meta() const { return impl_->meta; }

Counts Reader::counts(std::uint32_t slot, std::uint32_t generation) const {
  Counts out;
  std::uint64_t offered_packets = 0, offered_bytes = 0, hit_packets = 0, hit_bytes = 0;
  if (slot >= impl_->meta.max_slots) return out;
  // Hits before offers: a packet under way must not make hits exceed offers.
  for (int hits = 1; hits >= 0; --hits) {
    for (std::uint32_t cpu = 0; cpu < impl_->meta.cpus; ++cpu) {
      const espgate_cell& cell = impl_->cells[std::size_t{cpu} * impl_->meta.max_slots + slot];
      auto read = [](const auto& field) { return __atomic_load_n(&field, __ATOMIC_ACQUIRE); };
      if (read(cell.generation) != generation) continue;
      if (hits != 0) {
        hit_packets += read(cell.hw_packets);
        hit_bytes += read(cell.hw_bytes);
        continue;
      }
      offered_packets += read(cell.offered_packets);
      offered_bytes += read(cell.offered_bytes);
      out.sw_packets += read(cell.sw_packets);
      out.sw_bytes += read(cell.sw_bytes);
      for (std::size_t i = 0; i < out.fallback.size(); ++i) out.fallback[i] += read(cell.fallback[i]);
    }
  }
  out.hw_packets = hit_packets;
  out.hw_bytes = hit_bytes;
  if (offered_packets > hit_packets) out.sw_packets += offered_packets - hit_packets;
  if (offered_bytes > hit_bytes) out.sw_bytes += offered_bytes - hit_bytes;
  return out;
}

// False: the slot is free. The loader's writes are copies in the kernel, without a lock against readers: what is taken
// reads the same twice.
bool Reader::Impl::copy_entry(std::uint32_t slot, espgate_sa_entry& to) const {
  const espgate_sa_entry& entry = entries[slot];
  for (int tries = 0; tries < 8; ++tries) {
    if (__atomic_load_n(&entry.in_use, __ATOMIC_ACQUIRE) == 0) return false;
    std::memcpy(&to, &entry, sizeof to);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (std::memcmp(&to, &entry, sizeof to) == 0) break;
  }
  return to.in_use != 0;
}

SaRow Reader::Impl::row_of(std::uint32_t slot, const espgate_sa_entry& entry, const Counts& counts) const {
  SaRow row{slot, entry.generation, from_abi(entry), counts, false};
  const bool exact = row.sa.direction == base::Direction::in ? meta.exact_in : meta.exact_out;
  row.exact = exact && row.sa.actual != base::OffloadActual::packet;
  return row;
}

std::optional<SaRow> Reader::sa(std::uint32_t slot) const {
  espgate_sa_entry entry{};
  if (slot >= impl_->meta.max_slots || !impl_->copy_entry(slot, entry)) return std::nullopt;
  return impl_->row_of(slot, entry, counts(slot, entry.generation));
}

std::size_t Reader::sas_in_use() const {
  std::size_t out = 0;
  for (std::uint32_t slot = 0; slot < impl_->meta.max_slots; ++slot) out += impl_->entries[slot].in_use != 0 ? 1 : 0;
  return out;
}

std::vector<SaRow> Reader::sas() const {
  std::vector<SaRow> out;
  espgate_sa_entry entry{};
  out.reserve(sas_in_use());
  for (std::uint32_t slot = 0; slot < impl_->meta.max_slots; ++slot)
    if (impl_->copy_entry(slot, entry)) out.push_back(impl_->row_of(slot, entry, counts(slot, entry.generation)));
  return out;
}

std::map<std::uint32_t, PolicyRecord> Reader::policies() const { return policies_in(impl_->policy_dir.get()); }

std::vector<ChildTotal> Reader::totals() const {
  std::vector<ChildTotal> out;
  walk<std::uint64_t, espgate_child_total>(impl_->child_total.get(), 1,
                                           [&](std::uint64_t uid, std::span<const espgate_child_total> values) {
                                             out.push_back(from_abi(uid, values.front()));
                                           });
  return out;
}

std::vector<DeviceRow> Reader::devices() const {
  std::vector<DeviceRow> out;
  walk<std::uint32_t, espgate_device>(impl_->devices.get(), 1,
                                      [&](std::uint32_t ifindex, std::span<const espgate_device> values) {
                                        out.push_back({ifindex, text_of(values.front().name), values.front()});
                                      });
  return out;
}

std::vector<ClassRow> Reader::classes() const {
  std::vector<ClassRow> out;
  auto names = device_names(devices());
  walk<espgate_class_key, espgate_class_count>(
      impl_->classes.get(), static_cast<std::size_t>(libbpf_num_possible_cpus()),
      [&](const espgate_class_key& key, std::span<const espgate_class_count> per_cpu) {
        ClassRow row{key.ifindex, names[key.ifindex], key.class_, key.verdict, 0, 0};
        for (const espgate_class_count& count : per_cpu) {
          row.packets += count.packets;
          row.bytes += count.bytes;
        }
        out.push_back(std::move(row));
      });
  return out;
}

std::vector<ShieldRow> Reader::shield() const {
  std::map<std::uint32_t, ShieldRow> rows;
  auto names = device_names(devices());
  walk<espgate_shield_key, std::uint64_t>(impl_->shield_counts.get(),
                                          static_cast<std::size_t>(libbpf_num_possible_cpus()),
                                          [&](const espgate_shield_key& key, std::span<const std::uint64_t> per_cpu) {
                                            if (key.event >= ESPGATE_SHIELD_EVENT_COUNT) return;
                                            ShieldRow& row = rows[key.ifindex];
                                            for (const std::uint64_t count : per_cpu) row.events[key.event] += count;
                                          });
  std::vector<ShieldRow> out;
  for (auto& [ifindex, row] : rows) {
    row.ifindex = ifindex;
    row.device = names[ifindex];
    out.push_back(std::move(row));
  }
  return out;
}

std::optional<espgate_shield> Reader::shield_rules() const {
  const std::uint32_t zero = 0;
  espgate_shield out{};
  if (bpf_map_lookup_elem(impl_->shield_rules.get(), &zero, &out) != 0) return std::nullopt;
  return out;
}

std::vector<FlowRow> Reader::flows() const {
  std::vector<FlowRow> out;
  walk<espgate_flow_key, espgate_flow_value>(
      impl_->flows.get(), 1, [&](const espgate_flow_key& key, std::span<const espgate_flow_value> values) {
        out.push_back({key, values.front(), address_of(key.src, key.family), address_of(key.dst, key.family)});
      });
  return out;
}

}  // namespace espgate::maps
