// SPDX-License-Identifier: Apache-2.0
#include "sad/table_room.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <vector>

namespace espgate::sad {
namespace {

constexpr std::size_t kAChild = 12;

// False: the kernel takes no more.
bool add_some(xfrm::Kernel& kernel, const ProbeMeans& means, std::vector<xfrm::SaId>& to) {
  std::vector<xfrm::Request> requests;  // no initializer list: a request is moved, never copied
  std::vector<xfrm::SaId> ids;
  for (std::size_t i = 0; i < xfrm::kRequestsPerSend; ++i) {
    auto spec = probe_sa(usual_row(xfrm::OffloadKind::crypto, base::Direction::in), 0, means);
    spec.offload.reset();
    ids.push_back(spec.id());
    requests.emplace_back(xfrm::AddSa{std::move(spec)});
  }
  const auto results = kernel.execute(requests);
  std::size_t added = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!results[i]) continue;  // that of another, if it is there already, is left alone
    to.push_back(ids[i]);
    ++added;
  }
  return added != 0;
}

std::size_t delete_all(xfrm::Kernel& kernel, const std::vector<xfrm::SaId>& ids) {
  std::vector<xfrm::Request> requests;
  for (const auto& id : ids) requests.emplace_back(xfrm::DelSa{id});
  return static_cast<std::size_t>(std::ranges::count_if(
      kernel.execute(requests), [](const auto& result) { return !result && result.error().code != ESRCH; }));
}

}  // namespace

std::uint32_t places_for(std::size_t children) {
  const auto wanted = std::clamp<std::size_t>(children * kAChild, kLeastPlaces, kMostPlaces);
  return static_cast<std::uint32_t>(std::bit_ceil(wanted));
}

base::Result<TableRoom> make_table_room(xfrm::Kernel& kernel, std::uint32_t places, const ProbeMeans& means) {
  auto there = kernel.sa_places();
  if (!there) return std::unexpected(there.error());
  TableRoom out{*there};
  std::vector<xfrm::SaId> added;
  // The kernel grows its table by and by, in the background: twice what has to be there at least is enough.
  while (out.places < places && added.size() < 2UL * places && add_some(kernel, means, added)) {
    there = kernel.sa_places();
    if (!there) break;
    out.grown = out.grown || *there > out.places;
    out.places = *there;
  }
  out.left_behind = delete_all(kernel, added);
  if (!there) return std::unexpected(there.error());
  return out;
}

}  // namespace espgate::sad
