// SPDX-License-Identifier: Apache-2.0
#include "control/config/credentials.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <expected>

#include "base/fd.h"
#include "ike/crypto/key_files.h"

namespace espgate::control {
namespace {

using ike::crypto::Certificate;
using ike::crypto::PrivateKey;

constexpr std::size_t kMostOctets = 4 << 20;  // a revocation list may be long
constexpr std::size_t kMostFiles = 1000;      // in a folder
constexpr std::size_t kLongestChain = 8;

struct File {
  base::Secret octets;
  unsigned mode = 0;
};

std::expected<File, std::string> read_file(const std::filesystem::path& path) {
  const base::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return std::unexpected(std::string(std::strerror(errno)));
  struct stat about = {};
  if (::fstat(fd.get(), &about) != 0) return std::unexpected(std::string(std::strerror(errno)));
  if (!S_ISREG(about.st_mode)) return std::unexpected("it is not a regular file");
  if (about.st_size > static_cast<off_t>(kMostOctets)) return std::unexpected("it is too large");
  File out{base::Secret(static_cast<std::size_t>(about.st_size)), static_cast<unsigned>(about.st_mode & 07777U)};
  std::size_t have = 0;
  while (have < out.octets.size()) {
    const auto count = ::read(fd.get(), out.octets.bytes().data() + have, out.octets.size() - have);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return std::unexpected("it could not be read to its end");
    have += static_cast<std::size_t>(count);
  }
  return out;
}

// The place of a file as a whole.
Origin whole(const std::filesystem::path& path) { return {path.string(), 0, 0}; }

// secrets.private-x and the like: the folder its file is in.
std::string_view key_folder(std::string_view section) {
  for (const std::string_view folder : {"private", "rsa", "ecdsa", "pkcs8"}) {
    if (section.starts_with(folder)) return folder;
  }
  return {};
}

// What came over vici may be the certificate itself; no file is called like one.
bool embedded(const Value::Item& item) {
  const auto blank_or_more = [](char c) { return static_cast<unsigned char>(c) >= 0x20; };
  return item.at.line == 0 && (item.text.starts_with("-----BEGIN") || !std::ranges::all_of(item.text, blank_or_more));
}

std::string not_a_container(const std::filesystem::path& path) {
  return fmt::format(
      "not used: PKCS#12 containers are not read; take it apart: `openssl pkcs12 -in {0} -nokeys -out ../x509/{1}.pem` "
      "and "
      "`openssl pkcs12 -in {0} -nocerts -nodes -out ../private/{1}.pem`, both readable by root alone",
      path.filename().string(), path.stem().string());
}

}  // namespace

Credentials::Credentials(std::optional<std::filesystem::path> home, Report& report, CredentialSet set, Lack lack)
    : home_(std::move(home)), report_(report), set_(std::move(set)), lack_(lack) {}

void Credentials::load(const Section* secrets) {
  if (secrets != nullptr) load_passphrases(*secrets);
  load_keys();
  load_certificates();
}

void Credentials::lacks(const Origin& at, std::string what) {
  if (lack_ == Lack::error) {
    report_.error(at, std::move(what));
  } else {
    report_.warning(at, std::move(what));
  }
}

std::optional<std::filesystem::path> Credentials::resolve(const std::string& name, std::string_view folder) const {
  Path path = name;
  if (path.is_absolute()) return path;
  if (!home_) return std::nullopt;
  return *home_ / folder / path;
}

// The files of a folder by name; none if it is not there.
std::vector<std::filesystem::path> Credentials::list(std::string_view folder) {
  std::vector<Path> out;
  if (!home_) return out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(*home_ / folder, error)) {
    std::error_code ignored;
    if (entry.path().filename().string().starts_with('.') || !entry.is_regular_file(ignored)) continue;
    out.push_back(entry.path());
  }
  std::ranges::sort(out);
  if (out.size() > kMostFiles) {
    report_.error(whole(*home_ / folder), fmt::format("more than {} files in one folder", kMostFiles));
    out.resize(kMostFiles);
  }
  return out;
}

// ------------------------------------------------------------------------------------------------- keys

void Credentials::load_passphrases(const Section& secrets) {
  for (const auto& section : secrets.sections) {
    const auto folder = key_folder(section->name);
    if (folder.empty()) continue;
    const auto* file = section->value("file");
    if (file == nullptr || !file->set) {
      report_.error(section->at, fmt::format("{} names no key, expected file = ...", section->name));
      continue;
    }
    const auto path = resolve(file->text, folder);
    if (!path) {
      report_.error(file->value_at,
                    fmt::format("there is no folder to look for {} in, expected an absolute file name", file->text));
      continue;
    }
    const auto* secret = section->value("secret");
    const bool given = secret != nullptr && secret->set;
    passphrases_[path->lexically_normal()] = {
        base::Secret::copy_of(base::as_bytes(given ? std::string_view(secret->text) : std::string_view())),
        given ? secret->value_at : file->value_at};
  }
}

void Credentials::load_keys() {
  for (const auto* folder : {"private", "rsa", "ecdsa", "pkcs8"}) {
    for (const auto& path : list(folder)) load_key(path);
  }
  std::vector<Path> named;
  for (const auto& [path, passphrase] : passphrases_) {
    if (!passphrase.used) named.push_back(path);
  }
  for (const auto& path : named) load_key(path);
}

void Credentials::load_key(const Path& path) {
  const auto entry = passphrases_.find(path.lexically_normal());
  Passphrase* const passphrase = entry != passphrases_.end() ? &entry->second : nullptr;
  if (passphrase != nullptr) passphrase->used = true;
  const auto complain = [&](const std::string& what) {
    if (passphrase != nullptr) {
      report_.error(passphrase->at, fmt::format("private key {}: {}", path.string(), what));
    } else {
      report_.warning(whole(path), "not used as a private key: " + what);
    }
  };
  const auto file = read_file(path);
  if (!file) return complain(file.error());
  if ((file->mode & 07U) != 0) {
    return report_.error(whole(path), fmt::format("the private key is open to every user (mode {:04o}), expected 0600 "
                                                  "or 0640: chmod o= {}",
                                                  file->mode, path.string()));
  }
  auto key =
      PrivateKey::load(file->octets.view(), passphrase != nullptr ? passphrase->secret.view() : base::ByteView{});
  if (key) {
    set_.keys.push_back(std::make_shared<const PrivateKey>(std::move(*key)));
  } else if (key.error() == ike::crypto::CryptoError::needs_passphrase) {
    complain(passphrase != nullptr && !passphrase->secret.empty()
                 ? "the passphrase does not open it"
                 : "it is encrypted, expected secrets { private-x { file = ... secret = ... } }");
  } else {
    complain(fmt::format("it is {}", ike::crypto::text(key.error())));
  }
}

// ------------------------------------------------------------------------------------------------- certificates

void Credentials::load_certificates() {
  for (const auto* folder : {"x509", "x509ca"}) {
    const bool authorities = std::string_view(folder) == "x509ca";
    for (const auto& path : list(folder)) {
      const auto file = read_file(path);
      auto certs = file ? Certificate::from_file(file->octets.view()) : std::unexpected(ike::crypto::CryptoError{});
      if (!file || !certs) {
        report_.warning(whole(path), file ? "not used: it holds no X.509 certificate" : "not used: " + file.error());
        continue;
      }
      for (const auto& cert : *certs) {
        if (authorities && !cert.ca()) {
          report_.warning(whole(path),
                          fmt::format("'{}' is no CA certificate and not used as one", cert.subject().text()));
          continue;
        }
        add(authorities ? set_.cas : set_.own, cert);
      }
    }
  }
  for (const auto& path : list("pkcs12")) report_.warning(whole(path), not_a_container(path));
  for (const auto& path : list("x509crl")) load_list(path, whole(path), false);
  for (const auto& path : list("pubkey")) load_public_key(path);
}

void Credentials::load_list(const Path& path, const Origin& at, bool named) {
  const auto file = read_file(path);
  auto crl =
      file ? ike::crypto::RevocationList::from_file(file->octets.view()) : std::unexpected(ike::crypto::CryptoError{});
  if (crl) {
    set_.lists.push_back(std::move(*crl));
  } else if (named) {
    report_.error(at, fmt::format("{} holds no revocation list{}", path.string(), file ? "" : ": " + file.error()));
  } else {
    report_.warning(at, "not used: it holds no revocation list");
  }
}

void Credentials::load_public_key(const Path& path) {
  const auto file = read_file(path);
  if (const auto key = file ? ike::crypto::read_public_key(file->octets.view())
                            : std::unexpected(ike::crypto::CryptoError::bad_key)) {
    set_.public_keys.push_back(ike::crypto::der_of(*key));
  } else {
    report_.warning(whole(path), "not used: it holds no public key that is supported");
  }
}

std::optional<Certificate> Credentials::load_authority(const Section& section) {
  std::optional<Certificate> out;
  for (const auto* key : {"cacert", "file"}) {
    const auto* value = section.value(key);
    if (value == nullptr || !value->set) continue;
    const auto cert = named({value->text, value->value_at}, "x509ca");
    if (!cert) continue;
    add(set_.cas, *cert);
    out = cert;
  }
  const auto* uris = section.value("crl_uris");
  if (uris == nullptr || !uris->set) return out;
  for (const auto& uri : uris->list()) {
    constexpr std::string_view kFile = "file://";
    if (uri.text.starts_with(kFile)) {
      load_list(uri.text.substr(kFile.size()), uri.at, lack_ == Lack::error);
    } else {
      report_.warning(uri.at, fmt::format("{} is not fetched: put the list in x509crl, or say file://", uri.text));
    }
  }
  return out;
}

std::optional<Certificate> Credentials::named(const Value::Item& item, std::string_view folder) {
  const bool here = embedded(item);
  const auto path = here ? std::nullopt : resolve(item.text, folder);
  const auto refuse = [&](const std::string& why) {
    const auto name = here ? "that was sent" : path ? path->string() : item.text;
    report_.error(item.at, fmt::format("certificate {}: {}", name, why));
    return std::nullopt;
  };
  if (!path && !here) return refuse("there is no folder to look for it in, expected an absolute file name");
  std::expected<File, std::string> file;
  if (!here) file = read_file(*path);
  if (!file) return refuse(file.error());
  const auto certs = Certificate::from_file(here ? base::as_bytes(item.text) : file->octets.view());
  if (!certs) return refuse(here ? "it is no X.509 certificate" : "the file holds no X.509 certificate");
  // Further ones are the way from the first to its CA.
  for (std::size_t i = 1; i < certs->size(); ++i) add(set_.own, (*certs)[i]);
  return certs->front();
}

std::vector<Certificate> Credentials::issuers(const Certificate& cert) const {
  std::vector<Certificate> out;
  Certificate at = cert;
  while (!at.self_issued() && out.size() < kLongestChain) {
    const auto above = at.issuer();
    const auto fits = [&](const Certificate& other) { return other.ca() && other.subject() == above; };
    auto next = std::ranges::find_if(set_.cas, fits);
    if (next == set_.cas.end()) {
      next = std::ranges::find_if(set_.own, fits);
      if (next == set_.own.end()) break;
    }
    out.push_back(*next);
    at = *next;
  }
  return out;
}

std::vector<ike::Credential> Credentials::with_keys(const std::vector<Certificate>& certs) const {
  std::vector<ike::Credential> out;
  for (const auto& cert : certs) {
    const auto public_key = cert.key();
    if (!public_key) continue;
    const auto key = std::ranges::find_if(set_.keys, [&](const auto& one) { return one->belongs_to(*public_key); });
    if (key != set_.keys.end()) out.push_back({cert, *key, issuers(cert)});
  }
  return out;
}

std::shared_ptr<const ike::crypto::TrustStore> Credentials::trust(std::vector<Certificate> anchors) const {
  return ike::crypto::TrustStore::make(std::move(anchors), set_.lists);
}

}  // namespace espgate::control
