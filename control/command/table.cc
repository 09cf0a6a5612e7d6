// SPDX-License-Identifier: Apache-2.0
#include "control/command/table.h"

#include <array>

namespace espgate::control::command {
namespace {

constexpr Argument kName{"name", "NAME", ValueKind::conn, false, "only this connection or CONN/CHILD"};
constexpr Argument kDevice{"dev", "D", ValueKind::device, false, "only this network device"};
constexpr Argument kWhich{"", "NAME", ValueKind::conn, true, "CONN or CONN/CHILD"};
constexpr Argument kTimeout{"--timeout", "S", ValueKind::seconds, false, "seconds to wait, 30 if not said"};

constexpr std::array kSaShow{
    Argument{"kernel", "", ValueKind::none, false, "with the kernel's own counts (XFRM_MSG_GETSA)"},
    kName,
    Argument{"spi", "S", ValueKind::spi, false, "only the child that has this SPI, either way"},
    kDevice,
};
constexpr std::array kConnShow{kName};
constexpr std::array kConnUp{kWhich, kTimeout};
constexpr std::array kConnDown{
    kWhich, kTimeout, Argument{"--force", "", ValueKind::none, false, "do not wait for the peer's answer to DELETE"}};
constexpr std::array kOffloadShow{kDevice};
constexpr std::array kForgive{
    Argument{"dev", "D", ValueKind::device, true, "the network device to forget about"},
    Argument{"suite", "S", ValueKind::text, false, "only this suite, such as aes256gcm16"},
};
constexpr std::array kReload{
    Argument{"--dry-run", "", ValueKind::none, false, "only say what is wrong with the file"},
};
constexpr std::array kProbe{
    Argument{"dev", "D", ValueKind::device, true, "the network device to try"},
    Argument{"--plan", "", ValueKind::none, false, "print what would be tried, and try nothing"},
};
constexpr std::array kReport{
    Argument{"dev", "D", ValueKind::device, false,
             "only this device; otherwise all that have the feature esp-hw-offload"},
};
constexpr std::array kStatsShow{kDevice};
constexpr std::array kShieldShow{kDevice};
constexpr std::array kFlowShow{
    Argument{"top", "N", ValueKind::count, false, "only the N flows with the most bytes"},
};
constexpr std::array kPrometheus{
    Argument{"textfile", "PATH", ValueKind::path, false, "write to PATH, whole or not at all, instead of to stdout"},
};
constexpr Argument kConfig{"config", "FILE", ValueKind::path, false,
                           "espgated's configuration, /etc/espgate/espgate.conf if not said"};
constexpr std::array kDoctor{
    kConfig,
    Argument{"textfile", "PATH", ValueKind::path, false,
             "where the metrics are written to, if not where they usually are"},
};

constexpr std::array kTop{
    Argument{"sort", "KEY", ValueKind::text, false, "rate (if not said), hardware, fallback or name"},
    Argument{"interval", "S", ValueKind::seconds, false, "seconds between readings, 2 if not said"},
    Argument{"count", "N", ValueKind::count, false, "end after N screens"},
};
constexpr std::array kMonitor{
    Argument{"count", "N", ValueKind::count, false, "end after N events"},
};
constexpr std::array kLogLevel{
    Argument{"", "SUBSYSTEM", ValueKind::text, true, "all, ike (what peers do) or daemon (everything else)"},
    Argument{"", "LEVEL", ValueKind::text, true, "error, warn, info, debug or trace"},
    Argument{"conn", "X", ValueKind::conn, false, "only lines about this connection or CONN/CHILD"},
    Argument{"for", "TIME", ValueKind::text, false, "as it was again after this time: 90s, 10m, 2h"},
};
constexpr std::array kBundle{
    Argument{"to", "FILE", ValueKind::path, false, "the archive; espgate-support-TIME.tar here, if not said"},
    kConfig,
};
constexpr std::array kConvert{
    Argument{"", "FILE", ValueKind::path, true, "an ipsec.conf of libreswan or strongSwan"},
};

constexpr std::array kObjects{
    Object{"sa", "child SAs: suite, offload wanted and actual, packets and bytes in hardware and in software"},
    Object{"ike", "IKE SAs"},
    Object{"conn", "configured connections: bring up, take down, why one is down"},
    Object{"policy", "IPsec policies that espgate installed"},
    Object{"offload", "devices: the SAs they hold, what they take"},
    Object{"stats", "packets and bytes by class and verdict"},
    Object{"shield", "what the XDP program keeps away: floods of IKE_SA_INIT and fragments, unknown SPIs"},
    Object{"flow", "inner flows with their hardware and software share"},
    Object{"prog", "BPF programs: where attached, how often run"},
    Object{"map", "BPF maps and how full they are"},
    Object{"top", "live: children by rate, their hardware share, and why not more"},
    Object{"monitor", "live: SAs that come and go, fallbacks with their reason, moves, healing"},
    Object{"export", "numbers for other programs"},
    Object{"log", "how much the daemon logs"},
    Object{"doctor", "what stands in the way, on this machine or at a peer, and what to do about it"},
    Object{"support-bundle", "everything that a report needs, in one file, without a key"},
    Object{"config", "configurations of other daemons"},
};

constexpr std::array kCommands{
    Command{"sa", "show", kSaShow, "a row per child SA and direction", Handler::sa_show},
    Command{"ike", "show", {}, "a row per IKE SA", Handler::ike_show},
    Command{"conn", "show", kConnShow, "state, origin, last error and next try of each connection", Handler::conn_show},
    Command{"conn", "up", kConnUp, "bring NAME up and wait for it; names the step that failed", Handler::conn_up},
    Command{"conn", "down", kConnDown, "close NAME's SAs; its block policies stay", Handler::conn_down},
    Command{"conn", "rekey", kConnUp, "new keys without a gap: CONN for the IKE SA, CONN/CHILD for the child",
            Handler::conn_rekey},
    Command{"conn", "reload", kReload, "read the configuration anew: taken whole or not at all", Handler::conn_reload},
    Command{"policy", "show", {}, "a row per policy", Handler::policy_show},
    Command{"offload", "show", kOffloadShow, "devices: what each takes, why not the rest, what is offered on it",
            Handler::offload_show},
    Command{"offload", "probe", kProbe, "what D takes, found out with SAs that are thrown away; leaves nothing behind",
            Handler::offload_probe},
    Command{"offload", "forgive", kForgive, "drop what the daemon knows of D, so that it is found out anew",
            Handler::offload_forgive},
    Command{"offload", "report", kReport, "probe, driver, firmware and kernel as JSON, for sending in",
            Handler::offload_report},
    Command{"stats", "show", kStatsShow, "counters of the XDP program by device", Handler::stats_show},
    Command{"shield", "show", kShieldShow, "its rules, where it acts, and what it did there", Handler::shield_show},
    Command{"flow", "show", kFlowShow, "a row per inner flow", Handler::flow_show},
    Command{"prog", "show", {}, "a row per program", Handler::prog_show},
    Command{"map", "show", {}, "a row per map", Handler::map_show},
    Command{"export", "prometheus", kPrometheus, "Prometheus text format; works with the daemon dead",
            Handler::export_prometheus},
    Command{"doctor", "show", kDoctor,
            "modules, settings, ways, certificates, clock, connections: what is wrong with them", Handler::doctor_show},
    Command{"top", "show", kTop, "a row per child, again and again; keys r, h, f, n sort, q quits", Handler::top_show},
    Command{"monitor", "show", kMonitor, "a line per event, as it comes", Handler::monitor_show},
    Command{"log", "level", kLogLevel, "from now on, or for some time, lines of this level and above",
            Handler::log_level},
    Command{"support-bundle", "write", kBundle, "state, metrics, log, routes and settings as a tar archive",
            Handler::support_bundle},
    Command{"config", "convert", kConvert, "FILE as espgate.conf, and on stderr what could not be carried over",
            Handler::config_convert},
};

constexpr std::array kOptions{
    GlobalOption{"-j,--json", "", "", "JSON instead of text"},
    GlobalOption{"-p,--pretty", "", "", "JSON, indented"},
    GlobalOption{"-c,--color", "WHEN", "auto", "auto, always or never"},
    GlobalOption{"--vici", "URI", "unix:///run/espgate/espgated.vici", "where espgated listens"},
    GlobalOption{"--bpffs", "DIR", "/sys/fs/bpf", "the bpffs under which espgate's maps are pinned"},
    GlobalOption{"--devices", "FILE", "/var/lib/espgate/devices.json", "where espgated keeps what devices take"},
    GlobalOption{"-V,--version", "", "", "print the version"},
    GlobalOption{"-h,--help", "", "", "print this help"},
};

}  // namespace

std::span<const Object> objects() { return kObjects; }
std::span<const Command> commands() { return kCommands; }
std::span<const GlobalOption> global_options() { return kOptions; }

}  // namespace espgate::control::command
