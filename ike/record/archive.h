// SPDX-License-Identifier: Apache-2.0
// The octets of a record, both ways: what is described once (`field` in fields.h and ike_sa.cc) is written by a Writer
// and read by a Reader. Numbers are big-endian; a block begins with its length, so that a reader skips what a later
// version put at its end, and keeps the defaults of what an earlier one did not have. Inside ike/ only.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/secret.h"

namespace espgate::ike::record {

// Grows without leaving octets behind: everything in it may be a key.
class Writer {
 public:
  static constexpr bool kReads = false;

  [[nodiscard]] bool more() const { return true; }
  void number(std::uint64_t value, std::size_t octets);
  template <std::unsigned_integral T>
  void number(const T& value) {
    number(value, sizeof(T));
  }
  void octets(base::ByteView value);  // at most 65,535
  void octets(const base::Secret& value) { octets(value.view()); }
  template <class F>
  void block(F&& describe) {
    const auto begin = open_block();
    std::forward<F>(describe)();
    close_block(begin);
  }
  [[nodiscard]] bool ok() const { return !too_long_; }
  // What was written; empty if a part of it was too long.
  [[nodiscard]] base::Secret take() const;

 private:
  std::size_t open_block();
  void close_block(std::size_t begin);
  std::span<std::uint8_t> grow(std::size_t by);

  base::Secret data_;
  std::size_t size_ = 0;
  bool too_long_ = false;
};

// Fails for good at the first thing that cannot be; what is read after that is nothing.
class Reader {
 public:
  static constexpr bool kReads = true;

  explicit Reader(base::ByteView data) : reader_(data) {}

  [[nodiscard]] bool ok() const { return ok_; }
  void fail() { ok_ = false; }
  // Whether the block goes on: a record of an earlier version may end here.
  [[nodiscard]] bool more() const { return ok_ && !reader_.done(); }
  template <std::unsigned_integral T>
  void number(T& value) {
    value = static_cast<T>(big_endian(sizeof(T)));
  }
  void octets(base::Bytes& value);
  void octets(base::Secret& value);
  template <class F>
  void block(F&& describe) {
    const auto length = big_endian(4);
    const auto inner = ok_ && length <= reader_.left() ? reader_.take(length) : std::nullopt;
    if (!inner) return fail();
    const auto outer = std::exchange(reader_, base::ByteReader(*inner));
    std::forward<F>(describe)();
    reader_ = outer;
  }

 private:
  std::uint64_t big_endian(std::size_t octets);
  std::optional<base::ByteView> run();

  base::ByteReader reader_;
  bool ok_ = true;
};

template <class A>
void field(A& a, bool& value) {
  std::uint8_t octet = value ? 1 : 0;
  a.number(octet);
  if constexpr (A::kReads) {
    if (octet > 1) a.fail();
    value = octet == 1;
  }
}

template <class A, std::unsigned_integral T>
  requires(!std::same_as<T, bool>)
void field(A& a, T& value) {
  a.number(value);
}

template <class A>
void field(A& a, base::Bytes& value) {
  a.octets(value);
}

template <class A>
void field(A& a, base::Secret& value) {
  a.octets(value);
}

template <class A>
void field(A& a, std::string& value) {
  base::Bytes octets(value.begin(), value.end());
  a.octets(octets);
  if constexpr (A::kReads) value.assign(octets.begin(), octets.end());
}

// An enumeration whose last value is `last`; its numbers are the record's, so it only ever grows at its end.
template <class A, class E>
  requires std::is_enum_v<E>
void choice(A& a, E& value, E last) {
  auto number = static_cast<std::uint8_t>(value);
  a.number(number);
  if constexpr (A::kReads) {
    if (number > static_cast<std::uint8_t>(last)) return a.fail();
    value = static_cast<E>(number);
  }
}

// An optional or a base::Rare.
template <class A, class O, class F>
void maybe(A& a, O& value, F&& describe) {
  bool there = value.has_value();
  field(a, there);
  if constexpr (A::kReads) {
    value.reset();
    if (!a.ok() || !there) return;
    value.emplace();
  }
  if (there) describe(*value);
}

template <class A, class O>
void maybe(A& a, O& value) {
  maybe(a, value, [&](auto& inner) { field(a, inner); });
}

// A vector or list; each element is at least an octet long, so that a length cannot ask for more than is there.
template <class A, class C, class F>
void each(A& a, C& list, F&& describe) {
  auto count = static_cast<std::uint16_t>(list.size());
  a.number(count);
  if constexpr (A::kReads) {
    list.clear();
    for (std::uint16_t i = 0; i < count && a.ok(); ++i) {
      if (!a.more()) return a.fail();
      describe(list.emplace_back());
    }
  } else {
    for (auto& element : list) describe(element);
  }
}

template <class A, class C>
void each(A& a, C& list) {
  each(a, list, [&](auto& element) { field(a, element); });
}

}  // namespace espgate::ike::record
