// SPDX-License-Identifier: Apache-2.0
// The parts that build() is made of, and what they share. By the time they run, check_keys() has reported unknown keys
// and values of a wrong form; those read as if they were not there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/credentials.h"
#include "control/config/keys.h"
#include "control/config/model.h"

namespace espgate::control {

// Values of one section, read by type; what is unset or of a wrong form gives the default.
class SectionReader {
 public:
  SectionReader(const Section& section, Report& report) : section_(section), report_(report) {}

  [[nodiscard]] const Value* get(std::string_view key) const;  // nullptr if unset
  [[nodiscard]] std::string_view text(std::string_view key, std::string_view otherwise) const;
  [[nodiscard]] bool flag(std::string_view key, bool otherwise) const;
  [[nodiscard]] base::Duration duration(std::string_view key, std::chrono::seconds otherwise) const;
  // Reports numbers that are not within [least, most].
  std::uint32_t integer(std::string_view key, std::uint32_t otherwise, std::uint32_t least, std::uint32_t most);
  double number(std::string_view key, double otherwise, double least, double most);

 private:
  const Section& section_;
  Report& report_;
};

// Every element of a list through `parse`, each error at its own column.
template <class Out, class Parse>
void each(const Value& value, Report& report, std::vector<Out>& into, Parse parse) {
  for (const auto& item : value.list()) {
    auto parsed = parse(item.text);
    if (!parsed) {
      report.error(item.at, parsed.error());
    } else {
      into.insert(into.end(), parsed->begin(), parsed->end());
    }
  }
}

std::vector<ike::Proposal> read_proposals(const SectionReader& from, std::string_view key, ike::Protocol protocol,
                                          Report& report);

// Whether a child is no SA but lets traffic pass or drops it.
bool is_shunt(const Section& child);

// A child of a connection whose ends are read already.
struct ChildSource {
  const Section& conn_section;
  const Section& section;
  const ike::ConnConfig& conn;
  const GatewayOptions& gateway;
};
struct BuiltChild {
  ike::ChildConfig ike;  // of no use to IKE if plan.treatment is not protect
  sad::ChildPlan plan;
};
BuiltChild build_child(const ChildSource& source, Report& report);
// Marks, XFRM interfaces, priorities, header bits. What a child does not say of if_id its connection says.
sad::Handling build_handling(const ChildSource& source, Report& report);

// rekey_, life_, rand_, over_: time, bytes, packets.
void read_lifetimes(const SectionReader& from, ike::ChildConfig& child, Report& report);
void read_lifetimes(const SectionReader& from, ike::ConnConfig& conn);

// "yes" is "crypto", as strongSwan's.
base::OffloadWanted read_offload(std::string_view text);

void build_gateway(const Section* section, Configuration& config, ike::Config& ike, Report& report);
void build_secrets(const Section* section, ike::Config& ike, Report& report);
// Connections go to `ike`, `config.plan` and `config.origins`; reads config.gateway.
void build_connections(const Section* section, Configuration& config, ike::Config& ike, Credentials& credentials,
                       Report& report);
BuiltConnection build_connection(const Section& section, const GatewayOptions& gateway, Credentials& credentials,
                                 Report& report);
// Also writes to `origin` which certificates were named.
ike::AuthConfig build_authentication(const Section& connection, bool local, Credentials& credentials,
                                     ConnOrigin& origin, Report& report);
Authority build_authority(const Section& section, Credentials& credentials, Report& report);
void build_authorities(const Section* section, Configuration& config, Credentials& credentials, Report& report);
void build_pools(const Section* section, Configuration& config, Report& report);

}  // namespace espgate::control
