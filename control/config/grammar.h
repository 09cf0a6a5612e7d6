// SPDX-License-Identifier: Apache-2.0
// swanctl.conf's grammar (strongswan.conf(5) SYNTAX, REFERENCING OTHER SECTIONS, INCLUDING FILES), by hand:
//
//   file      := statement*
//   statement := "include" pattern | name [":" path ("," path)*] "{" statement* "}" | name "=" [part*] newline
//   part      := run of characters but # } " and blanks | "quoted, with \n \r \t \x escapes, over several lines"
//   path      := name ("." name)*
//
// `#` starts a comment, `}` ends a value, parts of a value are joined by one space, a backslash at a line's end inside
// quotes joins lines. Sections of one name merge, a later value replaces an earlier one. Unlike strongSwan the parser
// goes on after an error and reports them all.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "control/config/tree.h"

namespace espgate::control {

// Beyond these a file is refused; they are far above what a real one needs.
struct GrammarLimits {
  std::size_t file_octets = 8U << 20U;    // one file
  std::size_t total_octets = 32U << 20U;  // all files together
  std::size_t depth = 32;                 // sections within sections
  std::size_t include_depth = 10;         // files within files
  std::size_t files = 4096;
  std::size_t errors = 100;  // then the parser gives up
};

// Parses `text` as if it were read from `name`; includes are relative to name's directory, and refused if
// `may_include` is false. The tree holds whatever could be understood; look at `report` first.
std::unique_ptr<Section> parse_text(std::string_view text, const std::string& name, bool may_include, Report& report,
                                    const GrammarLimits& limits = {});

// Parses a file and what it includes. A file with key material in it (a `secrets` section, or a `secret` or `pin`
// anywhere) that others than its owner and group may read or write is an error.
std::unique_ptr<Section> parse_file(const std::filesystem::path& path, Report& report,
                                    const GrammarLimits& limits = {});

}  // namespace espgate::control
