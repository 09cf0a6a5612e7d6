// SPDX-License-Identifier: Apache-2.0
// A daemon that only answers: what the commands are tested against.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "control/vici/daemon.h"

namespace espgate::control::testing {

inline ike::IkeView sample_ike() {
  ike::IkeView out;
  out.id = {7};
  out.conn = "site-a";
  out.state = "ESTABLISHED";
  out.initiator = true;
  out.spi_i = {0x1122334455667788};
  out.spi_r = {0x99aabbccddeeff00};
  out.local = {*base::Address::parse("192.0.2.1"), 500};
  out.remote = {*base::Address::parse("198.51.100.1"), 4500};
  out.local_id = "gw.example.org";
  out.remote_id = "peer.example.org";
  out.encr_alg = "AES_GCM_16";
  out.encr_keysize = "128";
  out.prf_alg = "PRF_HMAC_SHA2_256";
  out.dh_group = "CURVE_25519";
  out.established_at = base::Instant(std::chrono::seconds(900));
  ike::ChildView child;
  child.id = {12};
  child.name = "net";
  child.state = "INSTALLED";
  child.spi_in = {0xc0ffee01};
  child.spi_out = {0xc0ffee02};
  child.local_ts = {base::TrafficSelector::of(*base::Prefix::parse("10.1.0.0/16"))};
  child.remote_ts = {base::TrafficSelector::of(*base::Prefix::parse("10.2.0.0/16"))};
  child.offload = base::OffloadWanted::automatic;
  child.in.actual = base::OffloadActual::crypto;
  child.in.device = "nic0";
  child.out.reason_code = "driver-refused";
  child.out.reason = "driver refused crypto mode";
  child.installed_at = base::Instant(std::chrono::seconds(940));
  out.children.push_back(child);
  return out;
}

class FakeDaemon : public Daemon {
 public:
  FakeDaemon() {
    auto loaded = load_text(
        "connections { site-a { local_addrs = 192.0.2.1\n remote_addrs = 198.51.100.1\n"
        "rekey_time = 3h\n reauth_time = 24h\n"
        "local { auth = psk\n id = gw.example.org\n } remote { auth = psk\n }\n"
        "children { net { local_ts = 10.1.0.0/16, dynamic[tcp/80]\n remote_ts = 10.2.0.0/16\n } } } }\n"
        "secrets { ike-a { secret = x\n } }\n",
        "/etc/espgate/espgate.conf");
    store_.take_file(std::move(*loaded.config), std::nullopt);
    config_ = store_.compose(nullptr);
  }

  [[nodiscard]] std::string version() const override { return "0.1.0"; }
  [[nodiscard]] base::Instant now() const override { return base::Instant(std::chrono::seconds(1000)); }
  [[nodiscard]] std::int64_t epoch_now() const override { return 1'700'000'000; }
  [[nodiscard]] const Configuration& config() const override { return config_; }
  [[nodiscard]] std::vector<ConnStatus> conn_status() const override {
    ConnStatus out;
    out.conn = "site-a";
    out.child = "net";
    out.state = "down";
    out.standing = trapped;
    out.origin = config_.origins.at(0).at;
    out.attempts = 3;
    out.next_try_at = 1'700'000'010;
    out.last_error = LastError{
        1'699'999'990, {ike::Reason::no_proposal, "IKE_AUTH", "the peer takes no proposal", "NO_PROPOSAL_CHOSEN"}};
    return {out};
  }
  std::optional<std::string> trap(const std::string&, const std::string& child, bool on) override {
    if (child != "net") return "no child is called " + child;
    trapped = on;
    return std::nullopt;
  }
  bool trapped = false;
  [[nodiscard]] DaemonStats stats() const override {
    return {1'699'999'000, 1, 0, ikes.size(), 2, {{ike::Reason::bad_cookie, 5}}, counted, {{"nic0", {4, 3}}}};
  }
  void list(std::function<void(std::vector<ike::IkeView>)> done) override { done(ikes); }
  void later(std::function<void()> next) override {
    ++turns;
    next();
  }
  int turns = 0;
  std::vector<std::pair<std::string_view, std::uint64_t>> counted{{"ike-rekey-init", 2}, {"child-rekey", 7}};
  void initiate(const InitiateRequest& request, LogLine log, Done done) override {
    initiated = request;
    log("IKE", 1, "initiating IKE_SA site-a[1] to 198.51.100.1");
    log("IKE", 2, "too much to say");
    if (answer_later) {
      not_yet = std::move(done);
    } else {
      done(outcome);
    }
  }
  void terminate(const TerminateRequest& request, LogLine, Done done) override {
    terminated = request;
    done(outcome);
  }
  void rekey(const RekeyRequest& request, Done done) override {
    rekeyed = request;
    done(outcome);
  }
  Store& store() override { return store_; }
  void stored(const std::string& what, const Report& report) override {
    stored_what = what;
    if (report.ok()) config_ = store_.compose(&config_);
  }
  void credentials_changed() override { config_ = store_.compose(&config_); }
  std::string stored_what;
  Report reload(bool dry_run) override {
    reloaded_dry = dry_run;
    return reload_report;
  }
  [[nodiscard]] std::optional<ChildCounters> counters(base::ChildId) const override { return child_counters; }

  std::vector<ike::IkeView> ikes{sample_ike()};
  std::optional<ChildCounters> child_counters;
  Outcome outcome;
  bool answer_later = false, reloaded_dry = false;
  Done not_yet;
  Report reload_report;
  InitiateRequest initiated;
  TerminateRequest terminated;
  RekeyRequest rekeyed;

 private:
  Store store_;
  Configuration config_;
};

}  // namespace espgate::control::testing
