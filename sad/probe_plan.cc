// SPDX-License-Identifier: Apache-2.0
// Which SAs are tried. All combinations would be some thirteen hundred. Drivers decide by algorithm, by shape
// (direction, mode, family, ESN), by encapsulation and by window, each by itself; so each part varies one of these
// around an SA that every device with ESP offload takes first.
#include <array>

#include "sad/probe.h"

namespace espgate::sad {
namespace {

using base::Direction;
using base::EspAuth;
using base::EspCipher;
using base::EspSuite;
using base::Family;
using base::SaMode;
using xfrm::OffloadKind;

constexpr std::array kDirections{Direction::in, Direction::out};
constexpr std::array kSaModes{SaMode::tunnel, SaMode::transport};
constexpr std::array kFamilies{Family::ipv4, Family::ipv6};

constexpr EspSuite kUsual{EspCipher::aes_gcm_16, 128, EspAuth::none, false};
constexpr EspSuite kLongKey{EspCipher::aes_gcm_16, 256, EspAuth::none, false};
constexpr std::array kOthers{
    EspSuite{EspCipher::aes_gcm_12, 128, EspAuth::none, false},
    EspSuite{EspCipher::aes_gcm_8, 128, EspAuth::none, false},
    EspSuite{EspCipher::aes_cbc, 128, EspAuth::hmac_sha2_256_128, false},
    EspSuite{EspCipher::aes_cbc, 256, EspAuth::hmac_sha2_256_128, false},
    EspSuite{EspCipher::chacha20_poly1305, 256, EspAuth::none, false},
};
constexpr std::uint32_t kUsualWindow = 128;                    // as espgate asks for by default
constexpr std::array<std::uint32_t, 3> kWindows{32, 64, 256};  // beside it

class Plan {
 public:
  explicit Plan(OffloadKind mode) : mode_(mode) {}

  void add(EspSuite suite, Direction direction, SaMode sa_mode, Family family, bool esn, bool encap = false,
           std::uint32_t window = kUsualWindow) {
    suite.esn = esn;
    rows.push_back({suite, mode_, direction, sa_mode, family, encap, direction == Direction::in ? window : 0});
  }

  // Every shape; the suites that are negotiated most.
  void shapes(const EspSuite& suite) {
    for (const auto direction : kDirections) {
      for (const auto sa_mode : kSaModes) {
        for (const auto family : kFamilies) {
          for (const bool esn : {false, true}) add(suite, direction, sa_mode, family, esn);
        }
      }
    }
  }

  void others() {
    for (const auto& suite : kOthers) {
      for (const auto direction : kDirections) add(suite, direction, SaMode::tunnel, Family::ipv4, false);
    }
  }

  void encapsulated() {
    for (const auto direction : kDirections) {
      for (const auto sa_mode : kSaModes) {
        for (const auto family : kFamilies) add(kUsual, direction, sa_mode, family, false, true);
      }
    }
  }

  void windows() {
    for (const auto window : kWindows) {
      for (const bool esn : {false, true}) {
        add(kUsual, Direction::in, SaMode::tunnel, Family::ipv4, esn, false, window);
      }
    }
  }

  std::vector<ProbeRow> rows;

 private:
  OffloadKind mode_;
};

}  // namespace

ProbeRow usual_row(OffloadKind mode, Direction direction) {
  return {kUsual, mode, direction, SaMode::tunnel, Family::ipv4, false, direction == Direction::in ? kUsualWindow : 0};
}

std::vector<ProbeRow> probe_plan() {
  std::vector<ProbeRow> out;
  for (const auto mode : {OffloadKind::crypto, OffloadKind::packet}) {
    Plan plan(mode);
    plan.shapes(kUsual);
    plan.shapes(kLongKey);
    plan.others();
    plan.encapsulated();
    plan.windows();
    out.insert(out.end(), plan.rows.begin(), plan.rows.end());
  }
  return out;
}

}  // namespace espgate::sad
