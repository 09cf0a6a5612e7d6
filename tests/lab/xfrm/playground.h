// SPDX-License-Identifier: Apache-2.0
// A network namespace of one's own, and a second one at the other end of a wire.
#pragma once

#include <string>

#include "base/fd.h"
#include "xfrm/netlink.h"

namespace espgate::lab {

// A named namespace that goes with its owner.
class Namespace {
 public:
  explicit Namespace(std::string name);
  ~Namespace();
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  void enter() const;                                                  // this thread, until another is entered
  [[nodiscard]] int run(const std::string& command) const;             // exit status; 0 is success
  [[nodiscard]] std::string output(const std::string& command) const;  // stdout
  [[nodiscard]] xfrm::NetlinkKernel kernel() const;  // aborts the test program if there is no XFRM at all

 private:
  std::string name_;
  base::Fd handle_;
};

// left: 192.0.2.1 2001:db8::1, 10.1.0.1 and 2001:db8:1::1 behind it; right the same with 2. Routes to the other's inner
// addresses go over the wire, with the inner address as source.
struct Wire {
  Wire();
  Namespace left, right;
};

// A sentence if this kernel cannot do ESP (tests skip), empty otherwise.
std::string why_no_esp();

}  // namespace espgate::lab
