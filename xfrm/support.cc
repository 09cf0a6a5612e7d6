// SPDX-License-Identifier: Apache-2.0
// Finding out, by trying, what the kernel can do: versions lie, and distributions patch.
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "xfrm/netlink.h"

namespace espgate::xfrm {
namespace {

SaSpec throw_away(std::uint32_t spi) {
  SaSpec out;
  out.direction = base::Direction::out;  // that way XFRMA_SA_DIR shows, too
  out.source = *base::Address::parse("192.0.2.1");
  out.destination = *base::Address::parse("192.0.2.2");
  out.spi = {spi};
  out.suite = {base::EspCipher::aes_gcm_16, 128, base::EspAuth::none, false};
  out.cipher_key = base::Secret(out.suite.cipher_key_octets());
  out.limits.hard_age = std::chrono::seconds(3);  // should we die before we delete it
  return out;
}

}  // namespace

Support explain(const base::Error& error) {
  using Verdict = Support::Verdict;
  switch (error.code) {
    case EPERM:
    case EACCES:
      return {Verdict::no_permission,
              "no permission to change IPsec SAs: run as root, or with the capability CAP_NET_ADMIN in this network "
              "namespace"};
    case EAFNOSUPPORT:
      return {Verdict::no_xfrm, "this kernel has no netlink (CONFIG_NET), which espgate cannot do without"};
    case ENOENT:
    case ENOSYS:
      return {
          Verdict::no_esp,
          "this kernel lacks AES-GCM for IPsec (CONFIG_CRYPTO_GCM, CONFIG_CRYPTO_AES, module gcm): on Debian install "
          "linux-image-amd64 instead of a cut-down kernel, or run with --kernel null"};
    case EPROTONOSUPPORT:
      if (error.operation.starts_with("open")) {
        return {Verdict::no_xfrm,
                "this kernel has no XFRM (CONFIG_XFRM_USER, module xfrm_user): on Debian install linux-image-amd64, or "
                "run with --kernel null"};
      }
      return {Verdict::no_esp,
              "this kernel has XFRM but no ESP (CONFIG_INET_ESP, module esp4): on Debian install linux-image-amd64 (on "
              "Debian 12 the one from backports), or run with --kernel null"};
    default:
      return {Verdict::other, "the kernel takes no ESP SA: " + error.text()};
  }
}

void NetlinkKernel::try_kernel() {
  // Another process may be trying at this moment: the SPI is ours by its process id.
  const std::uint32_t spi = 0xe5900000U | (static_cast<std::uint32_t>(getpid()) & 0xfffffU);
  std::vector<Request> requests;
  requests.emplace_back(AddSa{throw_away(spi)});
  const SaId id = std::get<AddSa>(requests.front()).spec.id();
  if (auto added = execute(requests); !added.front()) {
    support_ = explain(added.front().error());
    return;
  }
  support_ = {Support::Verdict::usable, {}};
  base::Secret buffer(kMessageRoom);
  const Request get = GetSa{id};
  features_.sa_direction = false;
  const std::uint32_t sequence = sequence_++;
  const std::size_t used = encode(get, sequence, features_, buffer.bytes());
  if (::send(socket_.get(), buffer.bytes().data(), used, 0) >= 0) {
    (void)receive([&](const nlmsghdr& message) {
      if (message.nlmsg_seq != sequence) return true;
      features_.sa_direction = has_direction(message);
      return false;
    });
  }
  const Request gone = DelSa{id};
  (void)execute({&gone, 1});
}

}  // namespace espgate::xfrm
