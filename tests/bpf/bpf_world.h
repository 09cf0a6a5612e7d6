// SPDX-License-Identifier: Apache-2.0
// A network namespace, a mount namespace and a bpffs of the test's own; skipped where the machine does not permit them.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/error.h"

namespace espgate::test {

// Puts this process into namespaces of its own, once, with a bpffs; returns why it cannot, or "" and sets bpffs.
std::string enter_world(std::string& bpffs);

// Runs a shell command; its status.
int run(const std::string& command);

class BpfTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  std::string bpffs;
};

}  // namespace espgate::test
