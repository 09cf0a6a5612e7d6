// SPDX-License-Identifier: Apache-2.0
// ipsec.conf of libreswan and strongSwan (starter): sections, `also=`, %default. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace espgate::control::convert {

struct Setting {
  std::string value;
  std::size_t line = 0;
};

struct Conn {
  std::string name;
  std::size_t line = 0;
  std::map<std::string, Setting, std::less<>> settings;  // what it says, what its `also` say, what %default says
};

// A line that means nothing here, or is not carried over.
struct Remark {
  std::size_t line = 0;
  std::string text;
};

struct IpsecConf {
  std::vector<Conn> conns;  // in the file's order, without %default
  std::vector<Remark> remarks;
};

IpsecConf parse_ipsec_conf(std::string_view text);

}  // namespace espgate::control::convert
