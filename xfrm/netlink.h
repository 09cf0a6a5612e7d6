// SPDX-License-Identifier: Apache-2.0
// The real kernel, over NETLINK_XFRM.
#pragma once

#include <functional>

#include "base/fd.h"
#include "xfrm/api.h"
#include "xfrm/message.h"

namespace espgate::xfrm {

// What the kernel of this network namespace can do for us.
struct Support {
  enum class Verdict : std::uint8_t { usable, no_xfrm, no_esp, no_permission, other };
  Verdict verdict = Verdict::other;
  std::string text;  // one sentence: what is missing and how to get it; empty if usable
  [[nodiscard]] bool usable() const { return verdict == Verdict::usable; }
};

class NetlinkKernel final : public Kernel {
 public:
  // Opens the socket and tries the kernel once with a throw-away SA between documentation addresses (RFC 5737), deleted
  // at once; support() has the outcome. Fails only if there is no socket to be had.
  static std::expected<NetlinkKernel, base::Error> make();
  // Opens the socket and tries nothing: for dumps, which leave no trace. support() then says nothing.
  static std::expected<NetlinkKernel, base::Error> make_for_reading();

  [[nodiscard]] const Support& support() const { return support_; }
  [[nodiscard]] const Features& features() const { return features_; }

  // Many requests in one send; answers are matched by sequence number. Buffers are wiped: they held keys.
  std::vector<Result> execute(std::span<const Request> requests) override;
  std::expected<std::vector<SaState>, base::Error> dump_sas() override;
  std::expected<std::vector<PolicySpec>, base::Error> dump_policies() override;
  base::Result<std::uint32_t> sa_places() override;

 private:
  explicit NetlinkKernel(base::Fd socket) : socket_(std::move(socket)) {}
  void try_kernel();
  std::vector<Result> execute_batch(std::span<const Request> requests);
  using Handler = std::function<bool(const nlmsghdr&)>;  // false: enough
  base::Result<void> receive(const Handler& handler);
  base::Result<void> dump(Table table, const Handler& each);

  base::Fd socket_;
  std::uint32_t sequence_ = 1;
  Features features_;
  Support support_;
};

// What opening NETLINK_XFRM or adding a first SA failed with, in an operator's words.
Support explain(const base::Error& error);

}  // namespace espgate::xfrm
