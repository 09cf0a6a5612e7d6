// SPDX-License-Identifier: Apache-2.0
// The parts that add_commands() is made of.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/vici/commands.h"

namespace espgate::control::vici {

void add_queries(Server& server, Daemon& daemon);              // queries.cc: what only asks
void add_sa_queries(Server& server, Daemon& daemon);           // sa_queries.cc: list-sas, espgate-children, counters
void add_loading(Server& server, Daemon& daemon);              // loading.cc: connections, authorities, pools
void add_credential_commands(Server& server, Daemon& daemon);  // credential_commands.cc: certificates, keys, secrets
void add_device_commands(Server& server, Daemon& daemon);      // devices.cc: espgate-offload, espgate-forgive
void add_log_commands(Server& server, Daemon& daemon);         // log_commands.cc: espgate-log-level

// Many entries do not fit one packet: who registered for `event` gets one of them at a time, others all in the
// response.
class Entries {
 public:
  Entries(std::shared_ptr<Reply> reply, std::string_view event, std::string_view section)
      : reply_(std::move(reply)), event_(event), section_(section), streamed_(reply_->wants(event)) {}

  void add(std::string_view name, Message entry) {
    if (streamed_) {
      Message one;
      one.open(section_).section(name, std::move(entry));
      reply_->event(event_, one);
    } else {
      all_.section(name, std::move(entry));
    }
  }
  void finish() {
    Message out;
    out.set("version", "1");
    if (!streamed_) out.section(section_, std::move(all_));
    reply_->finish(out);
  }

 private:
  std::shared_ptr<Reply> reply_;
  std::string event_, section_;
  bool streamed_;
  Message all_;
};

// "10.0.0.0/8[tcp/http]": as strongSwan writes them, with the system's names of protocols and ports.
std::string selector_text(const base::TrafficSelector& ts);
std::vector<std::string> selector_texts(const std::vector<base::TrafficSelector>& selectors);

// A decimal number of a request; nullopt if it is not there or none.
std::optional<std::int64_t> number_of(const Message& request, std::string_view key);

}  // namespace espgate::control::vici
