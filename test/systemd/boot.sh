#!/bin/bash
# boot.sh -- boot a clean Debian with a systemd of its own, install a package in it, run a command, power off.
#
#   boot.sh [-H] PACKAGE.deb|- [COMMAND [ARGUMENT...]]
#
# COMMAND runs inside, as root, with what is installed there. Its exit status is that of boot.sh; 125 says that the
# machine or the package could not be set up. "-" installs nothing. With -H COMMAND runs outside, with the files of
# this machine, and is told by its environment
#
#   LEADER  the process that is the machine's first one, to be seen from COMMAND
#   IN      words to put before a command that is to run inside:                  $IN systemctl status
#   INNET   words to put before one that is to share nothing but its network:     $INNET curl http://127.0.0.1:8080
#   ROOT    its root directory. /run and /tmp in there are not its own: these are below /proc/$LEADER/root
#   UPPER   a directory of all that differs from the clean root
#   DEB     where the package is inside
#
# SUITE (bookworm) is Debian's release, MIRROR the mirror to take it from (apt's), CACHE a directory that keeps the
# clean root for the next time (the Makefile's). The machine has a loopback device and no other network. It needs root,
# and the packages systemd-container, debootstrap and iproute2.
set -u -o pipefail

say() { printf 'boot.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 125; }

# All that follows has a mount and a pid namespace of its own: however this script ends, kill -9 too, the machine and
# its mounts end with it. unshare itself would hold a SIGTERM back.
if [ -z "${BOOT_MACHINE:-}" ]; then
  BOOT_MACHINE=dropship-$$ setpriv --pdeathsig KILL -- \
    unshare --mount --propagation private --pid --fork --kill-child --mount-proc -- "$(readlink -f "$0")" "$@" <&0 &
  child=$!
  trap 'kill -KILL $child' INT TERM HUP
  wait $child
  status=$?
  trap - INT TERM HUP
  wait $child 2>/dev/null
  exit $status
fi
MACHINE=$BOOT_MACHINE
unset BOOT_MACHINE

outside=
while getopts H option; do
  case $option in
    H) outside=yes ;;
    *) exit 125 ;;
  esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || die "usage: boot.sh [-H] PACKAGE.deb|- [COMMAND [ARGUMENT...]]"
package=$1
shift
[ "$package" = - ] || [ -r "$package" ] || die "cannot read the package $package"
for tool in systemd-nspawn debootstrap; do
  command -v $tool >/dev/null || die "$tool is missing: apt-get install --no-install-recommends systemd-container debootstrap"
done

suite=${SUITE:-bookworm}
cache=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dropship}/systemd
mkdir -p "$cache" || die "cannot make $cache"

# The clean root is made once for each suite, under a lock, and appears as a whole.
include=systemd,systemd-sysv,dbus
clean=$cache/$suite-$(printf '%s 1' "$include" | sha256sum | cut -c1-8)
exec 9>"$clean.lock"
flock 9 || die "cannot lock $clean.lock"
if [ ! -d "$clean" ]; then
  mirror=${MIRROR:-$(apt-get indextargets --format '$(SITE)' 2>/dev/null | grep -E '^https?://.*/debian/?$' | head -1)}
  [ -n "$mirror" ] || die "cannot find a Debian mirror in apt's sources: set MIRROR"
  say "making a clean $suite from $mirror, once"
  rm -rf "$clean.new"
  debootstrap --variant=minbase --include=$include "$suite" "$clean.new" "$mirror" >"$clean.log" 2>&1 9>&- || {
    tail -20 "$clean.log" >&2
    die "cannot make a clean $suite: the whole log is $clean.log"
  }
  # Caches, and what debootstrap took over from this machine. The empty machine-id is what a first boot fills.
  rm -rf "$clean.new"/var/cache/apt/* "$clean.new"/var/lib/apt/lists/* "$clean.new"/var/log/bootstrap.log \
    "$clean.new"/var/cache/ldconfig/* "$clean.new"/etc/hostname "$clean.new"/etc/resolv.conf
  : >"$clean.new/etc/machine-id"
  mv "$clean.new" "$clean" || die "cannot rename $clean.new"
fi
exec 9>&-

# What systemd-nspawn needs: cgroups as a pure version 2 tree, which is what Debian has, whatever there is here; a /run
# that is a tmpfs; a cgroup of its own, since it makes others beside itself.
mount -t cgroup2 cgroup2 /sys/fs/cgroup || die "cannot mount cgroup2"
mount -t tmpfs -o mode=755 tmpfs /run || die "cannot mount a tmpfs at /run"
mkdir /run/lock
run=/run/$MACHINE cgroup=/sys/fs/cgroup/$MACHINE nspawn= LEADER=
# The machine's files vanish with the namespace. Its cgroups would stay behind after a kill: the next run removes them,
# rmdir refuses what is in use.
for left in /sys/fs/cgroup/dropship-*; do
  [ ! -d "$left" ] || find "$left" -depth -type d -exec rmdir {} + 2>/dev/null
done
mkdir "$run" && mount -t tmpfs -o mode=755,size=4G tmpfs "$run" && mkdir "$run"/{upper,work,root} &&
  mount -t overlay overlay -o "lowerdir=$clean,upperdir=$run/upper,workdir=$run/work" "$run/root" &&
  mkdir "$cgroup" || die "cannot set up $run"

running() { [ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

power_off() {
  trap - EXIT INT TERM HUP
  if [ -n "$nspawn" ]; then
    [ -z "$LEADER" ] || kill -RTMIN+4 "$LEADER" 2>/dev/null # asks systemd for an orderly poweroff
    for _ in {1..500}; do
      running "$nspawn" || break
      sleep 0.02
    done
    if running "$nspawn"; then
      say "the machine does not power off: killing it"
      echo 1 >"$cgroup/cgroup.kill"
    fi
    wait "$nspawn" 2>/dev/null
  fi
  for _ in {1..10}; do
    find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
    [ -d "$cgroup" ] || break
    sleep 0.05
  done
}
trap power_off EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# CAP_BPF and bpf(2) are what IPAddressDeny= and DeviceAllow= of a unit are enforced with.
(
  echo 0 >"$cgroup/cgroup.procs" || exit 1
  exec systemd-nspawn --quiet --boot --directory="$run/root" --machine="$MACHINE" \
    --register=no --keep-unit --link-journal=no --console=pipe --timezone=off --private-network \
    --capability=CAP_BPF --system-call-filter=bpf --setenv=SYSTEMD_COLORS=0 </dev/null >"$run/console" 2>&1
) &
nspawn=$!
deadline=$((SECONDS + 120))
until [ "$(cat "/proc/${LEADER:-none}/comm" 2>/dev/null)" = systemd ] && [ -S "/proc/$LEADER/root/run/systemd/private" ]; do
  running "$nspawn" && [ $SECONDS -lt $deadline ] || {
    cat "$run/console" >&2
    die "the machine does not boot"
  }
  sleep 0.02
  LEADER=$(tr -d ' ' 2>/dev/null <"/proc/$nspawn/task/$nspawn/children")
done
IN="nsenter -t $LEADER -m -u -i -p -n -C -- env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
IN+=" HOME=/root LANG=C.UTF-8 TERM=dumb DEBIAN_FRONTEND=noninteractive SYSTEMD_PAGER=cat container=systemd-nspawn"
INNET="nsenter -t $LEADER -n --"
state=$(timeout 120 $IN systemctl is-system-running --wait)
[ "$state" = running ] || {
  $IN systemctl --failed >&2
  $IN journalctl -b -p warning >&2
  die "the machine is ${state:-not up} after its boot"
}

DEB=
if [ "$package" != - ]; then
  DEB=/var/tmp/${package##*/} # /tmp is another file system inside
  install -m 644 "$package" "$run/root$DEB" || die "cannot copy $package"
  $IN apt-get install -y -qq -o Dpkg::Use-Pty=0 "$DEB" >"$run/install" 2>&1 </dev/null || {
    cat "$run/install" >&2
    $IN journalctl -b -n 50 >&2
    die "cannot install $package"
  }
fi

status=0
if [ $# -gt 0 ]; then
  if [ -n "$outside" ]; then
    LEADER=$LEADER IN=$IN INNET=$INNET ROOT=$run/root UPPER=$run/upper DEB=$DEB "$@"
  else
    $IN "$@"
  fi
  status=$?
fi
exit $status
