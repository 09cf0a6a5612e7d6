// SPDX-License-Identifier: Apache-2.0
#include "control/report/json_writer.h"
#include "control/report/sa_render.h"

namespace espgate::control::report {
namespace {

void text_or_null(JsonWriter& to, std::string_view text) {
  if (text.empty()) return to.null();
  to.text(text);
}

void time_or_null(JsonWriter& to, const std::optional<std::int64_t>& time) {
  if (!time) return to.null();
  to.time(*time);
}

void count(JsonWriter& to, const Count& count) {
  to.open('{');
  to.key("packets").number(count.packets);
  to.key("bytes").number(count.bytes);
  to.close('}');
}

void offload(JsonWriter& to, const Side& side) {
  to.open('{');
  to.key("wanted").text(base::to_string(side.wanted));
  to.key("actual").text(base::to_string(side.actual));
  to.key("effective").text(to_string(side.effective()));
  text_or_null(to.key("dev"), side.device);
  text_or_null(to.key("reason_code"), side.reason_code);
  text_or_null(to.key("reason"), side.reason);
  to.close('}');
}

void errors(JsonWriter& to, const Errors& errors) {
  to.open('{');
  to.key("integrity").number(errors.integrity);
  to.key("replay").number(errors.replay);
  to.key("other").number(errors.other);
  to.close('}');
}

void direction(JsonWriter& to, const std::optional<Side>& side) {
  if (!side) return to.null();
  to.open('{');
  to.key("spi").text(side->spi.text());
  to.key("src").text(side->src.text());
  to.key("dst").text(side->dst.text());
  offload(to.key("offload"), *side);
  count(to.key("hw"), side->hw);
  count(to.key("sw"), side->sw);
  to.key("exact").boolean(side->exact);
  to.key("kernel");
  if (side->kernel) {
    count(to, *side->kernel);
  } else {
    to.null();
  }
  errors(to.key("errors"), side->errors);
  to.close('}');
}

void child(JsonWriter& to, const ChildRow& row) {
  to.open('{');
  to.key("conn").text(row.conn);
  to.key("child").text(row.child);
  to.key("unique_id");
  if (row.unique_id) {
    to.number(*row.unique_id);
  } else {
    to.null();
  }
  to.key("state");
  if (row.state) {
    to.text(*row.state);
  } else {
    to.null();
  }
  to.key("mode").text(base::to_string(row.mode));
  to.key("suite").text(row.suite);
  to.key("esn").boolean(row.esn);
  to.key("encap").boolean(row.encap);
  direction(to.key("in"), row.in);
  direction(to.key("out"), row.out);
  time_or_null(to.key("established_at"), row.established_at);
  time_or_null(to.key("rekey_at"), row.rekey_at);
  to.close('}');
}

constexpr std::size_t kPiece = 64 * 1024;  // octets

}  // namespace

void sa_json(const SaTable& table, bool pretty, const std::function<void(std::string_view)>& sink) {
  std::string piece;
  JsonWriter writer(piece, pretty);
  writer.open('[');
  for (const auto& row : table.rows) {
    child(writer, row);
    if (piece.size() < kPiece) continue;
    sink(piece);
    piece.clear();
  }
  writer.close(']');
  piece += '\n';
  sink(piece);
}

std::string sa_json(const SaTable& table, bool pretty) {
  std::string out;
  sa_json(table, pretty, [&](std::string_view piece) { out += piece; });
  return out;
}

}  // namespace espgate::control::report
