// SPDX-License-Identifier: Apache-2.0
// A text that many objects have: the name of a connection, a device, a reason. Equal texts are there once, whichever
// thread they came from; a Name is a pointer to one and counts as a std::string of that text. Not for secrets, nor for
// texts that a stranger chooses.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

namespace espgate::base {

class Name {
 public:
  Name() = default;
  Name(std::string_view text);  // as of std::string
  Name(const std::string& text) : Name(std::string_view(text)) {}
  Name(const char* text) : Name(std::string_view(text)) {}
  Name(const Name& other) noexcept : text_(other.text_) {
    if (text_ != nullptr) text_->users.fetch_add(1, std::memory_order_relaxed);
  }
  Name(Name&& other) noexcept : text_(std::exchange(other.text_, nullptr)) {}
  Name& operator=(Name other) noexcept {
    std::swap(text_, other.text_);
    return *this;
  }
  ~Name() { clear(); }

  [[nodiscard]] const std::string& str() const;
  operator const std::string&() const { return str(); }
  [[nodiscard]] bool empty() const { return text_ == nullptr; }
  void clear();

  friend bool operator==(const Name& a, const Name& b) { return a.text_ == b.text_; }
  friend bool operator==(const Name& a, std::string_view b) { return a.str() == b; }
  friend bool operator==(const Name& a, const std::string& b) { return a.str() == b; }
  friend bool operator==(const Name& a, const char* b) { return a.str() == b; }
  friend std::string operator+(std::string a, const Name& b) { return std::move(a) + b.str(); }
  friend std::string operator+(const Name& a, std::string_view b) { return a.str() + std::string(b); }

  // Texts that are there, of all Names; for tests.
  [[nodiscard]] static std::size_t count();

 private:
  struct Text {
    explicit Text(std::string_view from) : text(from) {}
    const std::string text;
    mutable std::atomic<std::size_t> users{1};
  };
  friend struct NameTable;
  const Text* text_ = nullptr;  // nullptr: the empty one
};

}  // namespace espgate::base

template <>
struct fmt::formatter<espgate::base::Name> : fmt::formatter<std::string_view> {
  auto format(const espgate::base::Name& name, fmt::format_context& to) const {
    return fmt::formatter<std::string_view>::format(name.str(), to);
  }
};
