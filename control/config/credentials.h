// SPDX-License-Identifier: Apache-2.0
// Certificates, revocation lists and private keys in files: swanctl's folders x509, x509ca, x509crl, private, rsa,
// ecdsa and pkcs8 beside the configuration, and files that it names. Read once while a configuration is built.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "control/config/credential_set.h"
#include "control/config/tree.h"
#include "ike/config.h"

namespace espgate::control {

class Credentials {
 public:
  // `home`: where the folders are; none: only files with absolute names can be read. `set`: what is there already.
  // `lack`: what a connection is told that needs what is not there.
  Credentials(std::optional<std::filesystem::path> home, Report& report, CredentialSet set = {},
              Lack lack = Lack::error);

  // Everything that lies in the folders and that `secrets` names. A file in a folder that is of no use is a warning,
  // one that is named is an error.
  void load(const Section* secrets);
  // What an authority names: its certificate becomes one of authorities(), its file:// lists are read.
  std::optional<ike::crypto::Certificate> load_authority(const Section& section);

  // A certificate that a value names, relative to `folder`, or, over vici, is; nullopt after an error.
  std::optional<ike::crypto::Certificate> named(const Value::Item& file, std::string_view folder);
  // Something a connection needs is not there.
  void lacks(const Origin& at, std::string what);

  // Certificates with their private keys and issuers: of those given, or else of all in x509. Without a key: left out.
  [[nodiscard]] std::vector<ike::Credential> with_keys(const std::vector<ike::crypto::Certificate>& certs) const;
  [[nodiscard]] const std::vector<ike::crypto::Certificate>& own() const { return set_.own; }
  [[nodiscard]] const std::vector<ike::crypto::Certificate>& authorities() const { return set_.cas; }

  [[nodiscard]] const CredentialSet& set() const { return set_; }

  // The store of these anchors with all revocation lists.
  [[nodiscard]] std::shared_ptr<const ike::crypto::TrustStore> trust(
      std::vector<ike::crypto::Certificate> anchors) const;

 private:
  using Path = std::filesystem::path;
  struct Passphrase {
    base::Secret secret;
    Origin at;
    bool used = false;
  };

  [[nodiscard]] std::optional<Path> resolve(const std::string& name, std::string_view folder) const;
  std::vector<Path> list(std::string_view folder);
  void load_passphrases(const Section& secrets);
  void load_keys();
  void load_key(const Path& path);
  void load_certificates();
  void load_public_key(const Path& path);
  void load_list(const Path& path, const Origin& at, bool named);
  [[nodiscard]] std::vector<ike::crypto::Certificate> issuers(const ike::crypto::Certificate& cert) const;

  std::optional<Path> home_;
  Report& report_;
  CredentialSet set_;
  Lack lack_;
  std::map<Path, Passphrase> passphrases_;
};

}  // namespace espgate::control
