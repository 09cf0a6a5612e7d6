// SPDX-License-Identifier: Apache-2.0
// Exchanges about the same SA that meet (RFC 7296 2.8.1, 2.25.1, 2.25.2), in every order, and with every message lost
// once.
#include "tests/sim/pair.h"

namespace espgate::sim {
namespace {

using ::espgate::ike::Event;

enum class Do { rekey_child, rekey_ike, delete_child, delete_old, nothing };

struct Case {
  const char* name;
  Do at_a, at_b;
  std::size_t children;  // that are there afterwards
};
void PrintTo(const Case& what, std::ostream* out) { *out << what.name; }

// One meeting in a world of its own.
class Meeting {
 public:
  explicit Meeting(std::uint64_t seed)
      : net(seed), a(net, "a", "192.0.2.1", seed + 11), b(net, "b", "198.51.100.2", seed + 22) {
    a.load(config(Side{}));
    b.load(config(mirrored(Side{})));
    const auto id = a.initiate("site", "", b);
    net.run_until([&] { return a.result(id) != nullptr; });
    net.run(seconds(1));
  }

  void order(Host& host, Do what) {
    if (what == Do::rekey_child) host.rekey({{}, "site", "net", {}, {}});
    if (what == Do::rekey_ike) host.rekey({{}, "site", {}, {}, {}});
    if (what == Do::delete_child) host.terminate({{}, "site", "net", {}, {}, false});
    if (what == Do::delete_old) host.terminate({{}, {}, {}, {}, host.sad.begin()->first, false});
  }

  // Swallows datagram number `which` from here on, of both directions.
  void lose(int which) {
    net.filter = [this, which](ike::Datagram&) { return seen_++ != which; };
  }

  void expect(std::size_t children) {
    net.run(seconds(200));
    Pair::expect_agreement(a, b);
    for (auto* host : {&a, &b}) {
      ASSERT_EQ(host->sad.size(), children) << host->name();
      ASSERT_EQ(host->outbound.size(), children) << host->name();
      const auto ikes = host->list();
      ASSERT_EQ(ikes.size(), 1U) << host->name();
      ASSERT_EQ(ikes[0].children.size(), children) << host->name();
      for (const auto& child : ikes[0].children) ASSERT_EQ(child.state, "INSTALLED") << host->name();
      ASSERT_EQ(host->count(Event::Kind::ike_down), 0U) << host->name();
      ASSERT_EQ(host->count(Event::Kind::child_up), host->count(Event::Kind::child_down) + children) << host->name();
    }
    ASSERT_EQ(a.list()[0].spi_i, b.list()[0].spi_i);
  }

  Net net;
  Host a, b;

 private:
  int seen_ = 0;
};

class Meetings : public ::testing::TestWithParam<Case> {};

TEST_P(Meetings, AtManyMoments) {
  for (std::uint64_t seed = 1; seed <= 24 && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Meeting meeting(seed);
    meeting.net.weather.jitter = milliseconds(seed % 3 * 20);
    meeting.order(meeting.a, GetParam().at_a);
    meeting.net.run(milliseconds(seed % 8 * 4));
    meeting.order(meeting.b, GetParam().at_b);
    meeting.expect(GetParam().children);
  }
}

TEST_P(Meetings, WithEachMessageLostOnce) {
  for (int lost = 0; lost < 10 && !HasFatalFailure(); ++lost) {
    for (int later : {0, 8, 14}) {
      SCOPED_TRACE("datagram " + std::to_string(lost) + " lost, b " + std::to_string(later) + " ms later");
      Meeting meeting(static_cast<std::uint64_t>(100 + lost));
      meeting.lose(lost);
      meeting.order(meeting.a, GetParam().at_a);
      meeting.net.run(milliseconds(later));
      meeting.order(meeting.b, GetParam().at_b);
      meeting.expect(GetParam().children);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rfc7296, Meetings,
                         ::testing::Values(Case{"alone", Do::rekey_child, Do::nothing, 1},
                                           Case{"ike_alone", Do::nothing, Do::rekey_ike, 1},
                                           Case{"both_rekey_the_child", Do::rekey_child, Do::rekey_child, 1},
                                           Case{"both_rekey_the_ike_sa", Do::rekey_ike, Do::rekey_ike, 1},
                                           Case{"rekey_meets_delete", Do::rekey_child, Do::delete_child, 0},
                                           Case{"delete_meets_rekey", Do::delete_child, Do::rekey_child, 0},
                                           Case{"both_delete", Do::delete_child, Do::delete_child, 0},
                                           Case{"ike_rekey_meets_child_rekey", Do::rekey_ike, Do::rekey_child, 1},
                                           Case{"child_rekey_meets_ike_rekey", Do::rekey_child, Do::rekey_ike, 1},
                                           Case{"ike_rekey_meets_delete", Do::rekey_ike, Do::delete_child, 0}),
                         [](const auto& what) { return std::string(what.param.name); });

}  // namespace
}  // namespace espgate::sim
