// SPDX-License-Identifier: Apache-2.0
// Records of IKE SAs (ike/record.h): what can be read can be written again, and then reads the same. The first octet
// chooses: odd, the engine's own record; even, an IKE SA's. tests/sim/resume_test.cc says how the corpus was made.
#include <cstdint>
#include <cstdlib>

#include "ike/kept.h"
#include "ike/record.h"

namespace record = espgate::ike::record;
using espgate::base::ByteView;

namespace {

espgate::ike::Config config() {
  auto conn = std::make_shared<espgate::ike::ConnConfig>();
  conn->name = "site";
  conn->children.emplace_back().name = "net";
  espgate::ike::Config out;
  out.conns.push_back(std::move(conn));
  return out;
}

void numbers(ByteView octets) {
  const auto read = record::decode_numbers(octets);
  if (!read) return;
  const auto again = record::decode_numbers(record::encode(*read).view());
  if (!again || again->ike != read->ike || again->child != read->child) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  static const auto with = config();
  const ByteView octets(data + 1, size - 1);
  if ((data[0] & 1) != 0) {
    numbers(octets);
    return 0;
  }
  auto read = record::decode(octets, with);
  if (!read) return 0;
  const auto first = record::encode(*read->sa, read->besides);
  if (first.empty()) return 0;  // too long
  const auto again = record::decode(first.view(), with);
  if (!again || again->sa->children.size() != read->sa->children.size()) std::abort();
  if (again->sa->next_id != read->sa->next_id || again->sa->queue.size() != read->sa->queue.size()) std::abort();
  std::vector<espgate::ike::Record::Entry> records;
  records.push_back({read->sa->our_spi().value, espgate::base::Secret::copy_of(octets)});
  if (!espgate::ike::children_of(records, with)) std::abort();
  return 0;
}
