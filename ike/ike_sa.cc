// SPDX-License-Identifier: Apache-2.0
#include "ike/ike_sa.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "ike/crypto/prf.h"
#include "ike/task/generation.h"
#include "ike/task/lifetime.h"
#include "ike/task/nat_path.h"

namespace espgate::ike {

std::string describe(const Child& child) {
  return fmt::format("{} {} {} === {}, SPIs {} in, {} out{}", child.suite.name(), base::to_string(child.mode),
                     text(child.local_ts), text(child.remote_ts), child.spi_in.text(), child.spi_out.text(),
                     child.encap ? ", in UDP" : "");
}

const Carriage& Child::carried() const {
  static const Carriage in_software;
  return carriage ? *carriage : in_software;
}

void Child::carry(Carriage how) {
  const auto plain = [](const OffloadState& each) {
    return each.actual == base::OffloadActual::none && each.reason_code.empty() && each.reason.empty();
  };
  carriage.reset();
  if (!plain(how.in) || !plain(how.out)) carriage = std::move(how);
}

void IkeSa::remember_request(base::ByteView message) {
  const auto digest = crypto::sha256({message});
  last_request.clear();
  if (digest) last_request.assign(digest->begin(), digest->end());
}

bool IkeSa::is_last_request(base::ByteView message) const {
  if (last_request.empty()) return false;
  const auto digest = crypto::sha256({message});
  return digest && std::ranges::equal(*digest, last_request);
}

Child* IkeSa::child_named(const std::string& name) {
  auto it = std::ranges::find_if(children, [&](const auto& entry) {
    const auto& child = entry.second;
    return child.config->name == name && child.state != ChildState::deleting && child.state != ChildState::retired;
  });
  return it == children.end() ? nullptr : &it->second;
}

Child* IkeSa::child_by_spi_out(base::Spi spi) {
  auto it = std::ranges::find_if(children, [&](const auto& entry) {
    return entry.second.spi_out == spi && entry.second.state != ChildState::retired;
  });
  return it == children.end() ? nullptr : &it->second;
}

namespace {

auto* successor(auto& children, base::ChildId old) {
  const auto it = std::ranges::find_if(children, [&](const auto& entry) {
    const auto& child = entry.second;
    return child.replaces == old && (child.state == ChildState::installed || child.state == ChildState::installing);
  });
  return it == children.end() ? nullptr : &it->second;
}

}  // namespace

Child* IkeSa::successor_of(base::ChildId old) { return successor(children, old); }
const Child* IkeSa::successor_of(base::ChildId old) const { return successor(children, old); }

std::optional<base::Instant> IkeSa::liveness_due() const {
  if (!usable() || outgoing || held || !conn) return std::nullopt;
  if (conn->dpd_delay <= base::Duration::zero()) return std::nullopt;
  return last_heard + conn->dpd_delay;
}

std::optional<base::Instant> IkeSa::next_due() const {
  std::optional<base::Instant> due;
  auto consider = [&](std::optional<base::Instant> at) {
    if (at && (!due || *at < *due)) due = at;
  };
  if (state == State::closed || state == State::init_replied || state == State::rekeyed) consider(expires_at);
  if (state == State::closed) return due;
  if (outgoing) consider(outgoing->timer.due());
  for (const auto& [child_id, child] : children) {
    if (child.state == ChildState::installing) consider(child.install_deadline);
  }
  consider(generation_due(*this));
  consider(lifetime_due(*this));
  consider(liveness_due());
  consider(keepalive_due(*this));
  consider(close_deadline);
  consider(follow_up_until);
  return due;
}

namespace {

std::string state_name(const IkeSa& sa) {
  switch (sa.state) {
    case State::established:
      return "ESTABLISHED";
    case State::rekeyed:
      return "REKEYED";
    case State::deleting:
    case State::closed:
      return "DELETING";
    default:
      return "CONNECTING";
  }
}

// strongSwan's words.
std::string state_name(const IkeSa& sa, const Child& child) {
  switch (child.state) {
    case ChildState::installing:
      return "INSTALLING";
    case ChildState::deleting:
      return child.replaced_by ? "REKEYED" : "DELETING";
    case ChildState::retired:
      return "DELETED";
    case ChildState::installed:
      break;
  }
  if (sa.successor_of(child.id) != nullptr) return "REKEYED";
  const auto* rekey = sa.outgoing ? std::get_if<DoRekeyChild>(&sa.outgoing->what) : nullptr;
  return rekey != nullptr && rekey->old == child.id ? "REKEYING" : "INSTALLED";
}

}  // namespace

ChildView view(const IkeSa& sa, const Child& child) {
  ChildView out;
  out.id = child.id;
  out.name = child.config->name;
  out.state = state_name(sa, child);
  out.mode = child.mode;
  out.suite = child.suite;
  out.encap = child.encap;
  out.spi_in = child.spi_in;
  out.spi_out = child.spi_out;
  out.local_ts = child.local_ts;
  out.remote_ts = child.remote_ts;
  out.offload = child.config->offload;
  out.in = child.carried().in;
  out.out = child.carried().out;
  out.installed_at = child.installed_at;
  out.rekey_at = child.rekey_at;
  out.expires_at = child.expires_at;
  if (const auto* group = crypto::find_group(child.group)) out.group = group->name;
  out.additional = crypto::names(child.additional);
  return out;
}

IkeView view(const IkeSa& sa) {
  IkeView out;
  out.id = sa.id;
  out.conn = sa.conn_name();
  out.state = state_name(sa);
  out.initiator = sa.initiator;
  out.spi_i = sa.spi_i;
  out.spi_r = sa.spi_r;
  out.local = sa.local;
  out.remote = sa.remote;
  out.local_id = sa.local_id.text();
  out.remote_id = sa.remote_id.text();
  if (sa.cipher_out) {
    out.suite = sa.suite.name();
    out.encr_alg = sa.suite.encr_name();
    out.encr_keysize = fmt::format("{}", sa.suite.key_bits);
    out.integ_alg = sa.suite.integ_name();
    out.prf_alg = sa.suite.prf_name();
    out.dh_group = sa.suite.group_name();
    out.additional = crypto::names(sa.suite.additional);
  }
  out.nat_local = sa.nat_local;
  out.nat_remote = sa.nat_remote;
  out.ppk = sa.ppk;
  out.established_at = sa.established_at;
  out.rekey_at = sa.rekey_at;
  out.expires_at = sa.over_at;
  for (const auto& [id, child] : sa.children) out.children.push_back(view(sa, child));
  return out;
}

std::string endpoints(const IkeSa& sa) { return fmt::format("{} - {}", sa.local.text(), sa.remote.text()); }

}  // namespace espgate::ike
