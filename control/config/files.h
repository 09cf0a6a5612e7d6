// SPDX-License-Identifier: Apache-2.0
// The files of one configuration: opened, limited, kept from including themselves, and checked for who may read them.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/grammar.h"
#include "control/config/tree.h"

namespace espgate::control {

struct SourceFile {
  std::string name;  // as messages show it
  std::string text;
  std::optional<unsigned> mode;  // permission bits; none: not from a file
  std::filesystem::path canonical{};

  SourceFile(std::string shown, std::string content, std::optional<unsigned> bits)
      : name(std::move(shown)), text(std::move(content)), mode(bits) {}
  SourceFile(SourceFile&&) = default;
  SourceFile& operator=(SourceFile&&) = default;
  SourceFile(const SourceFile&) = delete;
  SourceFile& operator=(const SourceFile&) = delete;
  ~SourceFile();  // wipes the text: there may be secrets in it
};

class Files {
 public:
  Files(Report& report, const GrammarLimits& limits, bool may_include)
      : report_(report), limits_(limits), may_include_(may_include) {}

  [[nodiscard]] const GrammarLimits& limits() const { return limits_; }
  [[nodiscard]] bool stopped() const { return stopped_; }
  // One more error; after limits().errors of them parsing stops.
  void error(const Origin& at, std::string what);
  // An error after which nothing else is worth reading.
  void stop(const Origin& at, std::string what);

  // Opens a file; nullptr after an error, which is reported at `at`. Call leave() when it was parsed.
  std::unique_ptr<SourceFile> open(const std::filesystem::path& path, const Origin& at);
  void leave(const SourceFile& source);
  // The paths that a pattern in `from` stands for, in alphabetical order, relative to from's folder; "%d/" at the
  // beginning is the folder of systemd's credentials, as in a unit file (systemd.exec(5)).
  std::vector<std::filesystem::path> expand(const std::string& pattern, const SourceFile& from, const Origin& at);
  // An error if others than owner and group may read or write the file.
  void check_private(const SourceFile& source);

 private:
  Report& report_;
  const GrammarLimits& limits_;
  bool may_include_;
  bool stopped_ = false;
  std::size_t errors_ = 0, count_ = 0, octets_ = 0;
  std::vector<std::filesystem::path> open_;  // from the first file to the one being read
};

}  // namespace espgate::control
