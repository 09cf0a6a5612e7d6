// SPDX-License-Identifier: Apache-2.0
// Which children hold a device's slots: what sad/ installs and what children carry goes to steer/, a Steer per device;
// out come placements for what is to be installed, and moves, which are rekeys. Pure.
//
// A child's generations are one line: a rekey inherits the place of what it replaces.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "ike/api.h"
#include "sad/placement.h"
#include "steer/steer.h"

namespace espgate::sad {

// A rekey to carry out, of the generation that is up; `text` is a line for the log.
struct SlotMove {
  base::ChildId child;
  std::string conn, name;
  bool to_hardware = false;
  std::string text;
};

// Of one device, for those who look.
struct SlotView {
  std::optional<std::uint32_t> known;        // slots a direction; none: nobody said, and it has refused none
  std::uint32_t reserve = 0;                 // of these, kept free for rekeys
  std::uint32_t hardware = 0, software = 0;  // children that want offload, by where they are
  std::uint32_t budget = 0;                  // moves a round at most
  std::uint64_t promoted = 0, demoted = 0;   // children moved since the start
};

class Slots {
 public:
  explicit Slots(const steer::Config& config = {}) : config_(config) {}
  void configure(const steer::Config& config);

  // Where this generation goes. To be asked once, before Sad::on_install or on_add_inbound.
  Placement place(const ike::ChildSpec& child, const std::string& device);
  void carried(const Carried& what);
  void gone(const Gone& what);

  // Octets that a generation carried since it was installed, both directions.
  void count(base::ChildId child, std::uint64_t octets);
  [[nodiscard]] std::optional<base::Instant> due() const;  // nullopt: there is no device yet
  // The moves of all devices that are due, demotions of each first.
  std::vector<SlotMove> round(base::Instant now);
  // The rekey of a move came to nothing: the child is where it was.
  void failed(base::ChildId child);

  // What its refusals told of the device's room is not believed any more.
  void forgiven(const std::string& device);

  // From its next rekey on the child is in software, whatever room there is, until let_go(): `why` is told to whoever
  // asks. False: there is no such child. A child that was in hardware is back there with its next rekey, if the device
  // has room.
  bool hold(base::ChildId child, Placement why);
  void let_go(base::ChildId child);

  [[nodiscard]] std::map<std::string, SlotView> view() const;

 private:
  struct Line {
    std::string conn, name, device;
    // Its place in the device's Steer; none: it does not want offload, or has no device.
    std::optional<steer::ChildRef> ref;
    std::map<base::ChildId, std::uint64_t> generations;  // with the octets counted of each
    std::optional<base::ChildId> newest;                 // that is up
    bool hardware = false;                               // where that one is
    bool strict = false;
    bool fits = true;            // the device takes it, as far as is known, when it has room
    std::optional<bool> moving;  // a rekey that moves it is under way; true: to hardware
    std::optional<Placement> held;
    bool comes_back = false;  // it was in hardware before it was held
  };
  struct Device {
    explicit Device(const steer::Config& config) : steer(config) {}
    steer::Steer steer;
    std::map<steer::ChildRef, Line*> lines;
    std::uint64_t promoted = 0, demoted = 0;
  };

  Line* line_of(base::ChildId child);
  Line& line_for(const ike::ChildSpec& child);
  steer::Steer& steer_of(const Line& line) { return devices_.at(line.device).steer; }
  void enter(Line& line, const std::string& device);
  void leave(Line& line);
  void observed(Line& line);  // tells the Steer where the child is
  void order(Device& device, const steer::Move& move, std::vector<SlotMove>& to);

  steer::Config config_;
  std::map<std::string, Device> devices_;
  std::map<base::ChildId, std::shared_ptr<Line>> by_id_;
};

}  // namespace espgate::sad
