// SPDX-License-Identifier: Apache-2.0
// Any octets as a vici message and as a client's stream. What decodes must encode to the same octets.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "control/vici/server.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace espgate::control::vici;
  const espgate::base::ByteView input(data, size);
  if (const auto message = decode(input)) {
    const auto again = encode(*message);
    if (!again || !std::ranges::equal(*again, input)) std::abort();
  }
  (void)decode_packet(input);

  Server server;
  server.declare_event("e");
  server.on("echo", [](const Message& request, const auto& reply) {
    reply->event("e", request);
    reply->finish(request);
  });
  const auto session = server.open({});
  // In pieces of growing size, as a socket would give them.
  for (std::size_t at = 0, piece = 1; at < size; at += piece++) {
    session->receive(input.subspan(at, std::min(piece, size - at)));
  }
  Framer framer;
  if (!framer.feed(session->pending())) std::abort();
  while (const auto packet = framer.next()) {
    if (!decode_packet(*packet)) std::abort();
  }
  return 0;
}
