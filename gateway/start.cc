// SPDX-License-Identifier: Apache-2.0
#include "gateway/start.h"

#include <fmt/format.h>

#include <cerrno>
#include <memory>

#include "gateway/log.h"
#include "gateway/vici_listener.h"
#include "ike/planted.h"
#include "xfrm/netlink.h"
#include "xfrm/null_kernel.h"

namespace espgate::gateway {

namespace {
std::unexpected<StartFailure> fail(std::string text, int status = 2) {
  return std::unexpected(StartFailure{std::move(text), status});
}

std::expected<std::unique_ptr<xfrm::Kernel>, StartFailure> open_kernel(const Options& options) {
  if (options.kernel == KernelChoice::null) {
    log_warn("--kernel null: NOTHING IS ENCRYPTED. SAs are negotiated and kept in memory; the kernel is told of none");
    return std::make_unique<xfrm::NullKernel>();
  }
  auto kernel = xfrm::NetlinkKernel::make();
  if (!kernel) return fail(xfrm::explain(kernel.error()).text);
  if (!kernel->support().usable()) return fail(kernel->support().text);
  return std::make_unique<xfrm::NetlinkKernel>(std::move(*kernel));
}

StartFailure vici_taken(const Options& options) {
  return {"another espgated answers on " + options.vici + "; stop it, or give this one --vici of its own", 2};
}

std::string explain_port(const base::Error& error, std::uint16_t port) {
  const auto number = std::to_string(port);
  if (error.code == EADDRINUSE) {
    return "UDP port " + number + " is taken: another IKE daemon runs here (`ss -ulpn 'sport = :" + number +
           "'` names it); stop it first, two cannot share the port";
  }
  if (error.code == EACCES || error.code == EPERM) {
    return "not allowed to open UDP port " + number +
           ": espgated needs CAP_NET_BIND_SERVICE and CAP_NET_ADMIN; start it as root or by systemd";
  }
  return error.text();
}

std::expected<std::vector<UdpSocket>, StartFailure> open_sockets(bool kernel_esp) {
  std::vector<UdpSocket> out;
  for (const auto family : {base::Family::ipv4, base::Family::ipv6}) {
    for (const std::uint16_t port : {std::uint16_t{500}, std::uint16_t{4500}}) {
      auto socket = UdpSocket::open(family, port, port == 4500, kernel_esp);
      if (!socket && family == base::Family::ipv6 && socket.error().code == EAFNOSUPPORT) {
        log_warn("this kernel has no IPv6: IKE over IPv4 only");
        return out;
      }
      if (!socket) return fail(explain_port(socket.error(), port));
      out.push_back(std::move(*socket));
    }
  }
  return out;
}

std::expected<loader::Loader, StartFailure> open_loader(const Options& options, std::uint32_t max_sas) {
  loader::Options loader_options;
  loader_options.bpffs = options.bpffs;
  loader_options.max_slots = 2 * max_sas;
  auto loader = loader::Loader::open(loader_options);
  if (!loader) {
    if (loader.error().code == EBUSY) {
      return fail("another espgated runs on " + options.bpffs + ": " + loader.error().text() +
                  "; stop it, or give this one a bpffs of its own with --bpffs");
    }
    return fail("BPF: " + loader.error().text() + "; to go on without counts, give it a --bpffs that is no bpffs");
  }
  for (const auto& sentence : loader->capabilities().missing) log_warn(sentence);
  if (const auto from = loader->capabilities().migrated_from; from != 0)
    log_info(fmt::format("took over the maps of an earlier version (layout {}), with their counts", from));
  return std::move(*loader);
}
}  // namespace

std::expected<Daemon::Parts, StartFailure> gather(const Options& options) {
  if (ike::kPlanted != ike::Planted::none) return fail("this build has a bug planted in it, for the simulation alone");
  Daemon::Parts parts;
  auto loaded = control::load_file(options.config);
  std::string problems;
  for (const auto& error : loaded.report.errors) problems += error.text() + "\n";
  if (!loaded.config) return fail(problems + options.config + " is not usable; nothing was started", 1);
  for (const auto& warning : loaded.report.warnings) log_warn(warning.text());
  parts.config = std::move(*loaded.config);
  if (options.workers.value_or(1) > 1) log_warn("--workers: one engine runs, whatever is asked for");

  // Cheap and telling first: a port that is taken says that another daemon is at work.
  auto sockets = open_sockets(false);
  if (!sockets) return std::unexpected(sockets.error());
  sockets->clear();
  if (ViciListener::answered(options.vici)) return std::unexpected(vici_taken(options));
  auto kernel = open_kernel(options);
  if (!kernel) return std::unexpected(kernel.error());
  parts.kernel = std::move(*kernel);
  sockets = open_sockets(options.kernel == KernelChoice::xfrm);
  if (!sockets) return std::unexpected(sockets.error());
  parts.sockets = std::move(*sockets);

  if (options.kernel == KernelChoice::xfrm) {
    auto events = xfrm::EventSocket::make();
    if (!events) return fail(events.error().text());
    parts.events.emplace(std::move(*events));
    auto links = xfrm::LinkSocket::make();
    if (!links) return fail(links.error().text());
    parts.links.emplace(std::move(*links));
  }
  auto loader = open_loader(options, parts.config.gateway.max_sas);
  if (!loader) return std::unexpected(loader.error());
  parts.loader.emplace(std::move(*loader));
  auto routes = xfrm::RouteTable::make();
  if (!routes) return fail(routes.error().text());
  parts.routes.emplace(std::move(*routes));
  return parts;
}

StartFailure explain_start(const base::Error& error, const Options& options) {
  if (error.code == EADDRINUSE) return vici_taken(options);
  return {error.text(), 2};
}

}  // namespace espgate::gateway
