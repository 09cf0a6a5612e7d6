// SPDX-License-Identifier: Apache-2.0
// What is configured: a file, whole, and what came over vici beside it. Connections of vici stand in for those of the
// file that have their names, until the file is read again; credentials of both are everybody's.
#pragma once

#include <expected>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "control/config/model.h"

namespace espgate::control {

inline const Origin from_vici{"vici", 0, 0};

// Why something was not done: a sentence. nullopt: it was.
using Refusal = std::optional<std::string>;

class Store {
 public:
  // A file's configuration, in place of the former one. Connections over vici whose names it has go, the others are
  // built anew with its defaults; the report says of those that cannot be, which go, too.
  Report take_file(Configuration file, std::optional<std::filesystem::path> home);

  // One connection, a section of its name. Errors: it is not taken, the former one of that name stays.
  Report load_conn(const Section& conn);
  Refusal unload_conn(const std::string& name);
  Report load_authority(const Section& authority);
  Refusal unload_authority(const std::string& name);
  Report load_pool(const Section& pool);
  Refusal unload_pool(const std::string& name);
  // Names of what came over vici, in the order it came.
  [[nodiscard]] std::vector<std::string> conns() const;
  [[nodiscard]] std::vector<std::string> authorities() const;

  // type: X509, X509_CRL, PUBKEY; flag: NONE, CA, OCSP, AA; data: PEM or DER.
  Refusal load_cert(std::string_view type, std::string_view flag, base::ByteView data);
  // PEM or DER, not encrypted; its id (ike::crypto::id_of) in hex, or why it was not taken.
  std::expected<std::string, std::string> load_key(base::ByteView data);
  Refusal unload_key(std::string_view id);
  // type: ike, ppk, or one that is accepted and not used: eap, xauth, ntlm. `id` may be empty.
  Refusal load_shared(const std::string& id, std::string_view type, base::ByteView data,
                      const std::vector<std::string>& owners);
  Refusal unload_shared(std::string_view id);
  [[nodiscard]] std::vector<std::string> keys() const;    // ids
  [[nodiscard]] std::vector<std::string> shared() const;  // ids that are not empty
  void clear_credentials();

  // All of it as one configuration. `running`: what compose() gave before, perhaps with suites in another order, which
  // connections that stayed keep; nullptr: nothing runs.
  Configuration compose(const Configuration* running);
  // Another number whenever what compose() gives is another.
  [[nodiscard]] std::uint64_t version() const { return version_; }
  // Names of connections that were loaded, and are not as they were, since the last call.
  std::set<std::string> take_fresh() { return std::exchange(fresh_, {}); }

 private:
  struct Loaded {
    BuiltConnection built;
    std::shared_ptr<const Section> section;
  };
  struct Secret {
    std::string id, type;
    ike::SharedSecret secret;
  };
  [[nodiscard]] CredentialSet credentials() const;
  [[nodiscard]] std::optional<BuiltConnection> build(const Section& section, const CredentialSet& set, Lack lack,
                                                     Report& report) const;
  void renew();  // what depends on credentials, if those have changed
  [[nodiscard]] Loaded* find(std::string_view name);

  Configuration file_;
  std::optional<std::filesystem::path> home_;
  std::vector<Loaded> from_file_, from_vici_;
  std::vector<Authority> authorities_;
  std::vector<std::pair<std::string, CredentialSet>> authority_credentials_;  // by authority
  std::vector<Pool> pools_;
  CredentialSet loaded_;
  std::vector<Secret> secrets_;
  bool renew_ = false;
  std::uint64_t version_ = 0;
  std::set<std::string> fresh_;
  std::map<std::string, std::shared_ptr<const ike::ConnConfig>, std::less<>> composed_;  // as they were given out last
};

}  // namespace espgate::control
