# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Debian packages by name, from the mirror this machine is already configured for. Sourced, not run.

# debian_codename: bookworm, trixie, ...
debian_codename() { (. /etc/os-release && echo "${VERSION_CODENAME:-unknown}"); }

# debian_mirror: the URI of the main Debian archive that apt is configured to use here.
debian_mirror() {
  apt-get indextargets --format '$(SITE) $(ORIGIN) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
    awk -v release="$(debian_codename)" '$3 == release && $2 == "Debian" { print $1; exit }'
}

# debian_has PACKAGE [MINIMUM]: installed, and at least that version.
debian_has() {
  local version
  # The status has to be asked for: a removed package still has a version.
  # shellcheck disable=SC2016
  version=$(dpkg-query -W -f='${db:Status-Status} ${Version}' "$1" 2>/dev/null) || return 1
  [ "${version%% *}" = installed ] || return 1
  [ -z "${2:-}" ] || dpkg --compare-versions "${version#* }" ge "$2"
}

# The versions that the project needs of packages marked @bpo.
debian_minimum() {
  case "$1" in
    libbpf-dev | libbpf1) echo 1:1.3 ;;
    linux-libc-dev) echo 6.12 ;;
    # 7.2 emulates a processor that goes on running code which another one has just changed: see tools/README.md.
    qemu-system-x86) echo 1:8.1 ;;
  esac
}

# debian_missing SPEC...: prints those specs that are not there yet.
debian_missing() {
  local spec name
  for spec in "$@"; do
    name=${spec%@bpo}
    debian_has "$name" "$([ "$name" = "$spec" ] || debian_minimum "$name")" || echo "$spec"
  done
}

debian_run() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# debian_add_backports: names the backports suite of the configured mirror in a file of our own.
debian_add_backports() {
  local codename mirror list=/etc/apt/sources.list.d/espgate-backports.list
  codename=$(debian_codename)
  [ "$codename" = bookworm ] || return 0
  apt-cache policy 2>/dev/null | grep -q "n=$codename-backports" && return 0
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || { echo "tools/setup: no Debian mirror is configured for apt here" >&2; return 1; }
  echo "tools/setup: adding $codename-backports to $list (only packages marked for it are taken from there)"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $codename-backports main" |
    debian_run tee "$list" >/dev/null
}

# debian_install SPEC...: installs what is missing; `NAME@bpo` comes from backports on Debian 12.
debian_install() {
  local missing spec arguments=() codename
  missing=$(debian_missing "$@" | sort -u)
  [ -n "$missing" ] || return 0
  codename=$(debian_codename)
  echo "tools/setup: installing" $missing
  debian_run apt-get update -qq
  if grep -q '@bpo$' <<<"$missing" && [ "$codename" = bookworm ]; then
    debian_add_backports
    debian_run apt-get update -qq
  fi
  for spec in $missing; do
    case "$spec" in
      *@bpo) [ "$codename" = bookworm ] && arguments+=("${spec%@bpo}/$codename-backports") || arguments+=("${spec%@bpo}") ;;
      *) arguments+=("$spec") ;;
    esac
  done
  DEBIAN_FRONTEND=noninteractive debian_run apt-get install -y -qq --no-install-recommends "${arguments[@]}" >/dev/null
}
