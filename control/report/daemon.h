// SPDX-License-Identifier: Apache-2.0
// What only the daemon knows, asked for over vici: IKE SAs (list-sas), connections (espgate-conns), names, states and
// times of children (espgate-children).
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "control/report/report.h"
#include "control/vici/client.h"

namespace espgate::control::report {

// Asks everything at once. One daemon, so parts agree to within the milliseconds between the questions.
std::expected<DaemonView, vici::ClientError> ask_daemon(const std::string& uri);

// One question each. Answers are streamed, so that a thousand SAs need not fit into one packet.
std::expected<std::vector<IkeRow>, vici::ClientError> ask_ikes(vici::Client& client);
std::expected<std::vector<ConnRow>, vici::ClientError> ask_conns(vici::Client& client);
std::expected<std::vector<DaemonChild>, vici::ClientError> ask_children(vici::Client& client);

// The messages, taken apart; keys that are missing leave their members empty.
std::vector<IkeRow> ike_rows(const vici::Message& list_sa_event, std::int64_t now);
std::map<std::string, std::uint64_t> rejected_of(const vici::Message& stats);
std::map<std::string, DaemonView::Moves> moves_of(const vici::Message& stats);
std::vector<DaemonView::Exchange> exchanges_of(const vici::Message& stats);
std::vector<ConnRow> conn_rows(const vici::Message& espgate_conns);
std::vector<DaemonChild> daemon_children(const vici::Message& espgate_children);

}  // namespace espgate::control::report
