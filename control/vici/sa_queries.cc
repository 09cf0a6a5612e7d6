// SPDX-License-Identifier: Apache-2.0
// What is asked of SAs, of which there may be very many: some at a time, so that neither the engine nor who is
// connected waits for the end of a list, and no more than the client reads.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <utility>

#include "control/vici/command_parts.h"

namespace espgate::control::vici {
namespace {

using Answer = std::shared_ptr<Reply>;
using OnSa = std::function<void(const ike::IkeView&)>;

using Sas = std::shared_ptr<const std::vector<ike::IkeView>>;

constexpr std::size_t kAtOnce = 50;
constexpr auto kPatience = std::chrono::seconds(30);  // with a client that asked for a list and reads no more of it

// One client's way through a list.
struct Walk {
  Answer reply;
  Sas ikes;
  OnSa one;
  std::function<void()> end;
  std::size_t at = 0;
  base::Instant moved_at;
};

// Who asks while the engine is being asked gets the same list: it is no older than what main knows, as all comes from
// the engine in one order.
class Lists : public std::enable_shared_from_this<Lists> {
 public:
  explicit Lists(Daemon& daemon) : daemon_(daemon) {}

  void walk(const Answer& reply, OnSa one, std::function<void()> end) {
    dismiss();
    waiting_.push_back(std::make_shared<Walk>(Walk{reply, {}, std::move(one), std::move(end), 0, daemon_.now()}));
    if (waiting_.size() > 1) return;
    daemon_.list([self = shared_from_this()](std::vector<ike::IkeView> ikes) {
      const auto shared = std::make_shared<const std::vector<ike::IkeView>>(std::move(ikes));
      for (auto& walk : std::exchange(self->waiting_, {})) {
        walk->ikes = shared;
        self->walks_.push_back(walk);
        self->go_on(walk);
      }
    });
  }

 private:
  void go_on(const std::shared_ptr<Walk>& walk) {
    const auto reply = walk->reply;
    if (!reply->alive()) return;
    walk->moved_at = daemon_.now();
    const auto until = std::min(walk->at + kAtOnce, walk->ikes->size());
    for (; walk->at < until; ++walk->at) walk->one((*walk->ikes)[walk->at]);
    if (walk->at == walk->ikes->size()) return walk->end();
    reply->when_read([self = shared_from_this(), walk] { self->daemon_.later([self, walk] { self->go_on(walk); }); });
  }

  // Those who keep a long list and do not read it.
  void dismiss() {
    std::erase_if(walks_, [](const auto& weak) { return weak.expired(); });
    for (const auto& weak : walks_) {
      const auto walk = weak.lock();
      if (walk && daemon_.now() - walk->moved_at > kPatience) walk->reply->hang_up("the client does not read its list");
    }
  }

  Daemon& daemon_;
  std::vector<std::shared_ptr<Walk>> waiting_;
  std::vector<std::weak_ptr<Walk>> walks_;
};

// What a list-sas request limits itself to.
struct SaFilter {
  std::string ike, child;
  std::optional<std::int64_t> ike_id, child_id;

  [[nodiscard]] bool admits(const ike::IkeView& view) const {
    if (!ike.empty() && view.conn != ike) return false;
    if (ike_id && view.id.value != static_cast<std::uint64_t>(*ike_id)) return false;
    return (child.empty() && !child_id) || std::ranges::any_of(view.children, [&](const auto& one) {
             return (child.empty() || one.name == child) &&
                    (!child_id || one.id.value == static_cast<std::uint64_t>(*child_id));
           });
  }
};

void list_sas(Daemon& daemon, Lists& lists, const Message& request, const Answer& reply) {
  SaFilter filter{request.text("ike"), request.text("child"), number_of(request, "ike-id"),
                  number_of(request, "child-id")};
  lists.walk(
      reply,
      [&daemon, reply, filter](const ike::IkeView& ike) {
        if (filter.admits(ike)) reply->event("list-sa", sa_message(ike, daemon));
      },
      [reply] { reply->finish({}); });
}

void espgate_children(Daemon& daemon, Lists& lists, const Answer& reply) {
  const auto entries = std::make_shared<Entries>(reply, "espgate-child", "children");
  lists.walk(
      reply,
      [&daemon, entries](const ike::IkeView& ike) {
        for (const auto& child : ike.children) {
          entries->add(fmt::format("{}-{}", child.name, child.id.value), child_message(ike, child, daemon));
        }
      },
      [entries] { entries->finish(); });
}

// ------------------------------------------------------------------------------------------------- counters

// They only grow: what reset-counters took off them, by name.
using Baseline = std::shared_ptr<std::map<std::string_view, std::uint64_t>>;

// strongSwan counts for each connection, too; here all are counted together, which is what a request without a name
// asks.
bool answers_all(const Message& request, const Answer& reply) {
  if (request.get("name")) {
    reply->fail("no counters found for this connection: messages are counted for all together");
    return false;
  }
  return true;
}

void get_counters(Daemon& daemon, const Message& request, const Baseline& baseline, const Answer& reply) {
  if (!answers_all(request, reply)) return;
  const bool each = request.text("all") == "yes";
  daemon.list([&daemon, each, baseline, reply](const std::vector<ike::IkeView>&) {
    Message out;
    auto& counters = out.open("counters");
    if (!each) {
      auto& all = counters.open("");
      for (const auto& [name, count] : daemon.stats().counters) all.number(name, count - (*baseline)[name]);
    }
    reply->finish(out.set("success", true));
  });
}

void reset_counters(Daemon& daemon, const Message& request, const Baseline& baseline, const Answer& reply) {
  if (!answers_all(request, reply)) return;
  daemon.list([&daemon, baseline, reply](const std::vector<ike::IkeView>&) {
    for (const auto& [name, count] : daemon.stats().counters) (*baseline)[name] = count;
    reply->finish(Message().set("success", true));
  });
}

}  // namespace

void add_sa_queries(Server& server, Daemon& daemon) {
  const auto lists = std::make_shared<Lists>(daemon);
  server.on("list-sas", [&daemon, lists](const Message& request, const Answer& reply) {
    list_sas(daemon, *lists, request, reply);
  });
  server.on("espgate-children",
            [&daemon, lists](const Message&, const Answer& reply) { espgate_children(daemon, *lists, reply); });
  const auto baseline = std::make_shared<std::map<std::string_view, std::uint64_t>>();
  server.on("get-counters", [&daemon, baseline](const Message& request, const Answer& reply) {
    get_counters(daemon, request, baseline, reply);
  });
  server.on("reset-counters", [&daemon, baseline](const Message& request, const Answer& reply) {
    reset_counters(daemon, request, baseline, reply);
  });
}

}  // namespace espgate::control::vici
