// SPDX-License-Identifier: Apache-2.0
#include "loader/loader.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/fd.h"
#include "loader/devices.h"
#include "loader/ledger.h"
#include "loader/objects.h"
#include "loader/pinned_link.h"
#include "loader/shield_maps.h"
#include "loader/spread.h"
#include "maps/pins.h"

namespace espgate::loader {

namespace {

bool is_bpffs(const std::string& directory) {
  struct statfs found{};
  return ::statfs(directory.c_str(), &found) == 0 && found.f_type == BPF_FS_MAGIC;
}

// Makes the directory of the pins and takes it for this process alone.
base::Result<base::Fd> take_directory(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return std::unexpected(base::Error::last("make " + directory));
  base::Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return std::unexpected(base::Error::last("open " + directory));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return std::unexpected(
        base::Error{"take " + directory, errno == EWOULDBLOCK ? EBUSY : errno, "another espgated uses it"});
  return fd;
}

}  // namespace

struct Loader::Impl {
  Options options;
  Capabilities capabilities;
  base::Fd directory;
  std::optional<Objects> objects;
  std::optional<Ledger> ledger;
  std::optional<Devices> devices;
  std::optional<ShieldMaps> shield;
  std::optional<maps::Reader> reader;

  [[nodiscard]] std::string pin(const char* hook) const {
    return maps::pin_directory(options.bpffs) + "/" + maps::link_prefix + hook;
  }
  bool attach_tracing(const ExactHook& hook);
  base::Result<void> attach_exact();
};

// One exact hook; a sentence if it cannot be had. What is attached already goes on with the program that its table has
// from now on: no packet is missed, none is counted twice. A kernel without such tables gets the program itself.
bool Loader::Impl::attach_tracing(const ExactHook& hook) {
  if (hook.program < 0) return false;
  const std::uint32_t zero = 0;
  const bool tabled = hook.entry >= 0 && bpf_map_update_elem(hook.table, &zero, &hook.program, BPF_ANY) == 0;
  const auto done = install({pin(hook.name), tabled ? hook.entry : hook.program, hook.type, 0, 0,
                             tabled ? hook.table_id : objects->fds().sa_slot_id});
  if (!done)
    capabilities.missing.push_back(
        fmt::format("the exact hook {} cannot be attached: {}", hook.name, done.error().text()));
  return done.has_value();
}

// All transmit hooks or none: with one alone, hits and software could not be told apart.
base::Result<void> Loader::Impl::attach_exact() {
  const ObjectFds& fds = objects->fds();
  const auto transmits = {&fds.transmit, &fds.transmit_hit, &fds.transmit_busy};
  const auto receives = {&fds.accept, &fds.receive, &fds.arrive};
  capabilities.exact_in =
      std::ranges::all_of(receives, [](const ExactHook* hook) { return hook->program >= 0; }) &&
      std::ranges::all_of(receives, [this](const ExactHook* hook) { return attach_tracing(*hook); });
  capabilities.exact_out =
      std::ranges::all_of(transmits, [](const ExactHook* hook) { return hook->program >= 0; }) &&
      std::ranges::all_of(transmits, [this](const ExactHook* hook) { return attach_tracing(*hook); });
  if (!capabilities.exact_in)
    for (const ExactHook* hook : receives) uninstall(pin(hook->name));
  if (!capabilities.exact_out)
    for (const ExactHook* hook : transmits) uninstall(pin(hook->name));
  if (!capabilities.exact_in || !capabilities.exact_out)
    capabilities.missing.push_back(fmt::format("{} packets are counted by tc, inexactly{}",
                                               capabilities.exact_in    ? "outgoing"
                                               : capabilities.exact_out ? "incoming"
                                                                        : "all",
                                               options.tracing ? "" : " (tracing is switched off)"));
  espgate_meta meta = objects->meta();
  meta.exact_in = capabilities.exact_in;
  meta.exact_out = capabilities.exact_out;
  meta.accounting = 1;
  return objects->write_meta(meta);
}

Loader::Loader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Loader::Loader(Loader&&) noexcept = default;
Loader& Loader::operator=(Loader&&) noexcept = default;
Loader::~Loader() = default;

base::Result<Loader> Loader::open(const Options& options) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  if (!is_bpffs(options.bpffs)) {
    impl->capabilities.missing.push_back(
        fmt::format("{} is no bpffs (mount -t bpf bpf DIR): nothing is counted, and what is installed is not recorded",
                    options.bpffs));
    return Loader(std::move(impl));
  }
  auto directory = take_directory(maps::pin_directory(options.bpffs));
  if (!directory) return std::unexpected(directory.error());
  impl->directory = std::move(*directory);
  auto objects = Objects::load(options, impl->capabilities);
  if (!objects) return std::unexpected(objects.error());
  impl->objects = std::move(*objects);
  if (auto attached = impl->attach_exact(); !attached) return std::unexpected(attached.error());

  const std::uint64_t netns = maps::netns_cookie();
  impl->ledger.emplace(impl->objects->fds(), impl->objects->meta(), netns);
  impl->devices.emplace(*impl->objects, options.bpffs, netns);
  impl->shield.emplace(impl->objects->fds(), netns);
  if (auto reset = impl->shield->set_rules({}); !reset) return std::unexpected(reset.error());
  impl->ledger->repair();
  impl->devices->renew();
  auto reader = maps::Reader::open(options.bpffs);
  if (!reader) return std::unexpected(reader.error());
  impl->reader = std::move(*reader);
  impl->capabilities.accounting = true;
  return Loader(std::move(impl));
}

const Capabilities& Loader::capabilities() const { return impl_->capabilities; }
std::uint32_t Loader::max_slots() const {
  return impl_->objects ? impl_->objects->meta().max_slots : impl_->options.max_slots;
}
std::uint32_t Loader::max_policies() const {
  return impl_->objects ? impl_->objects->meta().max_policies : 2 * impl_->options.max_slots;
}

base::Result<Attachment> Loader::attach_device(const std::string& device, XdpWish xdp) {
  if (!impl_->devices) return Attachment{0, device, ESPGATE_XDP_NONE, false, false, {}};
  return impl_->devices->attach(device, xdp);
}

base::Result<void> Loader::detach_device(std::uint32_t ifindex) {
  if (!impl_->devices) return {};
  return impl_->devices->detach(ifindex);
}

std::vector<Attachment> Loader::attachments() const {
  return impl_->devices ? impl_->devices->list() : std::vector<Attachment>{};
}

base::Result<std::uint32_t> Loader::assign(std::uint32_t slot, const maps::SaRecord& sa) {
  if (!impl_->ledger) return 1;
  return impl_->ledger->assign(slot, sa);
}

base::Result<void> Loader::update(std::uint32_t slot, const maps::SaRecord& sa) {
  if (!impl_->ledger) return {};
  return impl_->ledger->update(slot, sa);
}

base::Result<void> Loader::release(std::uint32_t slot, const maps::Counts& besides) {
  if (!impl_->ledger) return {};
  return impl_->ledger->release(slot, *impl_->reader, besides);
}

std::vector<LedgerSa> Loader::sas() const { return impl_->ledger ? impl_->ledger->sas() : std::vector<LedgerSa>{}; }

base::Result<void> Loader::put_policy(std::uint32_t index, const maps::PolicyRecord& policy) {
  if (!impl_->ledger) return {};
  return impl_->ledger->put_policy(index, policy);
}

base::Result<void> Loader::clear_policy(std::uint32_t index) {
  if (!impl_->ledger) return {};
  return impl_->ledger->clear_policy(index);
}

std::map<std::uint32_t, maps::PolicyRecord> Loader::policies() const {
  return impl_->reader ? impl_->reader->policies() : std::map<std::uint32_t, maps::PolicyRecord>{};
}

base::Result<void> Loader::set_shield(const ShieldRules& rules) {
  if (!impl_->shield) return {};
  return impl_->shield->set_rules(rules);
}

base::Result<void> Loader::set_cookie_secrets(const CookieSecret& present, const std::optional<CookieSecret>& before) {
  if (!impl_->shield) return {};
  return impl_->shield->set_secrets(present, before);
}

base::Result<void> Loader::set_allowed(const std::vector<base::Prefix>& sources) {
  if (!impl_->shield) return {};
  return impl_->shield->set_allowed(sources);
}

base::Result<void> Loader::set_spread(const std::vector<std::uint32_t>& cpus) {
  if (!impl_->objects) return {};
  return spread_over(impl_->objects->fds(), cpus);
}

base::Result<void> Loader::remove_all() {
  if (!impl_->objects) return {};
  auto removed = remove_pins(impl_->options.bpffs);
  impl_->reader.reset();
  impl_->devices.reset();
  impl_->shield.reset();
  impl_->ledger.reset();
  impl_->objects.reset();
  impl_->directory.reset();
  impl_->capabilities.accounting = false;
  return removed;
}

const maps::Reader* Loader::reader() const { return impl_->reader ? &*impl_->reader : nullptr; }

}  // namespace espgate::loader
