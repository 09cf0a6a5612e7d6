// SPDX-License-Identifier: Apache-2.0
// Loads the BPF programs, pins maps and links under <bpffs>/espgate, attaches to devices, and writes the ledger.
// The only writer of the maps from user space; one Loader per bpffs directory at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "loader/shield.h"
#include "maps/reader.h"
#include "maps/record.h"

namespace espgate::loader {

// Natively or not at all, unless generic XDP is asked for: that turns GRO off for what it sees, and needs a hook beside
// it to tell a decrypted packet from one that came in plain. Where XDP does not run natively, tc ingress counts the
// classes. Dispatcher: natively, beside programs of others, through libxdp's dispatcher.
enum class XdpWish : std::uint8_t { off, native, generic, dispatcher };

struct Options {
  std::string bpffs = maps::default_bpffs;          // a mounted bpffs; pins go to <bpffs>/espgate
  std::uint32_t max_slots = ESPGATE_DEFAULT_SLOTS;  // one per SA and direction; policies: twice as many
  std::uint32_t max_flows = ESPGATE_DEFAULT_FLOWS;
  bool tracing = true;  // false: do not try the exact hooks (tests, machines where tracing is not wanted)
};

// What this machine lets us do. Each missing thing is one sentence in `missing`, fit for a log.
struct Capabilities {
  bool accounting = false;  // maps are there and pinned; without it ledger calls succeed and keep nothing
  bool exact_in = false, exact_out = false;
  bool reused = false;              // pinned maps of an earlier run were taken over, with their counts
  std::uint32_t migrated_from = 0;  // they had the layout of this earlier version; 0: they had ours
  std::vector<std::string> missing;
};

struct Attachment {
  std::uint32_t ifindex = 0;
  std::string device;
  espgate_xdp_mode xdp = ESPGATE_XDP_NONE;
  bool tc_ingress = false, tc_egress = false;
  std::vector<std::string>
      missing;  // a sentence for each hook that could not be had, e.g. another XDP program in place
};

// An SA that the ledger says is ours.
struct LedgerSa {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  maps::SaRecord sa;
};

class Loader {
 public:
  // Errors only where going on would be wrong: another process holds the directory (EBUSY), no permission to use BPF
  // although bpffs is there. A missing bpffs or feature is no error, see capabilities().
  static base::Result<Loader> open(const Options& options);

  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;
  ~Loader();  // leaves everything pinned: counting goes on, the ledger stays

  [[nodiscard]] const Capabilities& capabilities() const;
  [[nodiscard]] std::uint32_t max_slots() const;
  [[nodiscard]] std::uint32_t max_policies() const;

  // Hooks on a device of the calling thread's namespace. A second call for the same device renews what is missing.
  // ENODEV if there is none; a hook that cannot be had is in Attachment::missing, not an error.
  base::Result<Attachment> attach_device(const std::string& device, XdpWish xdp = XdpWish::native);
  base::Result<void> detach_device(std::uint32_t ifindex);
  [[nodiscard]] std::vector<Attachment> attachments() const;

  // The ledger of SAs. assign() counts the slot's generation up, writes sa_dir and starts counting from zero; EBUSY if
  // the slot is in use, ENOSPC beyond max_slots. Call it before NEWSA.
  base::Result<std::uint32_t> assign(std::uint32_t slot, const maps::SaRecord& sa);
  // Replaces the record (actual, reason, device), not the identity: netns, dst, spi, proto, direction must stay. ENOENT
  // if free.
  base::Result<void> update(std::uint32_t slot, const maps::SaRecord& sa);
  // After DELSA: stops counting, folds the counts into child_total once, frees the slot. ENOENT if free. `besides`:
  // what was counted of it elsewhere (packet mode).
  base::Result<void> release(std::uint32_t slot, const maps::Counts& besides = {});
  [[nodiscard]] std::vector<LedgerSa> sas() const;  // after open(): what an earlier run left

  // The ledger of policies: written before NEWPOLICY, cleared after DELPOLICY.
  base::Result<void> put_policy(std::uint32_t index, const maps::PolicyRecord& policy);
  base::Result<void> clear_policy(std::uint32_t index);
  [[nodiscard]] std::map<std::uint32_t, maps::PolicyRecord> policies() const;

  // The shield (loader/shield.h). The loader writes what it is told and keeps nothing of it; a restart begins with
  // rules that are not active until they are set again. Without accounting these succeed and do nothing.
  // ENOTSUP where drop_unknown is asked for and this kernel cannot say which SPIs it has SAs for (before Linux 6.8):
  // the other rules are in force then.
  base::Result<void> set_shield(const ShieldRules& rules);
  // EINVAL: a key of another length.
  base::Result<void> set_cookie_secrets(const CookieSecret& present, const std::optional<CookieSecret>& before);
  // The sources that are never challenged nor limited, in this namespace; what is not named is no longer on the list.
  base::Result<void> set_allowed(const std::vector<base::Prefix>& sources);

  // Inbound ESP of software SAs is handed to these CPUs, each SA to one of them, where XDP runs natively; an empty
  // list: packets stay where they come in. It lasts until the next call, over restarts, too. An SA takes part from the
  // update() on that says that it is held by no device; before one is given to a device, update() has to say so.
  // EINVAL: no such CPU, or more than ESPGATE_MAX_SPREAD of them.
  base::Result<void> set_spread(const std::vector<std::uint32_t>& cpus);

  // Clean stop: detaches everything and unpins everything; nothing of ours is left in bpffs. The Loader is of no use
  // afterwards.
  base::Result<void> remove_all();

  // Reads through the same maps; nullopt without accounting.
  [[nodiscard]] const maps::Reader* reader() const;

 private:
  struct Impl;
  explicit Loader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace espgate::loader
