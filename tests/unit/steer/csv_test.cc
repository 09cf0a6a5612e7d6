// SPDX-License-Identifier: Apache-2.0
#include "tools/steer_sim/csv.h"

#include "tests/unit/steer/sim_testing.h"

namespace espgate::steer_sim {
namespace {

std::string error_of(const std::string& text) {
  std::istringstream in(text);
  const auto trace = read_csv(in, "FILE", std::nullopt);
  return trace ? "" : trace.error();
}

TEST(Csv, AnSaIsThereFromItsFirstLineToItsLast) {
  const auto trace = trace_of("t,sa,bytes\n0,a,10\n0,b,20\n1,b,5\n2,a,7\n");
  Interval now;
  ASSERT_TRUE(trace->next(now));
  EXPECT_EQ(now.arrivals, (std::vector<Sa>{0, 1}));
  EXPECT_TRUE(now.departures.empty());
  ASSERT_TRUE(trace->next(now));
  EXPECT_EQ(now.departures, std::vector<Sa>{1});
  ASSERT_TRUE(trace->next(now));
  ASSERT_EQ(now.rows.size(), 1U);
  EXPECT_EQ(now.rows[0].octets, 7);
  EXPECT_EQ(now.departures, std::vector<Sa>{0});
  EXPECT_FALSE(trace->next(now));
}

TEST(Csv, LinesOfOneIntervalAreAddedUp) {
  const auto trace = trace_of("0.1,a,10\n0.2,b,1\n0.9,a,5\n1.15,a,1\n");
  EXPECT_EQ(trace->seconds(), 1);
  Interval now;
  ASSERT_TRUE(trace->next(now));
  ASSERT_EQ(now.rows.size(), 2U);
  EXPECT_EQ(now.rows[0].octets, 15);
}

TEST(Csv, TheIntervalIsTheTracesOwnStep) {
  EXPECT_EQ(trace_of("0,a,1\n10,a,1\n30,a,1\n")->seconds(), 10);
  EXPECT_EQ(trace_of("1700000000,a,1\n1700000060,a,1\n")->seconds(), 60);
  EXPECT_EQ(trace_of("0,a,1\n0.5,a,1\n")->seconds(), 1);
  EXPECT_EQ(trace_of("0,a,1\n10,a,1\n", 5)->seconds(), 5);
  EXPECT_EQ(trace_of("5,a,1\n")->seconds(), 1);
}

TEST(Csv, IntervalsWithoutALineAreThereToo) {
  const auto trace = trace_of("0,a,1\n1,a,1\n5,a,1\n");
  Interval now;
  int intervals = 0;
  while (trace->next(now)) ++intervals;
  EXPECT_EQ(intervals, 6);
}

TEST(Csv, EmptyLinesBlanksAndCarriageReturnsDoNoHarm) {
  const auto trace = trace_of("time, sa, bytes\r\n\n 0 , a b , 10 \r\n\n1,a b,1\r\n");
  Interval now;
  ASSERT_TRUE(trace->next(now));
  EXPECT_EQ(now.rows.at(0).octets, 10);
}

TEST(Csv, WhatIsWrongIsSaidWithItsLine) {
  EXPECT_EQ(error_of("t,sa,bytes\n0,a\n"), "FILE:2: expected three fields: t,sa,bytes");
  EXPECT_EQ(error_of("0,a,1,2\n"), "FILE:1: expected three fields: t,sa,bytes");
  EXPECT_EQ(error_of("0,a,1\nx,a,1\n"), "FILE:2: t is no number of seconds");
  EXPECT_EQ(error_of("1,a,1\n\n0,a,1\n"), "FILE:3: t is less than in the line before; lines go by time");
  EXPECT_EQ(error_of("0,,1\n"), "FILE:1: sa is empty");
  EXPECT_EQ(error_of("0,a,-1\n"), "FILE:1: bytes is no number, negative, or beyond 10^18");
  EXPECT_EQ(error_of("0,a,nan\n"), "FILE:1: bytes is no number, negative, or beyond 10^18");
  EXPECT_EQ(error_of("0,a,1e30\n"), "FILE:1: bytes is no number, negative, or beyond 10^18");
  EXPECT_EQ(error_of("0,a,1\n1,a,ten\n"), "FILE:2: bytes is no number, negative, or beyond 10^18");
  EXPECT_EQ(error_of("t,sa,bytes\n"), "FILE: no line `t,sa,bytes` in it");
  EXPECT_EQ(error_of(""), "FILE: no line `t,sa,bytes` in it");
  EXPECT_NE(error_of("0,a,1\n1,a,1\n9000000,a,1\n").find("choose a longer --interval"), std::string::npos);
}

}  // namespace
}  // namespace espgate::steer_sim
