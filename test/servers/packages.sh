#!/bin/bash
# packages.sh [PACKAGE...] -- install the Debian packages that the tests need, if any of them is missing; or those that are named.
#
# The servers' packages start their daemons when they are installed. A policy-rc.d that refuses it is in place
# while apt runs, because the tests start their own, on other ports; what was there before is put back.
set -euo pipefail

packages=(
  gcc libc6-dev                                              # go test -race
  tar libarchive-tools cpio pax zip                          # archives to unpack, made by the real tools
  bzip2 pigz xz-utils zstd
  e2fsprogs xfsprogs btrfs-progs bindfs mount                # disks of their own, for the errors that only real ones have
  iproute2 strace                                            # ss, to see who listens; faults at system calls
  curl                                                       # what the manual shows
  debhelper dpkg-dev fakeroot lintian rpm                    # make deb, make dist
  systemd-container debootstrap                              # a machine with a systemd of its own, to install in
  memcached swift-account swift-container swift-object swift-proxy
  graphite-carbon graphite-web gunicorn
  mandoc groff-base                                          # manual pages
  tmux                                                       # terminals, to see what people see
)
[ $# = 0 ] || packages=("$@")

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
  echo "packages.sh: missing: ${missing[*]}; install them, or run this as root" >&2
  exit 1
fi

policy=/usr/sbin/policy-rc.d
saved=$policy.before-dropship-tests
restore_policy() {
  rm -f "$policy"
  [ ! -e "$saved" ] || mv "$saved" "$policy"
}
# A saved file means that an earlier run was killed: the file in place is then ours, not the machine's.
[ -e "$saved" ] || [ ! -e "$policy" ] || mv "$policy" "$saved"
trap restore_policy EXIT
trap 'exit 1' INT TERM
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
install() {
  apt-get -qq update &&
    apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends "${missing[@]}"
}
if ! output=$(install 2>&1 </dev/null); then
  echo "$output" >&2
  exit 1
fi
