// SPDX-License-Identifier: Apache-2.0
// connections.<conn>.local and .remote: how the two sides authenticate.
#include <fmt/format.h>

#include <algorithm>

#include "control/config/model_parts.h"

namespace espgate::control {
namespace {

using ike::crypto::Certificate;

class Authentication {
 public:
  Authentication(const Section& connection, const Section& round, bool local, Credentials& credentials,
                 ConnOrigin& origin, Report& report)
      : connection_(connection),
        round_(round),
        local_(local),
        credentials_(credentials),
        origin_(origin),
        report_(report),
        from_(round, report) {}

  ike::AuthConfig build() {
    side().auth = from_.get("auth") != nullptr;
    side().id = from_.text("id", "");
    method();
    identity();
    if (out_.method == ike::AuthMethod::pubkey && local_) show();
    if (out_.method == ike::AuthMethod::pubkey && !local_) believe();
    return std::move(out_);
  }

 private:
  void method() {
    out_.method = ike::AuthMethod::pubkey;
    const auto* auth = from_.get("auth");
    if (auth == nullptr) return;
    if (auth->text == "psk") {
      out_.method = ike::AuthMethod::psk;
    } else if (auth->text.starts_with("eap") || auth->text.starts_with("xauth")) {
      report_.error(auth->value_at, fmt::format("auth = {} is not supported yet, expected psk or pubkey", auth->text));
    } else if (auto policy = ike::parse_signature_policy(auth->text)) {
      out_.signatures = std::move(*policy);
    } else {
      report_.error(auth->value_at, policy.error() + ", or psk");
    }
  }

  void identity() {
    const auto* id = from_.get("id");
    if (id == nullptr || id->text.empty()) return;
    auto parsed = ike::Identity::parse(id->text);
    if (!parsed) {
      return report_.error(id->value_at,
                           fmt::format("{} is no identity that is supported, expected an address, a name, "
                                       "an email address, keyid: or a distinguished name",
                                       id->text));
    }
    if (local_ && parsed->type != ike::IdType::any && parsed->pattern()) {
      return report_.error(id->value_at, fmt::format("{} stands for many, expected who we are", id->text));
    }
    out_.id = std::move(*parsed);
  }

  // The certificates that a list and sections of the same purpose name.
  std::vector<Certificate> named(std::string_view list, std::string_view section, std::string_view folder) {
    std::vector<Certificate> out;
    const auto take = [&](const Value::Item& item) {
      if (auto cert = credentials_.named(item, folder)) out.push_back(std::move(*cert));
    };
    if (const auto* value = from_.get(list)) {
      for (const auto& item : value->list()) take(item);
    }
    for (const auto& sub : round_.sections) {
      if (!sub->name.starts_with(section)) continue;
      const auto* file = sub->value("file");
      if (file != nullptr && file->set) take({file->text, file->value_at});
    }
    return out;
  }

  [[nodiscard]] ConnOrigin::Side& side() const { return local_ ? origin_.local : origin_.remote; }

  static std::vector<std::string> subjects(const std::vector<Certificate>& certs) {
    std::vector<std::string> out;
    for (const auto& cert : certs) out.push_back(cert.subject().text());
    return out;
  }

  void show() {
    const auto certs = named("certs", "cert", "x509");
    side().certs = subjects(certs);
    const auto errors = report_.errors.size();
    out_.credentials = credentials_.with_keys(certs.empty() ? credentials_.own() : certs);
    for (const auto& cert : certs) {
      const bool found = std::ranges::any_of(out_.credentials, [&](const auto& one) { return one.cert == cert; });
      if (!found) no_key(cert);
    }
    if (certs.empty() && out_.id.type != ike::IdType::any) {
      std::erase_if(out_.credentials, [&](const auto& one) { return !one.cert.proves(out_.id); });
    }
    if (!out_.credentials.empty()) return settle_identity();
    if (report_.errors.size() > errors || !certs.empty() || from_.get("certs") != nullptr) return;
    credentials_.lacks(round_.at, fmt::format("{} has no certificate to show, expected certs = FILE and its key in "
                                              "private; or auth = psk",
                                              round_.name));
  }

  void no_key(const Certificate& cert) {
    const auto* certs = from_.get("certs");
    credentials_.lacks(certs != nullptr ? certs->value_at : round_.at,
                       fmt::format("there is no private key for the certificate of '{}', expected one in private",
                                   cert.subject().text()));
  }

  // As in strongSwan: without an id, or with one that the certificate does not have, its subject.
  void settle_identity() {
    const auto& first = out_.credentials.front().cert;
    const bool proven =
        std::ranges::any_of(out_.credentials, [&](const auto& one) { return one.cert.proves(out_.id); });
    if (!proven) {
      if (const auto* id = from_.get("id"); id != nullptr && out_.id.type != ike::IdType::any) {
        report_.warning(id->value_at, fmt::format("{} does not stand in our certificate: '{}' is used", id->text,
                                                  first.subject().text()));
      }
      out_.id = first.subject();
    }
    std::erase_if(out_.credentials, [&](const auto& one) { return !one.cert.proves(out_.id); });
    // To the octet as the certificate has it: not every peer compares names of different string types.
    if (proven && out_.id.type == ike::IdType::dn && out_.id.admits(out_.credentials.front().cert.subject())) {
      out_.id = out_.credentials.front().cert.subject();
    }
    if (out_.credentials.empty()) report_.error(round_.at, "our certificate has no subject, expected id = ... from it");
  }

  void believe() {
    out_.certs = named("certs", "cert", "x509");
    auto anchors = named("cacerts", "cacert", "x509ca");
    side().certs = subjects(out_.certs);
    side().cas = subjects(anchors);
    const auto* revocation = from_.get("revocation");
    if (revocation != nullptr && revocation->text == "strict") out_.revocation = ike::crypto::Revocation::strict;
    if (revocation != nullptr && revocation->text == "ifuri") out_.revocation = ike::crypto::Revocation::if_uri;
    const bool said = from_.get("cacerts") != nullptr || from_.get("certs") != nullptr || !anchors.empty();
    if (anchors.empty() && out_.certs.empty() && !said) anchors = credentials_.authorities();
    if (anchors.empty() && out_.certs.empty() && !said) {
      credentials_.lacks(round_.at,
                         fmt::format("there is no CA certificate to judge the peer of {} by, expected one in "
                                     "x509ca, cacerts = FILE or certs = FILE; or auth = psk",
                                     connection_.name));
    }
    anchors.insert(anchors.end(), out_.certs.begin(), out_.certs.end());
    out_.trust = credentials_.trust(std::move(anchors));
  }

  const Section& connection_;
  const Section& round_;
  bool local_;
  Credentials& credentials_;
  ConnOrigin& origin_;
  Report& report_;
  SectionReader from_;
  ike::AuthConfig out_;
};

}  // namespace

ike::AuthConfig build_authentication(const Section& connection, bool local, Credentials& credentials,
                                     ConnOrigin& origin, Report& report) {
  const std::string_view side = local ? "local" : "remote";
  const Section* round = nullptr;
  for (const auto& sub : connection.sections) {
    if (!sub->name.starts_with(side)) continue;
    if (round != nullptr) {
      report.error(sub->at, fmt::format("a second {} round is not supported yet, expected one", side));
    } else {
      round = sub.get();
    }
  }
  if (round != nullptr) return Authentication(connection, *round, local, credentials, origin, report).build();
  report.error(connection.at,
               fmt::format("connection {} does not say how {} authenticates, expected {} {{ auth = psk }}",
                           connection.name, local ? "this side" : "the peer", side));
  return {};
}

}  // namespace espgate::control
