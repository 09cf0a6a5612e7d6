// SPDX-License-Identifier: Apache-2.0
// What the configuration's tests share.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "control/config/grammar.h"
#include "control/config/model.h"

namespace espgate::control::testing {

// "key=text" and "name{...}" of a tree, in order, on one line; an unset key is "key=~".
inline std::string shape(const Section& section) {
  std::string out;
  for (const auto& value : section.values) {
    out += (out.empty() ? "" : " ") + value.key + "=" + (value.set ? value.text : "~");
  }
  for (const auto& sub : section.sections) out += (out.empty() ? "" : " ") + sub->name + "{" + shape(*sub) + "}";
  return out;
}

inline std::vector<std::string> texts(const std::vector<Problem>& problems) {
  std::vector<std::string> out;
  for (const auto& problem : problems) out.push_back(problem.text());
  return out;
}

// A folder of its own, gone with its owner.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "espgate-config-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  std::filesystem::path write(const std::string& name, const std::string& text, unsigned mode = 0600) const {
    const auto file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
    ::chmod(file.c_str(), mode);
    return file;
  }
  [[nodiscard]] std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace espgate::control::testing
