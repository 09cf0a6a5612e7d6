// SPDX-License-Identifier: Apache-2.0
// The kernel's table of SAs is made large before there is an SA in packet mode.
#include "sad/table_room.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "xfrm/model_kernel.h"

namespace espgate::sad {
namespace {

ProbeMeans seeded() {
  auto source = std::make_shared<std::mt19937>(1);
  ProbeMeans out;
  out.random = [source](std::span<std::uint8_t> to) {
    for (auto& octet : to) octet = static_cast<std::uint8_t>((*source)());
  };
  return out;
}

TEST(TableRoom, IsSizedByTheChildren) {
  EXPECT_EQ(places_for(0), kLeastPlaces);
  EXPECT_EQ(places_for(85), 1024U);
  EXPECT_EQ(places_for(86), 2048U);
  EXPECT_EQ(places_for(1'000'000), kMostPlaces);
}

TEST(TableRoom, GrowsAndLeavesNothing) {
  xfrm::ModelKernel kernel;
  const auto room = make_table_room(kernel, 1024, seeded());
  ASSERT_TRUE(room);
  EXPECT_GE(room->places, 1024U);
  EXPECT_TRUE(room->grown);
  EXPECT_EQ(room->left_behind, 0U);
  EXPECT_EQ(kernel.sa_count(), 0U);
}

TEST(TableRoom, NothingIsDoneWhereThereIsRoom) {
  xfrm::ModelKernel kernel;
  kernel.places = 2048;
  const auto room = make_table_room(kernel, 1024, seeded());
  ASSERT_TRUE(room);
  EXPECT_FALSE(room->grown);
  EXPECT_TRUE(kernel.journal().empty());
}

TEST(TableRoom, AKernelThatDoesNotGrowIsNotFilledForEver) {
  xfrm::ModelKernel kernel;
  kernel.places = 0;  // twice nothing is nothing
  const auto room = make_table_room(kernel, 1024, seeded());
  ASSERT_TRUE(room);
  EXPECT_EQ(room->places, 0U);
  EXPECT_FALSE(room->grown);
  EXPECT_EQ(kernel.sa_count(), 0U);
  EXPECT_LE(kernel.journal().size(), 2U * (2048 + xfrm::kRequestsPerSend));
}

TEST(TableRoom, ARefusalEndsIt) {
  xfrm::ModelKernel kernel;
  kernel.fault = [](const xfrm::Request& request) -> std::optional<base::Error> {
    if (std::holds_alternative<xfrm::AddSa>(request)) return base::Error{"add", ENOMEM, {}};
    return std::nullopt;
  };
  const auto room = make_table_room(kernel, 1024, seeded());
  ASSERT_TRUE(room);
  EXPECT_FALSE(room->grown);
  EXPECT_EQ(kernel.journal().size(), xfrm::kRequestsPerSend);
}

}  // namespace
}  // namespace espgate::sad
