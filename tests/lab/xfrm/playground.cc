// SPDX-License-Identifier: Apache-2.0
#include "tests/lab/xfrm/playground.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace espgate::lab {
namespace {

void must(const std::string& command) {
  if (std::system(command.c_str()) != 0) {
    fmt::print(stderr, "cannot set up the test: {}\n", command);
    std::abort();
  }
}

std::string unique(const char* side) { return fmt::format("espgate-{}-{}", side, getpid()); }

void dress(const Namespace& ns, int self, int peer) {
  const auto in = [&](const std::string& command) { must(fmt::format("ip -n {} {}", ns.name(), command)); };
  in("link set lo up");
  in("link set wire up");
  in(fmt::format("addr add 192.0.2.{}/24 dev wire", self));
  in(fmt::format("addr add 2001:db8::{}/64 dev wire nodad", self));
  in(fmt::format("addr add 10.{}.0.1/32 dev lo", self));
  in(fmt::format("addr add 2001:db8:{}::1/128 dev lo nodad", self));
  in(fmt::format("route add 10.{}.0.0/16 via 192.0.2.{} src 10.{}.0.1", peer, peer, self));
  in(fmt::format("route add 2001:db8:{}::/48 via 2001:db8::{} src 2001:db8:{}::1", peer, peer, self));
}

}  // namespace

Namespace::Namespace(std::string name) : name_(std::move(name)) {
  must("ip netns add " + name_);
  handle_ = base::Fd(open(("/run/netns/" + name_).c_str(), O_RDONLY | O_CLOEXEC));
}

Namespace::~Namespace() {
  if (std::system(("ip netns del " + name_).c_str()) != 0) std::perror("ip netns del");
}

void Namespace::enter() const {
  if (setns(handle_.get(), CLONE_NEWNET) != 0) std::abort();
}

int Namespace::run(const std::string& command) const {
  const int status = std::system(fmt::format("nsenter --net=/run/netns/{} {}", name_, command).c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

std::string Namespace::output(const std::string& command) const {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(
      popen(fmt::format("nsenter --net=/run/netns/{} {}", name_, command).c_str(), "r"), pclose);
  std::string out;
  std::array<char, 4096> room;
  for (std::size_t got = 0; (got = fread(room.data(), 1, room.size(), pipe.get())) != 0;) out.append(room.data(), got);
  return out;
}

xfrm::NetlinkKernel Namespace::kernel() const {
  enter();
  auto kernel = xfrm::NetlinkKernel::make();
  if (!kernel) {
    fmt::print(stderr, "{}\n", kernel.error().text());
    std::abort();
  }
  return std::move(*kernel);
}

Wire::Wire() : left(unique("left")), right(unique("right")) {
  must(fmt::format("ip -n {} link add wire type veth peer name wire netns {}", left.name(), right.name()));
  dress(left, 1, 2);
  dress(right, 2, 1);
}

std::string why_no_esp() {
  const auto kernel = xfrm::NetlinkKernel::make();
  return kernel ? kernel->support().text : xfrm::explain(kernel.error()).text;
}

}  // namespace espgate::lab
