#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0
# First process of the lab's guest. Runs twice: from the initramfs, where it puts the guest's root together and
# moves into it, and there (as `sh init stage2`), where it runs the job and hands its status to the host.
# The host side is lab_boot.py; the job directory that both share is described there.

bb=/bin/busybox
PATH=/bin

# option NAME: the value of lab.NAME= on the kernel's command line
option() {
  for word in $($bb cat /proc/cmdline); do
    case "$word" in lab."$1"=*) echo "${word#*=}" ;; esac
  done
}

die() {
  echo "lab: $*" >/dev/console
  $bb poweroff -f
}

# mount_9p TAG DIR OPTIONS. cache=loose is safe for what nobody changes during a run.
mount_9p() {
  $bb mkdir -p "$2"
  $bb mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3" "$1" "$2" || die "cannot mount the host's $1"
}

# keep DIR: remembers the overlay's directory below /tmp or /run that DIR is in, so that the tmpfs put there does not hide it.
keep() {
  case "$1" in
    /tmp/* | /run/*) ;;
    *) return 0 ;;
  esac
  top=/$(echo "$1" | $bb cut -d/ -f2,3)
  $bb grep -qx "$top" /kept 2>/dev/null && return 0
  echo "$top" >>/kept
  $bb mkdir -p "/keep$top"
  $bb mount --bind "/root$top" "/keep$top"
}

kept_back() {
  [ -f /kept ] || return 0
  while read -r top; do
    $bb mkdir -p "/root$top"
    $bb mount --move "/keep$top" "/root$top"
  done </kept
}

make_root() {
  job=/host$(option job)
  $bb mkdir -p /rw /root
  $bb mount -t tmpfs -o size=75%,mode=755 tmpfs /rw
  $bb mkdir -p /rw/upper /rw/work /rw/tree-upper /rw/tree-work
  lower=
  while read -r layer; do lower=$lower${lower:+:}$layer; done <"$job/layers"
  $bb mount -t overlay -o "lowerdir=$lower,upperdir=/rw/upper,workdir=/rw/work" lab /root || die "cannot stack the guest's root"
  read -r tree <"$job/tree"
  if [ -f "$job/foreign-root" ]; then # the project's tree is not in that root: bring it along
    $bb mkdir -p "/root$tree"
    $bb mount -t overlay -o "lowerdir=/host$tree,upperdir=/rw/tree-upper,workdir=/rw/tree-work" tree "/root$tree" || die "cannot mount $tree"
  fi
  read -r directory <"$job/cwd"
  keep "$tree"
  keep "$directory"
  $bb mount -t tmpfs -o mode=1777 tmp /root/tmp
  $bb mount -t tmpfs -o mode=755 run /root/run
  kept_back
  $bb mkdir -p /root/run/lab /root/run/bpf /root/run/lock /root/run/netns
  $bb cp "$job/job.sh" "$bb" /init /root/run/lab/
  [ -f "$job/out" ] && mount_9p out /root/run/lab/out cache=mmap
  for dir in dev proc sys; do $bb mount --move "/$dir" "/root/$dir"; done
}

stage1() {
  $bb mkdir -p /proc /sys /dev /host
  $bb mount -t proc proc /proc
  $bb mount -t sysfs sys /sys
  $bb mount -t devtmpfs dev /dev
  for module in /modules/*.ko; do $bb insmod "$module" || die "cannot load $module"; done
  mount_9p host /host ro,cache=loose
  mount_9p cache /cache ro,cache=loose
  make_root
  exec $bb switch_root -c /dev/console /root /run/lab/busybox sh /run/lab/init stage2
}

furnish() {
  $bb mkdir -p /dev/pts /dev/shm
  $bb mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
  $bb mount -t tmpfs shm /dev/shm
  $bb ln -sf /proc/self/fd /dev/fd
  $bb ln -sf fd/0 /dev/stdin
  $bb ln -sf fd/1 /dev/stdout
  $bb ln -sf fd/2 /dev/stderr
  $bb mount -t debugfs debugfs /sys/kernel/debug
  $bb mount -t tracefs tracefs /sys/kernel/tracing
  $bb mount -t cgroup2 cgroup2 /sys/fs/cgroup
  $bb mount -t bpf bpf /sys/fs/bpf
  $bb mount -t bpf bpf /run/bpf
  $bb hostname lab
  $bb ip link set lo up
  echo 1 >/proc/sys/net/core/bpf_jit_enable
  $bb mkdir /sys/fs/cgroup/lab
  keep_timestamps
}

# The first socket that wants packets stamped, and the last, have the kernel patch its own code (netif_rx), and every ping is
# one. The emulation of two CPUs does not always survive that: one of them met a trap that the other had taken away again,
# "Fatal exception in interrupt". So one such socket is there from the start.
keep_timestamps() {
  for ping in /usr/bin/ping /bin/ping; do
    [ -x "$ping" ] || continue
    "$ping" -q -i 86400 127.0.0.1 </dev/null >/dev/null 2>&1 &
    return
  done
}

# port NAME: the device of the virtio-serial port of that name
port() {
  for entry in /sys/class/virtio-ports/*; do
    [ "$($bb cat "$entry/name")" = "$1" ] && echo "/dev/${entry##*/}" && return
  done
}

# The job writes into pipes, not into the ports, so that /dev/stdout can be opened again and who stays behind can be cut off:
# when the job is over its cgroup is killed, the pipes run empty, and a marker known to the host closes each stream.
run_job() {
  out=$(port out)
  err=$(port err)
  control=$(port control)
  marker=$(option marker)
  $bb mkfifo /run/lab/stdout /run/lab/stderr
  { $bb cat /run/lab/stdout; $bb printf "\\036%s\\n" "$marker"; } >"$out" &
  out_pid=$!
  { $bb cat /run/lab/stderr; $bb printf "\\036%s\\n" "$marker"; } >"$err" &
  err_pid=$!
  exec 3<>"$control"
  echo ready >&3
  $bb setsid $bb sh -c 'echo $$ >/sys/fs/cgroup/lab/cgroup.procs; exec /bin/sh /run/lab/job.sh 3>&-' </dev/null >/run/lab/stdout 2>/run/lab/stderr &
  wait $!
  status=$?
  echo 1 >/sys/fs/cgroup/lab/cgroup.kill
  wait $out_pid $err_pid
  [ -d /run/lab/out ] && $bb umount /run/lab/out
  echo "status $status" >&3
  $bb sleep 10 # the host ends the machine as soon as it has everything
  $bb poweroff -f
}

run_shell() {
  $bb setsid $bb cttyhack /bin/sh /run/lab/job.sh
  [ -d /run/lab/out ] && $bb umount /run/lab/out
  $bb poweroff -f
}

# systemd as init, with the job as one service of it: basic.target, and whatever the job starts. It stays outside systemd's
# own cgroups, so that it may stop and start everything else.
run_systemd() {
  units=/run/systemd/system
  $bb mkdir -p $units
  $bb printf '%s\n' '[Unit]' 'Requires=basic.target' 'After=basic.target' '[Service]' 'Type=oneshot' 'TimeoutStartSec=infinity' \
    'ExecStart=/run/lab/busybox sh /run/lab/init job' >$units/lab-job.service
  $bb printf '%s\n' '[Unit]' 'Requires=lab-job.service' 'After=lab-job.service' 'AllowIsolate=yes' >$units/lab.target
  for systemd in /usr/lib/systemd/systemd /lib/systemd/systemd; do
    [ -x $systemd ] && exec $systemd --system --unit=lab.target --show-status=no
  done
  die "there is no systemd in this root"
}

bb=/run/lab/busybox
case "${1:-}" in
  stage2) ;;
  job) run_job ;;
  *) bb=/bin/busybox; stage1 ;;
esac
furnish
if [ "$(option init)" = systemd ]; then run_systemd; fi
if [ -n "$(option shell)" ]; then run_shell; else run_job; fi
