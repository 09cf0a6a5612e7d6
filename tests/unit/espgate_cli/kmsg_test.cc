// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <string>

#include "base/fd.h"
#include "tools/espgate/kmsg.h"

namespace espgate::tools {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const DeviceWords kNic{"eth0", "0000:01:00.0", "ixgbe"};

TEST(Kmsg, TextStandsBetweenSemicolonAndNewline) {
  EXPECT_EQ(kmsg_text("3,1234,5140900,-;ixgbe eth0: a; b\n SUBSYSTEM=pci\n DEVICE=+pci:0000:01:00.0\n"),
            "ixgbe eth0: a; b");
  EXPECT_EQ(kmsg_text("3,1234,5140900,-;no end"), "no end");
  EXPECT_EQ(kmsg_text("no record"), std::nullopt);
}

TEST(Kmsg, LinesAreKnownByDeviceBusOrDriver) {
  EXPECT_TRUE(is_from("ixgbe 0000:01:00.0 eth0: Unsupported IPsec algorithm", kNic));
  EXPECT_TRUE(is_from("eth0: bad", kNic));
  EXPECT_TRUE(is_from("something (eth0)", kNic));
  EXPECT_TRUE(is_from("pci 0000:01:00.0: bad", kNic));
  EXPECT_TRUE(is_from("ixgbe: bad", kNic));
  EXPECT_FALSE(is_from("ixgbe 0000:01:00.1 eth1: bad", kNic));
  EXPECT_FALSE(is_from("veth0 and eth01 and eth0.7", kNic));
  EXPECT_FALSE(is_from("no ixgbe: here", kNic));
  EXPECT_FALSE(is_from("anything", DeviceWords{}));
}

TEST(Kmsg, HearsOnlyWhatCameAfter) {
  const base::Fd writer(::open("/dev/kmsg", O_WRONLY | O_CLOEXEC));
  if (!writer) GTEST_SKIP() << "may not write to /dev/kmsg";
  const auto say = [&](const std::string& text) {
    return ::write(writer.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  };
  if (!say("<7>espgate-kmsg-test0: before\n")) GTEST_SKIP() << "/dev/kmsg takes nothing";
  auto log = KernelLog::open();
  if (!log) GTEST_SKIP() << "may not read /dev/kmsg";
  const DeviceWords words{"espgate-kmsg-test0", {}, {}};
  EXPECT_THAT(log->lines(words), IsEmpty());
  ASSERT_TRUE(say("<7>espgate-kmsg-test0: one\n") && say("<7>somebody else\n") && say("<7>espgate-kmsg-test0: two\n"));
  EXPECT_THAT(log->lines(words), ElementsAre("espgate-kmsg-test0: one", "espgate-kmsg-test0: two"));
  EXPECT_THAT(log->lines(words), IsEmpty());
}

}  // namespace
}  // namespace espgate::tools
