// SPDX-License-Identifier: Apache-2.0
// A tar archive (POSIX ustar) of texts, for the support bundle. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace espgate::control::report {

struct TarFile {
  std::string name;  // at most 99 octets
  std::string text;
};

// `folder` stands before each name; files are of mode 0600 and of root, from `now` (epoch seconds).
std::string tar(const std::string& folder, const std::vector<TarFile>& files, std::int64_t now);

// A configuration without key material: the value of every `secret`, `pin` and of what begins like a private key is
// replaced. Line by line, so that a file with errors can be shown, too.
std::string without_secrets(const std::string& configuration);

}  // namespace espgate::control::report
