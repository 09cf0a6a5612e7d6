// SPDX-License-Identifier: Apache-2.0
// Any datagram through the parser of unencrypted messages. What was taken is written, read and written again: the two
// writings must be equal, or writer and parser disagree.
#include <cstdint>
#include <cstdlib>

#include "ike/proposal.h"
#include "ike/select.h"
#include "ike/wire/message.h"

namespace wire = espgate::ike::wire;
using espgate::base::ByteView;
using espgate::ike::Protocol;

namespace {
void check_writer(const wire::Message& message) {
  const auto once = wire::write_message(message.header, message.payloads);
  const auto again = wire::parse_message(once);
  if (!again) return;  // e.g. selectors of unknown types only, which are not kept
  if (wire::write_message(again->header, again->payloads) != once) std::abort();
}

void check_selection(const wire::Message& message) {
  static const auto ike = *espgate::ike::parse_proposals(Protocol::ike, "default");
  static const auto esp = *espgate::ike::parse_proposals(Protocol::esp, "default");
  const auto* sa = wire::find<wire::SaPayload>(message.payloads);
  if (sa == nullptr) return;
  // What is chosen must be something that we have.
  const auto for_ike = espgate::ike::select(ike, *sa);
  if (for_ike && !espgate::ike::ike_suite(for_ike->proposal)) std::abort();
  const auto for_esp = espgate::ike::select(esp, *sa, espgate::ike::Prefer::theirs);
  if (for_esp && !espgate::ike::esp_suite(for_esp->proposal)) std::abort();
  (void)espgate::ike::check_answer(ike, *sa);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = wire::parse_message(ByteView(data, size));
  if (!message) {
    (void)message.error().text();
    return 0;
  }
  if (wire::find<wire::EncryptedPayload>(message->payloads) == nullptr) check_writer(*message);
  check_selection(*message);
  return 0;
}
