// SPDX-License-Identifier: Apache-2.0
// Certificates, keys and secrets over vici: load-cert, load-key, load-shared and their like; list-certs.
#include <fmt/format.h>

#include <algorithm>

#include "control/vici/command_parts.h"
#include "control/vici/load_again.h"
#include "ike/crypto/key_files.h"

namespace espgate::control::vici {
namespace {

using Answer = std::shared_ptr<Reply>;

void answer(const Refusal& refusal, const Answer& reply) {
  if (refusal) return reply->fail(*refusal);
  reply->finish(Message().set("success", true));
}

// load-cert, load-key or load-shared.
void load(Daemon& daemon, std::string_view command, const Message& request, const Answer& reply) {
  const auto id = load_credential(daemon.store(), command, request);
  if (!id) return reply->fail(id.error());
  daemon.remember(command, name_of(command, request, *id), request);
  daemon.credentials_changed();
  Message done;
  done.set("success", true);
  if (!id->empty()) done.set("id", *id);
  reply->finish(done);
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

void unload(Daemon& daemon, const Message& request, Refusal (Store::*how)(std::string_view), std::string_view loaded_by,
            const Answer& reply) {
  const auto id = request.text("id");
  const auto refusal = (daemon.store().*how)(id);
  if (!refusal) {
    daemon.forget(loaded_by, loaded_by == "load-key" ? lower(id) : id);
    daemon.credentials_changed();
  }
  answer(refusal, reply);
}

// What a list-certs request limits itself to, and where its events go.
class CertList {
 public:
  CertList(const Message& request, Answer reply)
      : type_(lower(request.text("type"))), flag_(lower(request.text("flag"))), reply_(std::move(reply)) {
    if (const auto text = request.text("subject"); !text.empty()) subject_ = ike::Identity::parse(text);
  }

  void x509(const std::vector<ike::crypto::Certificate>& certs, std::string_view flag, const CredentialSet& set) {
    if (!wanted("x509") || !(any(flag_) || flag_ == lower(std::string(flag)))) return;
    for (const auto& cert : certs) {
      if (subject_ && !cert.proves(*subject_)) continue;
      const auto key = cert.key();
      Message out;
      out.set("type", "X509").set("flag", flag);
      if (key && set.has_key_for(*key)) out.set("has_privkey", true);
      reply_->event("list-cert", out.set("data", base::as_text(cert.der())));
    }
  }
  void lists(const CredentialSet& set) {
    if (!wanted("x509_crl") || subject_) return;
    for (const auto& list : set.lists) {
      reply_->event("list-cert",
                    Message().set("type", "X509_CRL").set("data", base::as_text(ike::crypto::der_of(list))));
    }
  }
  void public_keys(const CredentialSet& set) {
    if (!wanted("pubkey") || subject_) return;
    for (const auto& der : set.public_keys) {
      const auto key = ike::crypto::read_public_key(der);
      Message out;
      out.set("type", "PUBKEY");
      if (key && set.has_key_for(*key)) out.set("has_privkey", true);
      reply_->event("list-cert", out.set("data", base::as_text(der)));
    }
  }

 private:
  static bool any(std::string_view word) { return word.empty() || word == "any"; }
  [[nodiscard]] bool wanted(std::string_view type) const { return any(type_) || type_ == type; }
  std::string type_, flag_;
  std::optional<ike::Identity> subject_;
  Answer reply_;
};

void list_certs(const Daemon& daemon, const Message& request, const Answer& reply) {
  const auto& set = daemon.config().credentials;
  CertList list(request, reply);
  list.public_keys(set);
  list.x509(set.own, "NONE", set);
  list.x509(set.cas, "CA", set);
  list.x509(set.ocsp, "OCSP", set);
  list.x509(set.aas, "AA", set);
  list.lists(set);
  reply->finish({});
}

}  // namespace

void add_credential_commands(Server& server, Daemon& daemon) {
  for (const char* command : {"load-cert", "load-key", "load-shared"}) {
    server.on(command, [&daemon, command](const Message& request, const Answer& reply) {
      load(daemon, command, request, reply);
    });
  }
  server.on("unload-key", [&daemon](const Message& request, const Answer& reply) {
    unload(daemon, request, &Store::unload_key, "load-key", reply);
  });
  server.on("unload-shared", [&daemon](const Message& request, const Answer& reply) {
    unload(daemon, request, &Store::unload_shared, "load-shared", reply);
  });
  server.on("load-token", [](const Message&, const Answer& reply) {
    reply->fail("keys on tokens are not supported: give the key as a file, with load-key");
  });
  server.on("get-keys", [&daemon](const Message&, const Answer& reply) {
    reply->finish(Message().list("keys", daemon.store().keys()));
  });
  server.on("get-shared", [&daemon](const Message&, const Answer& reply) {
    reply->finish(Message().list("keys", daemon.store().shared()));
  });
  server.on("clear-creds", [&daemon](const Message&, const Answer& reply) {
    daemon.store().clear_credentials();
    for (const auto* loaded_by : {"load-cert", "load-key", "load-shared"}) daemon.forget(loaded_by, {});
    daemon.credentials_changed();
    reply->finish(Message().set("success", true));
  });
  // Nothing is fetched, so nothing is kept beyond what was loaded.
  server.on("flush-certs", [](const Message&, const Answer& reply) { reply->finish(Message().set("success", true)); });
  server.on("list-certs",
            [&daemon](const Message& request, const Answer& reply) { list_certs(daemon, request, reply); });
}

}  // namespace espgate::control::vici
