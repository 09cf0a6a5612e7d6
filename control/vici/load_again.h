// SPDX-License-Identifier: Apache-2.0
// What vici loads is gone with the process, unless somebody keeps the messages: as octets, and read back by the next
// process into its store.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "control/config/store.h"
#include "control/vici/message.h"

namespace espgate::control::vici {

// A load-conn, load-authority, load-pool, load-cert, load-key or load-shared that was taken.
struct LoadedBy {
  std::string command;
  std::string name;  // what a later one of that command and name stands in for; empty: nothing ever does
};

// By a load-cert, load-key or load-shared. Its id, if it is a key, or a sentence why it is not taken.
std::expected<std::string, std::string> load_credential(Store& store, std::string_view command, const Message& request);

// The name of what this request loads. For load-key it is the id that Store::load_key gave, and `id` is that.
std::string name_of(std::string_view command, const Message& request, std::string_view id = {});

// To octets; empty if it is larger than a frame of vici.
base::Secret kept_octets(std::string_view command, const Message& request);
// Loads it into `store`. The error is a sentence: it is no such message, or it is not taken any more.
std::expected<LoadedBy, std::string> load_again(Store& store, base::ByteView octets);

}  // namespace espgate::control::vici
