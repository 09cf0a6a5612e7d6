// SPDX-License-Identifier: Apache-2.0
#include "ike/task/nat_detection.h"

#include "ike/crypto/prf.h"

namespace espgate::ike {

namespace {
// sha1(SPIi | SPIr | address | port), all in network order. Empty if SHA-1 is not to be had: fits nothing.
base::Bytes hash(base::IkeSpi spi_i, base::IkeSpi spi_r, const base::Endpoint& end) {
  base::ByteWriter in;
  in.u64(spi_i.value);
  in.u64(spi_r.value);
  in.put(end.address.octets());
  in.u16(end.port);
  auto digest = crypto::sha1({in.view()});
  if (!digest) return {};
  return {digest->begin(), digest->end()};
}
}  // namespace

wire::Payloads nat_notifies(base::IkeSpi spi_i, base::IkeSpi spi_r, const base::Endpoint& local,
                            const base::Endpoint& remote, bool forced) {
  auto source = local;
  if (forced) source.port = 0;  // nobody can send from port 0
  return {wire::notify(wire::NotifyType::nat_detection_source_ip, hash(spi_i, spi_r, source)),
          wire::notify(wire::NotifyType::nat_detection_destination_ip, hash(spi_i, spi_r, remote))};
}

NatFound detect_nat(const wire::Payloads& payloads, base::IkeSpi spi_i, base::IkeSpi spi_r, const base::Endpoint& local,
                    const base::Endpoint& remote) {
  const auto expected_source = hash(spi_i, spi_r, remote);
  const auto expected_destination = hash(spi_i, spi_r, local);
  bool source = false, destination = false, source_fits = false, destination_fits = false;
  for (const auto& payload : payloads) {
    const auto* notify = std::get_if<wire::NotifyPayload>(&payload);
    if (notify == nullptr) continue;
    if (notify->type == wire::NotifyType::nat_detection_source_ip) {
      source = true;
      source_fits = source_fits || notify->data == expected_source;
    } else if (notify->type == wire::NotifyType::nat_detection_destination_ip) {
      destination = true;
      destination_fits = destination_fits || notify->data == expected_destination;
    }
  }
  if (!source || !destination) return {};
  return {.supported = true, .local = !destination_fits, .remote = !source_fits};
}

}  // namespace espgate::ike
