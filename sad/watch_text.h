// SPDX-License-Identifier: Apache-2.0
// What the watch says, each a line that a stranger understands. Inside sad/ only.
#pragma once

#include <chrono>
#include <string>

#include "sad/watch_evidence.h"

namespace espgate::sad {

// Of whom: "site-a/net", "nic0", "aes128gcm16", "192.0.2.1".
struct WatchNames {
  std::string child, device, suite, peer;
};

std::string seen_text(const Evidence& evidence);  // "300 packets went out ... and none came"
std::string on_trial_text(const WatchNames& names, const Evidence& evidence);  // why the child is in software
std::string trying_text(const WatchNames& names, const Evidence& evidence, std::chrono::seconds trial);
std::string strict_text(const WatchNames& names, const Evidence& evidence);
std::string called_off_text(const WatchNames& names, const std::string& why);
std::string unchanged_text(const WatchNames& names, const Evidence& evidence, const Traffic& trial);
std::string second_look_text(const WatchNames& names, const Evidence& evidence);
std::string acquitted_text(const WatchNames& names, const Evidence& evidence);
// What was seen, of the device: "8 packets went out and none came back in hardware, 9 came in software".
std::string proof_text(const Evidence& evidence, const Traffic& trial);
std::string complaint_text(const WatchNames& names, const Traffic& seen);

}  // namespace espgate::sad
