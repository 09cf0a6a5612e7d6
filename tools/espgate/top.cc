// SPDX-License-Identifier: Apache-2.0
// top: the screen, again and again. On a terminal with keys; into a file or pipe a table (or a line of JSON) each time.
#include "control/report/top.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <optional>

#include "control/report/collect.h"
#include "tools/espgate/handlers.h"

namespace espgate::tools {
namespace {

namespace report = control::report;
using Clock = std::chrono::steady_clock;

volatile std::sig_atomic_t interrupted = 0;
void on_signal(int signal) {
  if (signal != SIGWINCH) interrupted = 1;  // a new size only ends the wait
}

// The terminal as top needs it: keys at once and unseen, the alternate screen; as it was when this goes.
class Terminal {
 public:
  Terminal() {
    ours_ = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before_) == 0;
    if (!ours_) return;
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    std::fputs("\x1b[?1049h\x1b[?25l", stdout);
  }
  ~Terminal() {
    if (!ours_) return;
    std::fputs("\x1b[?25h\x1b[?1049l", stdout);
    std::fflush(stdout);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  [[nodiscard]] bool ours() const { return ours_; }
  void size(report::TopScreen& screen) const {
    winsize size{};
    if (ours_ && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
      screen.lines = size.ws_row;
      screen.columns = size.ws_col;
    }
  }
  // A key pressed within `wait`; none: the time is over, or the window has another size (`resized`).
  std::optional<char> key(std::chrono::milliseconds wait, bool& resized) const {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    const int ready = ::poll(ours_ ? &input : nullptr, ours_ ? 1 : 0, static_cast<int>(wait.count()));
    resized = ready < 0;
    char key = 0;
    if (ready > 0 && ::read(STDIN_FILENO, &key, 1) == 1) return key;
    if (ready > 0) interrupted = 1;  // the terminal is gone
    return std::nullopt;
  }

 private:
  bool ours_ = false;
  termios before_{};
};

void draw(const report::TopView& view, const report::TopScreen& screen, bool terminal) {
  if (!terminal) {
    std::fputs(report::top_text(view, screen).c_str(), stdout);
  } else {
    std::string text = report::top_text(view, screen);
    std::string out = "\x1b[H";
    for (const char c : text) out += c == '\n' ? std::string("\x1b[K\n") : std::string(1, c);
    if (out.ends_with('\n')) out.pop_back();  // the last line must not scroll
    std::fputs((out + "\x1b[J").c_str(), stdout);
  }
  std::fflush(stdout);
}

std::optional<report::TopOrder> order_of(char key) {
  switch (key) {
    case 'r':
      return report::TopOrder::rate;
    case 'h':
      return report::TopOrder::hardware;
    case 'f':
      return report::TopOrder::reason;
    case 'n':
      return report::TopOrder::name;
    default:
      return std::nullopt;
  }
}

std::optional<report::TopOrder> order_named(const std::string& word) {
  for (const auto* name : {"rate", "hardware", "fallback", "name"}) {
    if (word == name) return order_of(word == "fallback" ? 'f' : word.front());
  }
  return std::nullopt;
}

struct Reading {
  report::Report report;
  Clock::time_point at;
};

class Top {
 public:
  Top(const Context& context, report::TopOrder order) : context_(context) {
    screen_.order = order;
    screen_.color = context.options.color;
    screen_.seconds = context.invocation.number("interval", 2);
  }

  int show(Reading before, std::uint32_t times) {
    const Terminal terminal;
    const auto every = std::chrono::milliseconds(static_cast<std::int64_t>(screen_.seconds * 1000));
    for (std::uint32_t shown = 0; interrupted == 0 && (times == 0 || shown < times); ++shown) {
      if (!wait(terminal, before.at + every)) break;
      Reading after = read();
      view_ =
          report::top_view(before.report, after.report, std::chrono::duration<double>(after.at - before.at).count());
      screen_.daemon = after.report.daemon.has_value();
      before = std::move(after);
      show_once(terminal);
    }
    return 0;
  }

  Reading read() const {
    const auto& options = context_.options;
    return {report::collect({options.bpffs, options.vici}, report::Extent::whole).report, Clock::now()};
  }

 private:
  void show_once(const Terminal& terminal) {
    if (!view_) return;
    report::sort_top(*view_, screen_.order);
    if (context_.options.json) {
      std::fputs(report::top_json(*view_, context_.options.pretty).c_str(), stdout);
      std::fflush(stdout);
      return;
    }
    terminal.size(screen_);
    draw(*view_, screen_, terminal.ours());
  }

  // Until `due`, with keys served. False: to quit.
  bool wait(const Terminal& terminal, Clock::time_point due) {
    while (interrupted == 0) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(due - Clock::now());
      if (left.count() <= 0) return true;
      bool resized = false;
      const auto key = terminal.key(left, resized);
      if (key == 'q' || key == '\x03') return false;
      if (key) {
        if (const auto order = order_of(*key)) screen_.order = *order;
      }
      if (key || resized) show_once(terminal);
    }
    return false;
  }

  const Context& context_;
  report::TopScreen screen_;
  std::optional<report::TopView> view_;
};

}  // namespace

Outcome top_show(const Context& context) {
  const auto sort = context.invocation.get("sort").value_or("rate");
  const auto order = order_named(sort);
  if (!order) {
    return std::unexpected(Failure{Exit::usage, "usage",
                                   fmt::format("sort '{}' is wrong, expected rate, hardware, fallback or name", sort)});
  }
  // What stands in the way is said before the screen is taken.
  const auto& options = context.options;
  auto first = report::collect({options.bpffs, options.vici}, report::Extent::whole);
  if (first.maps_error) return std::unexpected(maps_failure(*first.maps_error, options.bpffs));
  struct sigaction action{};
  action.sa_handler = on_signal;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) ::sigaction(signal, &action, nullptr);
  Top top(context, *order);
  top.show({std::move(first.report), Clock::now()}, context.invocation.number("count", 0));
  return std::string();
}

}  // namespace espgate::tools
